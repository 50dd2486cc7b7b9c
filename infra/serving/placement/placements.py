"""Where each workload may run and how it rolls out, given the node pools."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gkeplatform.contracts import NodePool
from infra.serving.accelerators import GPU_RESOURCE, TPU_RESOURCE
from infra.serving.manifest import Manifest
from infra.serving.models.rollout import RollingUpdate
from infra.serving.models.workload import Workload
from infra.serving.placement import capacity
from infra.serving.placement.accelerators import asked, offered
from infra.serving.placement.fit import close, fitting, hard_taints


@dataclass(frozen=True, slots=True)
class Placement:
    """The rolling update and the tolerations of one workload."""

    rolling_update: RollingUpdate
    tolerations: tuple[Manifest, ...] = ()
    close: tuple[str, ...] = ()
    """Pools with compact placement, in one of which all pods of a group are."""


def placements(
    workloads: Sequence[Workload],
    pools: Sequence[NodePool],
    *,
    quotas: Mapping[tuple[str, str], int] | None = None,
) -> dict[str, Placement]:
    """By name of the workload.

    `quotas` are the accelerators of each team, by its name and the resource. `PlatformError`
    for what no pool can take, or what the pools cannot hold.
    """
    fits = {workload.name: fitting(workload, pools) for workload in workloads}
    updates = capacity.rolling_updates(workloads, pools, quotas=quotas or {})
    return {
        workload.name: Placement(
            updates[workload.name],
            tuple(tolerations(workload, fits[workload.name])),
            tuple(pool.name for pool in close(workload, fits[workload.name])),
        )
        for workload in workloads
    }


def tolerations(workload: Workload, fits: Sequence[NodePool]) -> list[Manifest]:
    """Tolerations for the pools that the workload needs by accelerators, or names itself.

    GKE taints nodes with the name of their accelerators' resource.
    """
    if asked(workload) is None and workload.node_pool is None and workload.compute_class is None:
        return []
    taints = dict.fromkeys(taint for pool in fits for taint in hard_taints(pool))
    own: list[Manifest] = [
        {"key": t.key, "operator": "Equal", "value": t.value, "effect": t.effect} for t in taints
    ]
    names = dict.fromkeys(
        TPU_RESOURCE if pool.tpu else GPU_RESOURCE for pool in fits if offered(pool)
    )
    added = [{"key": name, "operator": "Exists", "effect": "NoSchedule"} for name in names]
    return [*added, *(one for one in own if one["key"] not in names)]
