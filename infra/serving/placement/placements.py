"""Where each workload may run and how it rolls out, given the node pools."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gkeplatform.contracts import NodePool
from infra.serving.manifest import Manifest
from infra.serving.models.rollout import RollingUpdate
from infra.serving.models.workload import Workload
from infra.serving.placement import gpus
from infra.serving.placement.fit import fitting, hard_taints

GPU_TAINT = "nvidia.com/gpu"
"""GKE taints nodes with GPUs, and adds the toleration to pods that request GPUs."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The rolling update and the tolerations of one workload."""

    rolling_update: RollingUpdate
    tolerations: tuple[Manifest, ...] = ()


def placements(
    workloads: Sequence[Workload],
    pools: Sequence[NodePool],
    *,
    gpu_quotas: Mapping[str, int] | None = None,
) -> dict[str, Placement]:
    """By name of the workload. `gpu_quotas` are the GPUs that each team may request.

    `PlatformError` for what no pool can take, or what there are not enough GPUs for.
    """
    fits = {workload.name: fitting(workload, pools) for workload in workloads}
    updates = gpus.rolling_updates(workloads, fits, pools, quotas=gpu_quotas or {})
    return {
        workload.name: Placement(
            updates[workload.name], tuple(tolerations(workload, fits[workload.name]))
        )
        for workload in workloads
    }


def tolerations(workload: Workload, fits: Sequence[NodePool]) -> list[Manifest]:
    """Tolerations for the pools that the workload needs by its GPUs or names by `node_pool`."""
    if workload.resources.gpu is None and workload.node_pool is None:
        return []
    taints = dict.fromkeys(taint for pool in fits for taint in hard_taints(pool))
    own: list[Manifest] = [
        {"key": t.key, "operator": "Equal", "value": t.value, "effect": t.effect} for t in taints
    ]
    if not any(pool.accelerator for pool in fits):
        return own
    gpu: Manifest = {"key": GPU_TAINT, "operator": "Exists", "effect": "NoSchedule"}
    return [gpu, *(one for one in own if one["key"] != GPU_TAINT)]
