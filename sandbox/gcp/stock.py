"""Machine types that a zone has run out of: what `PUT /sandbox/v1/stock-out` says.

Spot, on-demand and flex-start capacity of a machine type run out apart; a reservation counts as
on-demand. Google has no API for it: a request for more virtual machines fails, or succeeds. Only
growing instance groups ask here; a node pool whose first nodes do not exist is not emulated.
"""

from __future__ import annotations

from sandbox.gcp.store import Store


def set_exhausted(
    store: Store,
    project: str,
    zone: str,
    machine_type: str,
    *,
    exhausted: bool,
    provisioning: str = "",
) -> None:
    """Let a zone have none left of a machine type, or enough of it again.

    `provisioning`: only `spot`, `standard` or `flex-start` capacity; empty: all of it.
    """
    name = f"{machine_type} {provisioning}".strip()
    kept = [one for one in _exhausted(store, project, zone) if one != name]
    store.put(_key(project, zone), {"machineTypes": kept + [name] * exhausted})


def is_exhausted(
    store: Store, project: str, zone: str, machine_type: str, provisioning: str = "standard"
) -> bool:
    """Whether the zone has none left of a machine type, to be had in this way."""
    gone = _exhausted(store, project, zone)
    return machine_type in gone or f"{machine_type} {provisioning}" in gone


def _exhausted(store: Store, project: str, zone: str) -> list[str]:
    return list((store.get(_key(project, zone)) or {}).get("machineTypes") or ())


def _key(project: str, zone: str) -> str:
    return f"stock/projects/{project}/zones/{zone}"
