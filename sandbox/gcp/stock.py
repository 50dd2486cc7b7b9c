"""Machine types that a zone has run out of: what `PUT /sandbox/v1/stock-out` says.

Google has no API for it: a request for more virtual machines fails, or succeeds. Only growing
instance groups ask here; a node pool whose first nodes do not exist is not emulated.
"""

from __future__ import annotations

from sandbox.gcp.store import Store


def set_exhausted(
    store: Store, project: str, zone: str, machine_type: str, *, exhausted: bool
) -> None:
    """Let a zone have none left of a machine type, or enough of it again."""
    kept = [one for one in _exhausted(store, project, zone) if one != machine_type]
    store.put(_key(project, zone), {"machineTypes": kept + [machine_type] * exhausted})


def is_exhausted(store: Store, project: str, zone: str, machine_type: str) -> bool:
    """Whether the zone has none left of a machine type."""
    return machine_type in _exhausted(store, project, zone)


def _exhausted(store: Store, project: str, zone: str) -> list[str]:
    return list((store.get(_key(project, zone)) or {}).get("machineTypes") or ())


def _key(project: str, zone: str) -> str:
    return f"stock/projects/{project}/zones/{zone}"
