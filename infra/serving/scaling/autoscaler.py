"""The spec of a model's HorizontalPodAutoscaler."""

from infra.serving.manifest import Manifest
from infra.serving.scaling.settings import (
    CPU_UTILIZATION,
    Autoscaling,
    ExternalMetric,
    GpuDutyCycle,
    Metric,
    PodMetric,
    PubSubBacklog,
    Replicas,
    Step,
)


def autoscaler(
    autoscaling: Autoscaling, replicas: Replicas, *, name: str, namespace: str
) -> Manifest:
    """The spec for the Deployment `name`, between the bounds of `replicas`."""
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": replicas.min,
        "maxReplicas": replicas.max,
        "metrics": [
            *utilizations(autoscaling),
            *(target(metric, name=name, namespace=namespace) for metric in autoscaling.metrics),
        ],
        "behavior": {
            "scaleUp": rules(autoscaling.scale_up_after_seconds, autoscaling.scale_up, "Max"),
            "scaleDown": rules(autoscaling.scale_down_after_seconds, autoscaling.scale_down, "Min"),
        },
    }


def utilizations(autoscaling: Autoscaling) -> list[Manifest]:
    """Targets relative to the pods' requests; CPU if no target is set."""
    cpu, memory = autoscaling.cpu_utilization, autoscaling.memory_utilization
    if cpu is None and memory is None and not autoscaling.metrics:
        cpu = CPU_UTILIZATION
    return [
        {
            "type": "Resource",
            "resource": {
                "name": name,
                "target": {"type": "Utilization", "averageUtilization": percent},
            },
        }
        for name, percent in (("cpu", cpu), ("memory", memory))
        if percent is not None
    ]


def target(metric: Metric, *, name: str, namespace: str) -> Manifest:
    """A target, with the metric's name as GKE's adapters for Cloud Monitoring spell it."""
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
                    "resource.labels.container_name": name,
                    "resource.labels.namespace_name": namespace,
                },
                {"type": "AverageValue", "averageValue": str(metric.average)},
            )
        case ExternalMetric():
            amount: Manifest = (
                {"type": "AverageValue", "averageValue": metric.average}
                if metric.average
                else {"type": "Value", "value": metric.total}
            )
            return external(metric.name, metric.labels, amount)


def external(name: str, labels: dict[str, str], amount: Manifest) -> Manifest:
    """A target for a metric that the pods do not export."""
    return {
        "type": "External",
        "external": {
            "metric": {"name": name, "selector": {"matchLabels": labels}},
            "target": amount,
        },
    }


def rules(seconds: int, steps: tuple[Step, ...], select: str) -> Manifest:
    """Scaling rules of one direction; without steps, Kubernetes' own apply."""
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
