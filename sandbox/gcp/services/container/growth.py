"""How many of the nodes asked for a group gets, and the errors of those that it does not get."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.gcp import quotas, stock
from sandbox.gcp.service import now
from sandbox.gcp.services.container import names, nodes
from sandbox.gcp.services.container.groups import Group
from sandbox.gcp.services.container.render import PoolRecord
from sandbox.gcp.services.container.wire_format import Json
from sandbox.gcp.store import Store

_KEPT = 20
_NO_STOCK = (
    "The zone 'projects/{project}/zones/{zone}' does not have enough resources available to "
    "fulfill the request.  Try a different zone, or try again later."
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why Compute Engine does not make a virtual machine."""

    code: str
    """ZONE_RESOURCE_POOL_EXHAUSTED or QUOTA_EXCEEDED."""
    message: str


def granted(store: Store, pool: PoolRecord, group: Group, size: int) -> tuple[int, Refusal | None]:
    """The size that the group gets, of the one asked for, and why it gets no more."""
    machine = str(pool["pool"]["config"].get("machineType") or "")
    if size <= group.size:
        return size, None
    way = nodes.provisioning(pool["pool"]["config"])
    if stock.is_exhausted(store, group.project, group.zone, machine, way):
        text = _NO_STOCK.format(project=group.project, zone=group.zone)
        return group.size, Refusal("ZONE_RESOURCE_POOL_EXHAUSTED", text)
    refusal = None
    for wanted in range(size, group.size, -1):
        more = quotas.of_pool(pool["pool"], {group.zone: wanted - group.size})
        found = next(quotas.exceeded(store, group.project, more), None)
        if found is None:
            return wanted, refusal
        metric, (_, most, _) = found
        refusal = Refusal("QUOTA_EXCEEDED", quotas.exceeded_text(metric, most))
    return group.size, refusal


def note(store: Store, group: Group, refusal: Refusal, lacking: range) -> None:
    """Keep the errors of the virtual machines that a group lacks, by their indexes.

    `instanceGroupManagers.listErrors` shows the last ones.
    """
    path = f"{group.path('instanceGroupManagers')}/{group.name}"
    zone = f"https://www.googleapis.com/compute/v1/projects/{group.project}/zones/{group.zone}"
    key = f"compute-errors/{path}"
    kept: list[Json] = list((store.get(key) or {}).get("items") or ())
    new = [
        {
            "error": {"code": refusal.code, "message": refusal.message},
            "instanceActionDetails": {
                "action": "CREATING",
                "instance": f"{zone}/instances/{names.node(group.base, index)}",
            },
            "timestamp": now(),
        }
        for index in lacking
    ]
    store.put(key, {"items": [*kept, *new][-_KEPT:]})
