"""The services that are emulated: one module or package each, with a `SERVICE`."""

from __future__ import annotations

from importlib import import_module

from sandbox.gcp.service import Service

NAMES = (
    "compute",
    "container",
    "iam",
    "serviceusage",
    "cloudresourcemanager",
    "storage",
    "monitoring",
    "certificatemanager",
    "cloudkms",
    "dns",
    "billingbudgets",
    "gkebackup",
    "pubsub",
    "secretmanager",
    "iap",
)


def all_services() -> dict[str, Service]:
    """Every service by its name."""
    modules = (import_module(f"{__name__}.{name}") for name in NAMES)
    return {module.SERVICE.name: module.SERVICE for module in modules}
