"""What must be there for an add-on before a cluster can have it."""

from __future__ import annotations

from sandbox.gcp.service import State
from sandbox.gcp.services import serviceusage
from sandbox.gcp.services.container.form import Json


def check(state: State, wanted: Json, project: str) -> None:
    """Refuse an add-on whose own API the project has not enabled."""
    if (wanted.get("gkeBackupAgentConfig") or {}).get("enabled"):
        serviceusage.refuse_if_disabled(state, "gkebackup", project)
