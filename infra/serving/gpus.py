"""What the GPUs of the node pools can pay for: replicas at most, and surges of rollouts.

Cores can be had by another node of the pool; a GPU that is asked for while all are in use leaves a
pod waiting, and a rollout that waits for it never ends.
"""

from collections.abc import Mapping, Sequence

from gkeplatform.contracts import NodePool
from gkeplatform.errors import PlatformError
from infra.serving.config import ServingConfig, running
from infra.serving.demand import of_pod
from infra.serving.fit import nodes, replicas_on
from infra.serving.model import Model, Rollout
from infra.serving.rollout import Turnover, turnover


def turnovers(
    config: ServingConfig, fits: Mapping[str, Sequence[NodePool]], pools: Sequence[NodePool]
) -> dict[str, Turnover]:
    """How each model is rolled out: with a surge where the cores, or the GPUs, can pay for it."""
    spare = {
        kind: _total(kind, pools)
        for kind in {pool.accelerator for pool in pools if pool.accelerator}
    }
    quotas = {team.name: team.quota.gpus for team in config.teams}
    for key, model in running(config):
        if gpu := model.resources.gpu:
            _refuse_unreachable(key, model, fits[model.name])
            spare[gpu.type] -= gpu.count * model.replicas.max
            if model.team:
                quotas[model.team] -= gpu.count * model.replicas.max
    _refuse_overcommitted(config, pools)
    planned = {}
    for key, model in running(config):
        gpu = model.resources.gpu
        if gpu is None:
            planned[model.name] = turnover(model)
            continue
        left = min(spare[gpu.type], quotas.get(model.team or "", spare[gpu.type]))
        if left < gpu.count and model.rollout == Rollout(max_unavailable=0):
            raise PlatformError(
                f"{key}.rollout.max_unavailable: 0 needs a surge of "
                f"{gpu.count} {gpu.type}, and at replicas.max {max(left, 0)} are left; set "
                "max_unavailable: 1, or raise max_nodes in gke-cluster:node_pools"
            )
        planned[model.name] = turnover(model, can_surge=left >= gpu.count)
        taken = gpu.count * planned[model.name].surge
        spare[gpu.type] -= taken
        if model.team:
            quotas[model.team] -= taken
    return planned


def _total(kind: str, pools: Sequence[NodePool]) -> int:
    return sum(pool.gpus * nodes(pool) for pool in pools if pool.accelerator == kind)


def _refuse_unreachable(key: str, model: Model, fits: Sequence[NodePool]) -> None:
    """Refuses more replicas, or a surge, than the pools could ever hold with nothing else there."""
    gpu = model.resources.gpu
    if gpu is None:
        return
    want = of_pod(model)
    room = sum(replicas_on(want, pool) for pool in fits)
    parts = " + ".join(
        f"{pool.name} {nodes(pool)} nodes x {replicas_on(want, pool) // nodes(pool)}"
        for pool in fits
        if nodes(pool)
    )
    if model.replicas.max > room:
        raise PlatformError(
            f"{key}.replicas.max: {model.replicas.max} replicas of {gpu.count} x {gpu.type} are "
            f"more than the node pools can ever hold, {room} ({parts or 'no nodes'}); set at most "
            f"{room}, or raise max_nodes in gke-cluster:node_pools"
        )
    surge = model.rollout.max_surge or 0
    if model.replicas.max + surge > room:
        raise PlatformError(
            f"{key}.rollout.max_surge: {model.replicas.max} replicas and a surge of {surge} are "
            f"more than the node pools can ever hold, {room} ({parts}): a rollout at replicas.max "
            f"would never end; set max_surge: {room - model.replicas.max}"
            f"{' and max_unavailable: 1' if room == model.replicas.max else ''}"
        )


def _refuse_overcommitted(config: ServingConfig, pools: Sequence[NodePool]) -> None:
    """Refuses models that together need more GPUs at their fewest replicas than there are."""
    for kind in sorted({pool.accelerator for pool in pools if pool.accelerator}):
        wanting = [
            m for _, m in running(config) if m.resources.gpu and m.resources.gpu.type == kind
        ]
        parts = [(m.name, m.replicas.min, of_pod(m).gpus) for m in wanting]
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
