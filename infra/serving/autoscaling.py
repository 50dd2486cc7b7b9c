"""The horizontal pod autoscaler of a model, as plain data."""

from infra.serving.manifest import Manifest
from infra.serving.model import Autoscaling, Model


def autoscaler(model: Model, autoscaling: Autoscaling) -> Manifest:
    """The spec: between the model's bounds, by the use of the CPU that its pods request."""
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": model.name},
        "minReplicas": model.replicas.min,
        "maxReplicas": model.replicas.max,
        "metrics": [
            {
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "target": {
                        "type": "Utilization",
                        "averageUtilization": autoscaling.cpu_utilization,
                    },
                },
            }
        ],
        "behavior": {
            "scaleDown": {"stabilizationWindowSeconds": autoscaling.scale_down_after_seconds}
        },
    }
