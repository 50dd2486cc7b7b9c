"""The spec of a model's HorizontalPodAutoscaler, and the scaling rules that ScaledObjects share."""

from gkeplatform.leader_worker_sets import API, KIND
from infra.serving.manifest import Manifest
from infra.serving.scaling.settings import CPU_UTILIZATION, Autoscaling, Replicas, Step


def autoscaler(
    autoscaling: Autoscaling, replicas: Replicas, *, name: str, hosts: int = 1
) -> Manifest:
    """The spec for the Deployment `name`, between the bounds of `replicas`.

    With several `hosts` it is for the LeaderWorkerSet; its utilization is that of the leaders.
    """
    return {
        "scaleTargetRef": target(name, hosts),
        "minReplicas": replicas.min,
        "maxReplicas": replicas.max,
        "metrics": [
            {
                "type": "Resource",
                "resource": {
                    "name": resource,
                    "target": {"type": "Utilization", "averageUtilization": percent},
                },
            }
            for resource, percent in utilizations(autoscaling).items()
        ],
        "behavior": behavior(autoscaling),
    }


def target(name: str, hosts: int = 1) -> Manifest:
    """The reference to the Deployment `name`, or with several `hosts` to the LeaderWorkerSet."""
    if hosts > 1:
        api, kind = API, KIND
    else:
        api, kind = "apps/v1", "Deployment"
    return {"apiVersion": api, "kind": kind, "name": name}


def utilizations(autoscaling: Autoscaling) -> dict[str, int]:
    """Targets in percent of the pods' requests, by resource; CPU if no target is set."""
    cpu, memory = autoscaling.cpu_utilization, autoscaling.memory_utilization
    if cpu is None and memory is None and not autoscaling.metrics:
        cpu = CPU_UTILIZATION
    return {
        name: percent for name, percent in (("cpu", cpu), ("memory", memory)) if percent is not None
    }


def behavior(autoscaling: Autoscaling) -> Manifest:
    """Stabilization windows and scaling rules of both directions."""
    up, down = autoscaling.scale_up_after_seconds, autoscaling.scale_down_after_seconds
    return {
        "scaleUp": _rules(up, autoscaling.scale_up, "Max"),
        "scaleDown": _rules(down, autoscaling.scale_down, "Min"),
    }


def _rules(seconds: int, steps: tuple[Step, ...], select: str) -> Manifest:
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
