"""What the nodes that a compute class may ask for count as against quotas. Pure functions.

Kubernetes Engine creates node pools for the rules that describe nodes, as many nodes as the limits
of the cluster leave; how many is not known before pods wait. Counted is one node of each rule:
where not even that fits into a quota, the choice is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from cli.capacity import node_pools
from cli.capacity.node_pools import Surroundings
from facts import quotas
from facts.quotas import Demand

Json = Mapping[str, Any]
COMPUTE_CLASS = "kubernetes:cloud.google.com/v1:ComputeClass"


def of_class(inputs: Json, around: Surroundings) -> tuple[Demand, tuple[str, ...]]:
    """The demand of one node of each rule, and quotas that are not shown."""
    most: Demand = Counter()
    hidden: dict[str, None] = {}
    for pool in _pools(inputs):
        zones = pool["nodeLocations"] or around.zones or (around.region,)
        if found := node_pools.node(pool, zones[0], around):
            most += quotas.of_node(found)
            hidden |= dict.fromkeys(quotas.hidden(found))
    return most, tuple(hidden)


def _pools(inputs: Json) -> Iterator[Json]:
    """A node pool of each rule that names a machine type, as its own resource would say it."""
    spec: Json = inputs.get("spec") or {}
    if not (spec.get("nodePoolAutoCreation") or {}).get("enabled"):
        return
    for rule in spec.get("priorities") or ():
        if not rule.get("machineType"):
            continue
        gpu, storage = rule.get("gpu") or {}, rule.get("storage") or {}
        config: dict[str, Any] = {
            "machineType": rule["machineType"],
            "spot": bool(rule.get("spot")),
            "diskType": storage.get("bootDiskType"),
            "diskSizeGb": storage.get("bootDiskSize"),
            "localSsdCount": storage.get("localSSDCount"),
        }
        if gpu:
            config["guestAccelerators"] = [{"type": gpu.get("type"), "count": gpu.get("count")}]
        zones = tuple((rule.get("location") or {}).get("zones") or ())
        yield {"nodeConfig": config, "nodeLocations": zones}
