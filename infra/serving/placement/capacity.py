"""Whether the pools can ever hold a workload's replicas, and whether a surge has room.

GPUs and TPUs are counted at replicas.max: a pod that requests one while all are in use stays
pending, and a rollout that waits for it never ends. Cores are counted at replicas.min, since a
model without accelerators may share nodes with any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from msgspec import structs

from gkeplatform.contracts import NodePool
from gkeplatform.errors import PlatformError
from infra.serving.accelerators import GPU_RESOURCE, TPU_RESOURCE
from infra.serving.models.availability import Rollout
from infra.serving.models.rollout import RollingUpdate, rolling_update
from infra.serving.models.workload import Workload
from infra.serving.placement.accelerators import asked, offered
from infra.serving.placement.demand import of_pod
from infra.serving.placement.fit import fitting, nodes, replicas_on, replicas_per_node
from infra.serving.placement.spread import fits_together, room, zone_capacities

_RAISE = "raise max_nodes in gke-cluster:node_pools"


def rolling_updates(
    workloads: Sequence[Workload],
    pools: Sequence[NodePool],
    *,
    quotas: Mapping[tuple[str, str], int],
) -> dict[str, RollingUpdate]:
    """By name: with a surge if one needs no accelerators, or some are left at replicas.max.

    `quotas` are the accelerators of each team, by its name and the resource.
    """
    spare = {has.kind: _total(has.kind, pools) for pool in pools if (has := offered(pool))}
    left_of_quota = dict(quotas)

    def take(workload: Workload, kind: str, count: int) -> None:
        spare[kind] -= count
        if (key := _quota_key(workload)) in left_of_quota:
            left_of_quota[key] -= count

    for workload in workloads:
        _refuse_unreachable(workload, pools)
        if wanted := asked(workload):
            take(workload, wanted.kind, wanted.count * workload.replicas.max)
    _refuse_overcommitted(workloads, pools)
    for workload in workloads:
        if workload.canary:
            _refuse_crowded(workload, workload.canary, pools)
    planned = {}
    for workload in workloads:
        wanted = asked(workload)
        if wanted is None:
            has_room = workload.replicas.min < _room_in_rollout(workload, pools)
            planned[workload.name] = rolling_update(workload.rollout, can_surge=has_room)
            continue
        beside = _room_in_rollout(workload, pools) - workload.replicas.max
        left = min(spare[wanted.kind], beside * wanted.count)
        left = min(left, left_of_quota.get(_quota_key(workload), left))
        if left < wanted.count and workload.rollout == Rollout(max_unavailable=0):
            raise PlatformError(
                f"{workload.key}.rollout.max_unavailable: 0 needs a surge of "
                f"{wanted.count} {wanted.kind}, and at replicas.max {max(left, 0)} are left; set "
                f"max_unavailable: 1, or {_RAISE}"
            )
        planned[workload.name] = rolling_update(workload.rollout, can_surge=left >= wanted.count)
        take(workload, wanted.kind, wanted.count * planned[workload.name].surge)
    return planned


def _quota_key(workload: Workload) -> tuple[str, str]:
    """The team and the resource of its accelerators, of which a quota may limit the number."""
    return workload.team or "", TPU_RESOURCE if workload.resources.tpu else GPU_RESOURCE


def _total(kind: str, pools: Sequence[NodePool]) -> int:
    return sum(
        has.count * nodes(pool) for pool in pools if (has := offered(pool)) and has.kind == kind
    )


def _refuse_unreachable(workload: Workload, pools: Sequence[NodePool]) -> None:
    """Refuses more replicas, or a larger surge, than empty pools of maximum size can hold."""
    wanted = asked(workload)
    key, replicas = ("max", workload.replicas.max) if wanted else ("min", workload.replicas.min)
    capacities = zone_capacities(workload, pools)
    most = room(workload, capacities)
    if replicas > most:
        of_what = f" of {wanted}" if wanted else ""
        limit = _spread_limit(workload, replicas, pools)
        how = f" spread over {limit} (max_skew {workload.spread.max_skew})" if limit else ""
        advice = f", set spread: {{{limit}: preferred}}" if limit else ""
        by_zone = ", ".join(f"{zone} {count}" for zone, count in capacities.items())
        sizes = f"by zone: {by_zone}" if limit else _sizes(workload, pools)
        raise PlatformError(
            f"{workload.key}.replicas.{key}: {replicas} replicas{of_what}{how} are more than the "
            f"node pools can ever hold, {most} ({sizes}); set at most {most}{advice}, or {_RAISE}"
        )
    surge, held = workload.rollout.max_surge or 0, _room_in_rollout(workload, pools)
    if replicas + surge > held:
        raise PlatformError(
            f"{workload.key}.rollout.max_surge: {replicas} replicas and a surge of {surge} are "
            f"more than the node pools can ever hold, {held} ({_sizes(workload, pools)}): a "
            f"rollout at replicas.{key} would never end; set max_surge: {held - replicas}"
            f"{' and max_unavailable: 1' if held == replicas else ''}"
        )


def _room_in_rollout(workload: Workload, pools: Sequence[NodePool]) -> int:
    """Pods of two revisions that the pools can hold.

    With accelerators both revisions count for the spread (`models/pod.py`), which lets every
    rollout of so many pods end: a zone with the fewest pods has room, or another may have more.
    """
    capacities = zone_capacities(workload, pools)
    return room(workload, capacities) if asked(workload) else sum(capacities.values())


def _spread_limit(workload: Workload, replicas: int, pools: Sequence[NodePool]) -> str:
    """The required spread, `zones` or `nodes`, without which the replicas fit; empty if none."""
    for limit in ("zones", "nodes"):
        spread = structs.replace(workload.spread, **{limit: "preferred"})
        free = replace(workload, spread=spread)
        if room(free, zone_capacities(free, pools)) >= replicas:
            return limit
    return ""


def _sizes(workload: Workload, pools: Sequence[NodePool]) -> str:
    demand = of_pod(workload)
    parts = [
        f"{pool.name} {nodes(pool)} nodes x {replicas_per_node(demand, pool)}"
        for pool in fitting(workload, pools)
        if replicas_on(demand, pool)
    ]
    return " + ".join(parts) or "no nodes"


def _refuse_crowded(model: Workload, canary: Workload, pools: Sequence[NodePool]) -> None:
    """Refuses a model and its canary that need the same accelerators, and cannot both be spread."""
    counts = (model.replicas.min, canary.replicas.min)
    capacities = zone_capacities(model, pools)
    if not asked(model) or not capacities or fits_together(model, counts, capacities):
        return
    zones = ", ".join(f"{zone} {count}" for zone, count in capacities.items())
    raise PlatformError(
        f"{canary.key}.replicas.min: {counts[1]} replicas of the canary beside {counts[0]} of the "
        f"model, each spread over zones (max_skew {model.spread.max_skew}), are more than the node "
        f"pools can hold by zone: {zones}; lower one of them, set spread: {{zones: preferred}}, "
        f"or {_RAISE}"
    )


def _refuse_overcommitted(workloads: Sequence[Workload], pools: Sequence[NodePool]) -> None:
    """Refuses models that together need more accelerators at replicas.min than the pools have."""
    for kind in sorted({has.kind for pool in pools if (has := offered(pool))}):
        parts = [
            (one.name, one.replicas.min, wanted.count)
            for one in workloads
            if (wanted := asked(one)) and wanted.kind == kind
        ]
        need, have = sum(low * count for _, low, count in parts), _total(kind, pools)
        if need > have:
            sums = " + ".join(f"{name} {low} x {count}" for name, low, count in parts)
            sizes = " + ".join(
                f"{pool.name} {nodes(pool)} nodes x {has.count}"
                for pool in pools
                if (has := offered(pool)) and has.kind == kind
            )
            raise PlatformError(
                f"gke-serving:models: at replicas.min the models need {need} {kind} ({sums}), and "
                f"the node pools have {have} at most ({sizes}); lower replicas.min, or {_RAISE}"
            )
