"""Kubernetes objects as they refer to each other: by namespace and name, and by labels."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from policies.rule import Stack
from policies.subjects import Resource, kubernetes
from policies.values import (
    OddInputError,
    Props,
    UnknownError,
    block,
    entries,
    number,
    spelt,
    text,
    texts,
)

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


class Workloads:
    """The workloads of a stack by what refers to them.

    What cannot be read (a name that is not known yet, an odd shape) is kept aside: a look-up that
    finds nothing else raises it, for the answer may lie there.
    """

    def __init__(self, stack: Stack) -> None:
        self._by_name: dict[tuple[str, str, str], Resource] = {}
        self._by_label: dict[tuple[str, str, Any], list[Resource]] = {}
        self._by_namespace: dict[str, list[Resource]] = {}
        self._autoscalers: dict[int, Props] = {}
        self._unread: list[Exception] = []
        self._unread_autoscalers: list[Exception] = []
        for workload in stack.of(WORKLOADS):
            with _kept_aside(self._unread):
                self._add(workload)
        for autoscaler in stack.of(AUTOSCALERS):
            with _kept_aside(self._unread_autoscalers):
                scaled = self._by_name.get(_target_of(autoscaler.props))
                if scaled is not None:
                    self._autoscalers[id(scaled)] = autoscaler.props

    def scaled_by(self, autoscaler: Props) -> Resource | None:
        """The workload that an autoscaler scales, where the stack declares it."""
        found = self._by_name.get(_target_of(autoscaler))
        if found is None:
            _raise_first(self._unread)
        return found

    def selected_by(self, selector: Props, namespace: str) -> list[Resource]:
        """The workloads of a namespace whose pods a label selector selects."""
        wanted = next(iter(block(selector, "matchLabels").items()), None)
        candidates = (
            self._by_label.get((namespace, *wanted), [])
            if wanted
            else self._by_namespace.get(namespace, [])
        )
        found = [one for one in candidates if fits(selector, labels_of(one))]
        if not found:
            _raise_first(self._unread)
        return found

    def fewest_replicas(self, workload: Resource) -> int:
        """How many pods a workload has at the least: its autoscaler's minimum, or its replicas."""
        autoscaler = self._autoscalers.get(id(workload))
        if autoscaler is None:
            _raise_first(self._unread_autoscalers)
            least = number(workload.props, "spec", "replicas")
        else:
            least = number(autoscaler, "spec", "minReplicas")
        return 1 if least is None else int(least)

    def _add(self, workload: Resource) -> None:
        namespace, name = address(workload.props)
        self._by_name[namespace, kind_of(workload), name] = workload
        self._by_namespace.setdefault(namespace, []).append(workload)
        for label in labels_of(workload).items():
            self._by_label.setdefault((namespace, *label), []).append(workload)


class Selectors:
    """The label selectors of one kind of a stack, by what they ask for first.

    As with workloads, what cannot be read is raised only where nothing else is the answer.
    """

    def __init__(self, resources: Iterable[Resource], *path: str) -> None:
        self._of: dict[tuple[str, ...], list[Props]] = {}
        self._unread: list[Exception] = []
        for one in resources:
            with _kept_aside(self._unread):
                namespace, selector = address(one.props)[0], block(one.props, *path)
                first = next(iter(block(selector, "matchLabels").items()), None)
                asked = (first[0], spelt(first[1])) if first else ()
                self._of.setdefault((namespace, *asked), []).append(selector)

    def select(self, labels: Props, namespace: str) -> bool:
        """Whether one of a namespace selects pods of these labels."""
        try:
            keys = [(namespace,), *((namespace, k, spelt(v)) for k, v in labels.items())]
        except UnknownError:  # the label that is asked for may be another
            keys = [key for key in self._of if key[0] == namespace]
        if any(fits(one, labels) for key in keys for one in self._of.get(key, ())):
            return True
        _raise_first(self._unread)
        return False


@contextmanager
def _kept_aside(errors: list[Exception]) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        errors.append(error)


def _raise_first(errors: list[Exception]) -> None:
    if errors:
        raise errors[0]


def _target_of(autoscaler: Props) -> tuple[str, str, str]:
    reference = block(autoscaler, "spec", "scaleTargetRef")
    return address(autoscaler)[0], text(reference, "kind"), text(reference, "name")


def labels_of(workload: Resource) -> Props:
    """The labels of a workload's pods."""
    return block(workload.props, "spec", "template", "metadata", "labels")


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
