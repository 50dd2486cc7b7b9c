"""The emulated services: a module or package for each row of `sandbox.services`.

Each has a `SERVICE`: its handlers, and what it does when the emulator starts and stops.
"""

from __future__ import annotations

from importlib import import_module

from sandbox.gcp.service import Service
from sandbox.services import SERVICES


def all_services() -> dict[str, Service]:
    """Every service by its name, in the order of the table."""
    return {row.name: import_module(f"{__name__}.{row.name}").SERVICE for row in SERVICES}
