"""The pod disruption budget of a model, as plain data."""

from infra.serving.manifest import Manifest
from infra.serving.model import Model
from infra.serving.pod import selector


def budget(model: Model) -> Manifest:
    """The spec. Pods that are not ready may always go: they hold no drain up."""
    limits = {
        "minAvailable": model.disruption.min_available,
        "maxUnavailable": model.disruption.max_unavailable,
    }
    return {
        **{key: value for key, value in limits.items() if value is not None},
        "selector": {"matchLabels": selector(model)},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
