"""Kubernetes objects as they refer to each other: by namespace and name, and by labels."""

import math
from collections.abc import Iterator

from policies.rule import Stack
from policies.subjects import Resource, kubernetes
from policies.values import OddInputError, Props, block, entries, number, text, texts

WORKLOADS = kubernetes("apps", "Deployment", "StatefulSet", "ReplicaSet") | kubernetes(
    "core", "ReplicationController"
)
"""What an autoscaler scales and a disruption budget counts."""

AUTOSCALERS = kubernetes("autoscaling", "HorizontalPodAutoscaler", version="v2")


def address(props: Props) -> tuple[str, str]:
    """An object's namespace and name."""
    return text(props, "metadata", "namespace") or "default", text(props, "metadata", "name")


def kind_of(resource: Resource) -> str:
    """The kind of a Kubernetes resource."""
    return resource.type.rpartition(":")[2]


def target(autoscaler: Props, stack: Stack) -> Resource | None:
    """The workload that an autoscaler scales, where the stack declares it."""
    namespace, _ = address(autoscaler)
    kind = text(autoscaler, "spec", "scaleTargetRef", "kind")
    wanted = namespace, text(autoscaler, "spec", "scaleTargetRef", "name")
    for workload in stack.of(WORKLOADS):
        if kind_of(workload) == kind and address(workload.props) == wanted:
            return workload
    return None


def fewest_replicas(workload: Resource, stack: Stack) -> int:
    """How many pods a workload has at the least: its autoscaler's minimum, or its replicas."""
    for autoscaler in stack.of(AUTOSCALERS):
        if target(autoscaler.props, stack) is workload:
            least = number(autoscaler.props, "spec", "minReplicas")
            return 1 if least is None else int(least)
    replicas = number(workload.props, "spec", "replicas")
    return 1 if replicas is None else int(replicas)


def selected(selector: Props, namespace: str, stack: Stack) -> Iterator[Resource]:
    """The workloads of a namespace whose pods a label selector selects."""
    for workload in stack.of(WORKLOADS):
        labels = block(workload.props, "spec", "template", "metadata", "labels")
        if address(workload.props)[0] == namespace and fits(selector, labels):
            yield workload


def fits(selector: Props, labels: Props) -> bool:
    """Whether labels satisfy a label selector; an empty one is satisfied by all."""
    if any(labels.get(key) != value for key, value in block(selector, "matchLabels").items()):
        return False
    return all(_satisfies(labels, one) for one in entries(selector, "matchExpressions"))


def _satisfies(labels: Props, expression: Props) -> bool:
    found = labels.get(text(expression, "key"))
    values = texts(expression, "values")
    match text(expression, "operator"):
        case "In":
            return found in values
        case "NotIn":
            return found not in values
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
        case other:
            raise OddInputError(f"matchExpressions.operator {other!r} is none of Kubernetes'")


def share(value: object, replicas: int) -> int:
    """A count or a percentage of replicas, rounded up as the disruption controller does."""
    if isinstance(value, str) and value.endswith("%"):
        try:
            return math.ceil(float(value.removesuffix("%")) * replicas / 100)
        except ValueError:
            raise OddInputError(f"{value!r} is not a percentage") from None
    if isinstance(value, bool) or not isinstance(value, int):
        raise OddInputError(f"{value!r} is neither a count nor a percentage")
    return value
