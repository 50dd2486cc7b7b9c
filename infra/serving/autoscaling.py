"""The horizontal pod autoscaler of a model, as plain data."""

from typing import Any

from infra.serving.manifest import Manifest
from infra.serving.model import Model
from infra.serving.scaling import (
    CPU_UTILIZATION,
    Autoscaling,
    ExternalMetric,
    GpuDutyCycle,
    Metric,
    PodMetric,
    PubSubBacklog,
    Step,
)


def autoscaler(model: Model, autoscaling: Autoscaling, *, namespace: str) -> Manifest:
    """The spec: between the model's bounds, by the neediest of the targets."""
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": model.name},
        "minReplicas": model.replicas.min,
        "maxReplicas": model.replicas.max,
        "metrics": [
            *utilizations(autoscaling),
            *(target(metric, model, namespace=namespace) for metric in autoscaling.metrics),
        ],
        "behavior": {
            "scaleUp": rules(autoscaling.scale_up_after_seconds, autoscaling.scale_up, "Max"),
            "scaleDown": rules(autoscaling.scale_down_after_seconds, autoscaling.scale_down, "Min"),
        },
    }


def utilizations(autoscaling: Autoscaling) -> list[Manifest]:
    """The targets that are shares of what the pods request; CPU where there is no other target."""
    cpu, memory = autoscaling.cpu_utilization, autoscaling.memory_utilization
    if cpu is None and memory is None and not autoscaling.metrics:
        cpu = CPU_UTILIZATION
    return [
        {
            "type": "Resource",
            "resource": {
                "name": name,
                "target": {"type": "Utilization", "averageUtilization": share},
            },
        }
        for name, share in (("cpu", cpu), ("memory", memory))
        if share is not None
    ]


def target(metric: Metric, model: Model, *, namespace: str) -> Manifest:
    """A target in the names of GKE's adapters of Cloud Monitoring's metrics."""
    match metric:
        case PodMetric():
            return {
                "type": "Pods",
                "pods": {
                    "metric": {"name": f"prometheus.googleapis.com|{metric.name}|gauge"},
                    "target": {"type": "AverageValue", "averageValue": metric.average},
                },
            }
        case PubSubBacklog():
            return external(
                "pubsub.googleapis.com|subscription|num_undelivered_messages",
                {"resource.labels.subscription_id": metric.subscription},
                {"type": "AverageValue", "averageValue": metric.average},
            )
        case GpuDutyCycle():
            return external(
                "kubernetes.io|container|accelerator|duty_cycle",
                {
                    "resource.labels.container_name": model.name,
                    "resource.labels.namespace_name": namespace,
                },
                {"type": "AverageValue", "averageValue": str(metric.average)},
            )
        case ExternalMetric():
            amount = (
                {"type": "AverageValue", "averageValue": metric.average}
                if metric.average
                else {"type": "Value", "value": metric.total}
            )
            return external(metric.name, metric.labels, amount)


def external(name: str, labels: dict[str, str], amount: dict[str, Any]) -> Manifest:
    """A target of a metric that is not of the pods' own."""
    return {
        "type": "External",
        "external": {
            "metric": {"name": name, "selector": {"matchLabels": labels}},
            "target": amount,
        },
    }


def rules(seconds: int, steps: tuple[Step, ...], select: str) -> Manifest:
    """How fast the replicas may change in one direction; without steps, Kubernetes' own."""
    if not steps:
        return {"stabilizationWindowSeconds": seconds}
    return {
        "stabilizationWindowSeconds": seconds,
        "selectPolicy": select,
        "policies": [
            {
                "type": "Pods" if step.pods else "Percent",
                "value": step.pods or step.percent,
                "periodSeconds": step.every_seconds,
            }
            for step in steps
        ],
    }
