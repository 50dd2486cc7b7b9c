"""Scale-down decisions of the cluster autoscaler: which nodes may go. Pure functions.

A node may go while little of it is used and its pods fit elsewhere, whether it takes pods or is
cordoned. Of a node with GPUs only the GPUs count as used:
https://docs.cloud.google.com/kubernetes-engine/docs/reference/crds/computeclass (autoscalingPolicy)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sandbox.kubernetes.nodes import GPU, POOL
from sandbox.kubernetes.scaling import pods as needs
from sandbox.kubernetes.scaling.plan import Room, existing
from sandbox.kubernetes.specs import ScalingGroup, ScalingPool

Json = dict[str, Any]
_ACCELERATOR = "cloud.google.com/gke-accelerator"


def idle(
    pools: Sequence[ScalingPool],
    nodes: Sequence[Json],
    pods: Sequence[Json],
    budgets: Sequence[Json],
) -> dict[str, ScalingGroup]:
    """Return the removable nodes by name: under 50 % used, with pods that fit elsewhere.

    Only the newest node of a group is considered, because groups shrink from the end. It stands
    for all nodes of a TPU slice.
    """
    rooms = existing(nodes, pods, cordoned=True)
    found: dict[str, ScalingGroup] = {}
    for pool in pools:
        total = sum(group.size for group in pool.groups)
        for group in pool.groups:
            if (total if pool.is_total else group.size) <= pool.min or not group.size:
                continue
            name = group.last_node
            own = [pod for pod in pods if pod["spec"].get("nodeName") == name]
            if group.step > 1:
                may_go = name in rooms and not _is_used(pool, rooms, pods)
            else:
                may_go = name in rooms and _can_go(name, own, rooms, budgets)
            if may_go:
                found[name] = group
                total -= group.step
    return found


def _is_used(pool: ScalingPool, rooms: Mapping[str, Room], pods: Sequence[Json]) -> bool:
    """Whether pods, other than those of the nodes, run on a TPU slice: it goes as a whole."""
    own = {name for name, room in rooms.items() if room.labels.get(POOL) == pool.name}
    return any(pod["spec"].get("nodeName") in own and not is_of_node(pod) for pod in pods)


def _can_go(
    name: str, own: Sequence[Json], rooms: Mapping[str, Room], budgets: Sequence[Json]
) -> bool:
    movable = [pod for pod in own if not is_of_node(pod)]
    if any(is_pinned(pod, budgets) for pod in movable):
        return False
    used: Counter[str] = Counter()
    for pod in movable:
        used.update(needs.requests(pod))
    free = rooms[name].free
    for resource in (GPU,) if rooms[name].labels.get(_ACCELERATOR) else ("cpu", "memory"):
        whole = free.get(resource, 0) + used.get(resource, 0)
        if whole and 2 * used.get(resource, 0) >= whole:
            return False
    left = {other: Counter(room.free) for other, room in rooms.items() if other != name}
    for pod in movable:
        requested = needs.requests(pod)
        for other, amounts in left.items():
            if replace(rooms[other], free=amounts).fits(pod, requested):
                amounts.subtract(requested)
                break
        else:
            return False
    return True


def is_of_node(pod: Json) -> bool:
    """Whether the pod belongs to its node, and does not move."""
    owners = pod["metadata"].get("ownerReferences") or ()
    return any(owner["kind"] in ("DaemonSet", "Node") for owner in owners)


def is_pinned(pod: Json, budgets: Sequence[Json]) -> bool:
    """Whether a pod prevents the removal of its node."""
    metadata = pod["metadata"]
    annotations = metadata.get("annotations") or {}
    if annotations.get("cluster-autoscaler.kubernetes.io/safe-to-evict") == "false":
        return True
    if not metadata.get("ownerReferences"):
        return True  # no controller would recreate it
    return any(
        budget["metadata"]["namespace"] == metadata["namespace"]
        and needs.is_selected_by(budget["spec"].get("selector"), pod)
        and not (budget.get("status") or {}).get("disruptionsAllowed")
        for budget in budgets
    )
