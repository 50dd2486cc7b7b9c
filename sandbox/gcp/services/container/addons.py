"""Preconditions of cluster add-ons."""

from __future__ import annotations

from sandbox.gcp.service import State
from sandbox.gcp.services import serviceusage
from sandbox.gcp.services.container.wire_format import Json


def check(state: State, wanted: Json, project: str) -> None:
    """Refuse an add-on whose API is not enabled in the project."""
    if (wanted.get("gkeBackupAgentConfig") or {}).get("enabled"):
        serviceusage.refuse_if_disabled(state, "gkebackup", project)
