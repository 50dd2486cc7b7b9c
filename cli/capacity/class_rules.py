"""What the nodes that compute classes may ask for count as against quotas. Pure functions.

Kubernetes Engine creates node pools for the rules that describe nodes, as many nodes as the limits
of the cluster leave beside its declared pools. Rules for one type of GPU share what is left: of
each quota the rule counts that asks for most of it. How many nodes a class that exists has by now
is not known; of its rules one node each is counted, and so where the limits are not known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cli.capacity import node_pools
from cli.capacity.node_pools import Surroundings
from facts import quotas
from facts.quotas import Demand, Node

Json = Mapping[str, Any]
COMPUTE_CLASS = "kubernetes:cloud.google.com/v1:ComputeClass"


def of_class(inputs: Json, around: Surroundings) -> tuple[Demand, tuple[str, ...]]:
    """The demand of one node of each rule, and quotas that are not shown."""
    found = list(_nodes(inputs, around))
    most: Demand = Counter()
    for node in found:
        most += quotas.of_node(node)
    return most, tuple(dict.fromkeys(one for node in found for one in quotas.hidden(node)))


def at_most(classes: Iterable[tuple[Json, bool]], around: Surroundings, left: Json) -> Demand:
    """What all classes together may ask for; each comes with whether it is new.

    `left` is what the limits leave, by resource; empty where they are not known.
    """
    by_gpu: dict[str, Demand] = {}
    for inputs, is_new in classes:
        for node in _nodes(inputs, around):
            count = max(1, _fitting(node, left)) if is_new and left else 1
            asked = node_pools.times(quotas.of_node(node), count)
            by_gpu[node.gpu] = by_gpu.get(node.gpu, Counter()) | asked
    return sum(by_gpu.values(), Counter())


def room(cluster: Json, pools: Iterable[Json], around: Surroundings) -> dict[str, int]:
    """What of a cluster's limits its declared pools do not take at their maximum.

    Empty for a cluster without limits.
    """
    limits = (cluster.get("clusterAutoscaling") or {}).get("resourceLimits") or ()
    left = {str(one["resourceType"]): int(one.get("maximum") or 0) for one in limits}
    for inputs in pools if left else ():
        if node := node_pools.node(inputs, around.region, around):
            for kind, amount in _costs(node).items():
                left[kind] = left.get(kind, 0) - amount * node_pools.autoscaled(inputs, around)
    return left


def _fitting(node: Node, left: Json) -> int:
    return min(int(left.get(kind, 0)) // amount for kind, amount in _costs(node).items())


def _costs(node: Node) -> dict[str, int]:
    """What a node takes of the limits, which count whole gigabytes."""
    found = {"cpu": node.machine.cpus, "memory": -(-node.machine.memory_mib // 1024)}
    return found | ({node.gpu: node.gpus} if node.gpu else {})


def _nodes(inputs: Json, around: Surroundings) -> Iterator[Node]:
    for pool in _pools(inputs):
        zones = pool["nodeLocations"] or around.zones or (around.region,)
        if found := node_pools.node(pool, zones[0], around):
            yield found


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
