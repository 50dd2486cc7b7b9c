"""What the node pools decide of a model: where its pods may go, and how its versions follow."""

from collections.abc import Sequence
from dataclasses import dataclass

from gkeplatform.contracts import NodePool
from infra.serving import gpus, quota
from infra.serving.config import ServingConfig, running
from infra.serving.fit import fitting, hard_taints
from infra.serving.manifest import Manifest
from infra.serving.model import Model
from infra.serving.rollout import Turnover

GPU_TAINT = "nvidia.com/gpu"
"""GKE puts it on every node with GPUs, and lets pods that ask for GPUs tolerate it."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What follows for one model."""

    turnover: Turnover
    tolerations: tuple[Manifest, ...] = ()


def placements(config: ServingConfig, pools: Sequence[NodePool]) -> dict[str, Placement]:
    """By model; `PlatformError` for what no pool can take, or no GPUs or quota can pay for."""
    fits = {model.name: fitting(key, model, pools) for key, model in running(config)}
    turnovers = gpus.turnovers(config, fits, pools)
    quota.check(config, {name: planned.surge for name, planned in turnovers.items()})
    return {
        model.name: Placement(turnovers[model.name], tuple(tolerations(model, fits[model.name])))
        for _, model in running(config)
    }


def tolerations(model: Model, fits: Sequence[NodePool]) -> list[Manifest]:
    """The taints of the pools that the model was made for: by its GPUs, or by the pool's name."""
    if model.resources.gpu is None and model.node_pool is None:
        return []
    taints = dict.fromkeys(taint for pool in fits for taint in hard_taints(pool))
    named = [
        {"key": t.key, "operator": "Equal", "value": t.value, "effect": t.effect} for t in taints
    ]
    if not any(pool.accelerator for pool in fits):
        return named
    gpu = {"key": GPU_TAINT, "operator": "Exists", "effect": "NoSchedule"}
    return [gpu, *(one for one in named if one["key"] != GPU_TAINT)]
