"""Which handler serves which type token. The modules of services are imported when first asked."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.spec import Spec

# The first part of a type's path -> the module that holds it.
MODULES = {
    "compute": "compute",
    "container": "container",
    "projects": "projects",
    "serviceaccount": "iam",
    "storage": "storage",
    "monitoring": "monitoring",
    "certificatemanager": "certificatemanager",
    "dns": "dns",
    "gkebackup": "gkebackup",
    "kms": "kms",
    "pubsub": "pubsub",
    "iap": "iap",
    "billing": "billing",
}


@cache
def _handlers(module: str) -> dict[str, Handler]:
    found: tuple[Handler, ...] = import_module(f"sandbox.plugins.gcp.services.{module}").HANDLERS
    return {one.spec.type: one for one in found}


def handler_of(token: str) -> Handler | None:
    """The handler of a type, None for a type the plugin does not know."""
    module = MODULES.get(token.split(":")[1].partition("/")[0])
    return _handlers(module).get(token) if module else None


def specs() -> list[Spec]:
    """Every type the plugin knows."""
    modules = sorted(set(MODULES.values()))
    return [one.spec for module in modules for one in _handlers(module).values()]
