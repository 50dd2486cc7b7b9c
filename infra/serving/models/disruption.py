"""The spec of a model's PodDisruptionBudget."""

from infra.serving.manifest import Manifest
from infra.serving.models import group
from infra.serving.models.workload import Workload


def disruption_budget(workload: Workload) -> Manifest:
    """The spec. Pods that are not ready may always be evicted, so that they block no drain."""
    chosen = group.selector(workload) if workload.is_group else workload.selector
    return {
        **(_groups(workload) if workload.is_group else _pods(workload)),
        "selector": {"matchLabels": chosen},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }


def _pods(workload: Workload) -> Manifest:
    limits = {
        "minAvailable": workload.disruption.min_available,
        "maxUnavailable": workload.disruption.max_unavailable,
    }
    return {key: value for key, value in limits.items() if value is not None}


def _groups(workload: Workload) -> Manifest:
    """The limit over leaders and workers, so that no more groups are disturbed than it says.

    An eviction takes the pod's whole group. All its pods then count as unavailable: as many
    evictions as groups may be lost disturb at most as many groups, wherever they hit.
    """
    kept = workload.disruption.min_available
    allowed = workload.disruption.max_unavailable
    return {"maxUnavailable": workload.replicas.min - kept if kept is not None else allowed}
