"""Which handler serves which type token. A service's module is imported when first asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.spec import Spec
from sandbox.services import SERVICES

PACKAGES = frozenset(package for service in SERVICES for package in service.packages)
"""Packages of pulumi_gcp, the first part of a type's path; `services/` has a module for each."""


@cache
def _handlers(package: str) -> dict[str, Handler]:
    found: tuple[Handler, ...] = import_module(f"sandbox.plugins.gcp.services.{package}").HANDLERS
    return {one.spec.type: one for one in found}


def handler_of(token: str) -> Handler | None:
    """The handler of a type; None for a type that the plugin does not have."""
    package = token.split(":")[1].partition("/")[0]
    return _handlers(package).get(token) if package in PACKAGES else None


def specs() -> list[Spec]:
    """Every type that the plugin has."""
    return [one.spec for package in sorted(PACKAGES) for one in _handlers(package).values()]
