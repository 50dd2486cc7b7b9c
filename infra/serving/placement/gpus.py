"""GPUs of the node pools: how many replicas they can hold, and whether a surge has any left.

Cores can come from another node of the pool. A pod that requests a GPU while all are in use stays
pending, and a rollout that waits for it never ends.
"""

from collections.abc import Mapping, Sequence

from gkeplatform.contracts import NodePool
from gkeplatform.errors import PlatformError
from infra.serving.models.availability import Rollout
from infra.serving.models.rollout import RollingUpdate, rolling_update
from infra.serving.models.workload import Workload
from infra.serving.placement.demand import of_pod
from infra.serving.placement.fit import nodes, replicas_on


def rolling_updates(
    workloads: Sequence[Workload],
    fits: Mapping[str, Sequence[NodePool]],
    pools: Sequence[NodePool],
    *,
    quotas: Mapping[str, int],
) -> dict[str, RollingUpdate]:
    """By name: with a surge if one needs no GPUs, or GPUs are left for it at replicas.max.

    `fits` are the pools that can take a replica, by workload; `quotas` the GPUs of each team.
    """
    spare = {
        kind: _total(kind, pools)
        for kind in {pool.accelerator for pool in pools if pool.accelerator}
    }
    left_of_quota = dict(quotas)

    def take(workload: Workload, kind: str, count: int) -> None:
        spare[kind] -= count
        if workload.team in left_of_quota:
            left_of_quota[workload.team] -= count

    for workload in workloads:
        if gpu := workload.resources.gpu:
            _refuse_unreachable(workload, fits[workload.name])
            take(workload, gpu.type, gpu.count * workload.replicas.max)
    _refuse_overcommitted(workloads, pools)
    planned = {}
    for workload in workloads:
        gpu = workload.resources.gpu
        if gpu is None:
            planned[workload.name] = rolling_update(workload.rollout)
            continue
        left = min(spare[gpu.type], left_of_quota.get(workload.team or "", spare[gpu.type]))
        if left < gpu.count and workload.rollout == Rollout(max_unavailable=0):
            raise PlatformError(
                f"{workload.key}.rollout.max_unavailable: 0 needs a surge of "
                f"{gpu.count} {gpu.type}, and at replicas.max {max(left, 0)} are left; set "
                "max_unavailable: 1, or raise max_nodes in gke-cluster:node_pools"
            )
        planned[workload.name] = rolling_update(workload.rollout, can_surge=left >= gpu.count)
        take(workload, gpu.type, gpu.count * planned[workload.name].surge)
    return planned


def _total(kind: str, pools: Sequence[NodePool]) -> int:
    return sum(pool.gpus * nodes(pool) for pool in pools if pool.accelerator == kind)


def _refuse_unreachable(workload: Workload, fits: Sequence[NodePool]) -> None:
    """Refuses more replicas, or a larger surge, than empty pools of maximum size can hold."""
    gpu = workload.resources.gpu
    if gpu is None:
        return
    demand, replicas = of_pod(workload), workload.replicas.max
    room = sum(replicas_on(demand, pool) for pool in fits)
    parts = " + ".join(
        f"{pool.name} {nodes(pool)} nodes x {replicas_on(demand, pool) // nodes(pool)}"
        for pool in fits
        if nodes(pool)
    )
    if replicas > room:
        raise PlatformError(
            f"{workload.key}.replicas.max: {replicas} replicas of {gpu.count} x {gpu.type} are "
            f"more than the node pools can ever hold, {room} ({parts or 'no nodes'}); set at most "
            f"{room}, or raise max_nodes in gke-cluster:node_pools"
        )
    surge = workload.rollout.max_surge or 0
    if replicas + surge > room:
        raise PlatformError(
            f"{workload.key}.rollout.max_surge: {replicas} replicas and a surge of {surge} are "
            f"more than the node pools can ever hold, {room} ({parts}): a rollout at replicas.max "
            f"would never end; set max_surge: {room - replicas}"
            f"{' and max_unavailable: 1' if room == replicas else ''}"
        )


def _refuse_overcommitted(workloads: Sequence[Workload], pools: Sequence[NodePool]) -> None:
    """Refuses models that together need more GPUs at replicas.min than the pools have."""
    for kind in sorted({pool.accelerator for pool in pools if pool.accelerator}):
        parts = [
            (one.name, one.replicas.min, one.resources.gpu.count)
            for one in workloads
            if one.resources.gpu and one.resources.gpu.type == kind
        ]
        need, have = sum(low * count for _, low, count in parts), _total(kind, pools)
        if need > have:
            sums = " + ".join(f"{name} {low} x {count}" for name, low, count in parts)
            sizes = " + ".join(
                f"{pool.name} {nodes(pool)} nodes x {pool.gpus}"
                for pool in pools
                if pool.accelerator == kind
            )
            raise PlatformError(
                f"gke-serving:models: at replicas.min the models need {need} {kind} ({sums}), and "
                f"the node pools have {have} at most ({sizes}); lower replicas.min, or raise "
                "max_nodes in gke-cluster:node_pools"
            )
