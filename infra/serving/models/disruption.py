"""The spec of a model's PodDisruptionBudget."""

from infra.serving.manifest import Manifest
from infra.serving.models.workload import Workload


def disruption_budget(workload: Workload) -> Manifest:
    """The spec. Pods that are not ready may always be evicted, so that they block no drain."""
    limits = {
        "minAvailable": workload.disruption.min_available,
        "maxUnavailable": workload.disruption.max_unavailable,
    }
    return {
        **{key: value for key, value in limits.items() if value is not None},
        "selector": {"matchLabels": workload.selector},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
