"""References between Kubernetes objects: by namespace and name, and by label selector."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from policies import kinds
from policies.rule import Stack
from policies.subjects import Resource, group_kind, kubernetes, pattern
from policies.values import (
    MalformedInputError,
    Props,
    UnknownError,
    block,
    comparable_text,
    entries,
    number,
    text,
    texts,
)

WORKLOADS = (
    kubernetes("apps", "Deployment", "StatefulSet", "ReplicaSet")
    | kubernetes("core", "ReplicationController")
    | kubernetes("argoproj.io", "Rollout", version="v1alpha1")
    | kubernetes("apps.kruise.io", "CloneSet", "StatefulSet", version="v1alpha1")
    | kubernetes("leaderworkerset.x-k8s.io", "LeaderWorkerSet")
)
"""Kinds that an autoscaler scales and a disruption budget counts."""

AUTOSCALERS = kubernetes("autoscaling", "HorizontalPodAutoscaler", version="v2")


def namespace_and_name(props: Props) -> tuple[str, str]:
    """Return an object's namespace (`default` if unset) and name."""
    metadata = props.get("metadata")
    if type(metadata) is dict:  # the common case, at a third of the price
        namespace, name = metadata.get("namespace"), metadata.get("name")
        if type(name) is str and (namespace is None or type(namespace) is str):
            return namespace or "default", name
    return text(props, "metadata", "namespace") or "default", text(props, "metadata", "name")


def kind_of(resource: Resource) -> str:
    """Return the kind of a Kubernetes resource."""
    return resource.type.rpartition(":")[2]


def is_same_object(one: Resource, other: Resource) -> bool:
    """Whether two resources are the same object, or versions of it, as overlays have."""
    if one is other:
        return True
    name = namespace_and_name(one.props)
    return bool(name[1]) and one.type == other.type and name == namespace_and_name(other.props)


_KUBERNETES = pattern(
    r"kubernetes:[^:]+:\w+", example="kubernetes:core/v1:Pod", described="kubernetes"
)


@cache
def _kind(type_: str) -> tuple[str, bool]:
    """Return the kind of a type, and whether it is a custom one."""
    group, kind = group_kind(type_) or ("", type_.rpartition(":")[2])
    return kind, "." in group and group not in kinds.BUILT_IN


class Objects:
    """The declared Kubernetes objects by namespace, kind and name.

    Errors are deferred as in `Workloads`.
    """

    def __init__(self, stack: Stack) -> None:
        self._found: set[tuple[str, str, str]] = set()
        self._custom: set[tuple[str, str]] = set()
        self._unreadable: list[Exception] = []
        for one in stack.of(_KUBERNETES):
            try:
                namespace, name = namespace_and_name(one.props)
            except Exception as error:
                self._unreadable.append(error)
                continue
            kind, is_custom = _kind(one.type)
            self._found.add((namespace, kind, name))
            if is_custom:
                self._custom.add((namespace, name))

    def has(self, namespace: str, kind: str, name: str) -> bool:
        """Whether the stack declares the object."""
        if (namespace, kind, name) in self._found:
            return True
        raise_first(self._unreadable)
        return False

    def may_own(self, selector: Props, namespace: str) -> bool:
        """Whether an operator may make the selected pods: a label has a custom object's name."""
        for value in block(selector, "matchLabels").values():
            if (namespace, comparable_text(value)) in self._custom:
                return True
        return False


class Workloads:
    """Index of a stack's workloads by name and label, with their autoscalers.

    Errors while reading an object (an unknown name, a malformed property) are remembered. A lookup
    without a match raises the first of them, because that object may be the match.
    """

    def __init__(self, stack: Stack) -> None:
        self._by_name: dict[tuple[str, str, str], Resource] = {}
        self._by_label: dict[tuple[str, str, Any], list[tuple[Resource, Props]]] = {}
        self._by_namespace: dict[str, list[tuple[Resource, Props]]] = {}
        self._autoscalers: dict[int, Props] = {}
        self._targets: dict[int, Resource] = {}
        self._least: dict[int, int | None] = {}
        self._unreadable: list[Exception] = []
        self._unreadable_autoscalers: list[Exception] = []
        for workload in stack.of(WORKLOADS):
            try:
                self._add(workload)
            except Exception as error:
                self._unreadable.append(error)
        for autoscaler in stack.of(AUTOSCALERS):
            with deferring_errors(self._unreadable_autoscalers):
                scaled = self._by_name.get(_scale_target_key(autoscaler.props))
                if scaled is not None:
                    self._autoscalers[id(scaled)] = autoscaler.props
                    self._targets[id(autoscaler.props)] = scaled

    def scale_target(self, autoscaler: Props) -> Resource | None:
        """Return the workload that an autoscaler scales, if the stack declares it."""
        found = self._targets.get(id(autoscaler))  # of those in the index, for several rules
        if found is None:
            found = self._by_name.get(_scale_target_key(autoscaler))
        if found is None:
            raise_first(self._unreadable)
        return found

    def selected_by(self, selector: Props, namespace: str) -> list[Resource]:
        """Return the workloads of a namespace whose pods a label selector matches."""
        wanted = next(iter(block(selector, "matchLabels").items()), None)
        candidates = (
            self._by_label.get((namespace, *wanted), [])
            if wanted
            else self._by_namespace.get(namespace, [])
        )
        found = [one for one, labels in candidates if selector_matches(selector, labels)]
        if not found:
            raise_first(self._unreadable)
        return found

    def min_replicas(self, workload: Resource) -> int:
        """Return a workload's minimum replicas: its autoscaler's `minReplicas`, or `replicas`."""
        found = self._least.get(id(workload))
        if found is None:
            found = self._min_replicas(workload)
            if id(workload) in self._least:  # not a copy, which may be gone before its id is
                self._least[id(workload)] = found
        return found

    def _min_replicas(self, workload: Resource) -> int:
        autoscaler = self._autoscalers.get(id(workload))
        if autoscaler is None:
            raise_first(self._unreadable_autoscalers)
            least = number(workload.props, "spec", "replicas")
        else:
            least = number(autoscaler, "spec", "minReplicas")
        return 1 if least is None else int(least)

    def _add(self, workload: Resource) -> None:
        namespace, name = namespace_and_name(workload.props)
        self._by_name[namespace, kind_of(workload), name] = workload
        self._least[id(workload)] = None
        labels = _own_labels(workload)
        labelled = (workload, labels)
        self._by_namespace.setdefault(namespace, []).append(labelled)
        for label in labels.items():
            self._by_label.setdefault((namespace, *label), []).append(labelled)


class Selectors:
    """Index of the label selectors of one kind by their first label.

    Errors are deferred as in `Workloads`.
    """

    def __init__(
        self,
        resources: Iterable[Resource],
        *path: str,
        where: Callable[[Props], bool] | None = None,
    ) -> None:
        """Read the selectors at `path` of the resources that satisfy `where`."""
        self._of: dict[tuple[str, ...], list[Props]] = {}
        self._unreadable: list[Exception] = []
        for one in resources:
            try:
                if where is None or where(one.props):
                    self._add(one.props, block(one.props, *path))
            except Exception as error:
                self._unreadable.append(error)

    def _add(self, props: Props, selector: Props) -> None:
        first = next(iter(block(selector, "matchLabels").items()), None)
        label = (first[0], comparable_text(first[1])) if first else ()
        self._of.setdefault((namespace_and_name(props)[0], *label), []).append(selector)

    def select(self, labels: Props, namespace: str) -> bool:
        """Whether a selector of the namespace matches pods with these labels."""
        keys: list[tuple[str, ...]] = [(namespace,)]
        try:
            for label, value in labels.items():
                keys.append((namespace, label, comparable_text(value)))
        except UnknownError:  # a label is unknown: try every selector of the namespace
            keys = [key for key in self._of if key[0] == namespace]
        for where in keys:
            for one in self._of.get(where, ()):
                if selector_matches(one, labels):
                    return True
        raise_first(self._unreadable)
        return False


@contextmanager
def deferring_errors(errors: list[Exception]) -> Iterator[None]:
    """Add an error of the block to the list instead of raising it."""
    try:
        yield
    except Exception as error:
        errors.append(error)


def raise_first(errors: list[Exception]) -> None:
    """Raise the first of the deferred errors, if any."""
    if errors:
        raise errors[0]


def _scale_target_key(autoscaler: Props) -> tuple[str, str, str]:
    reference = block(autoscaler, "spec", "scaleTargetRef")
    return namespace_and_name(autoscaler)[0], text(reference, "kind"), text(reference, "name")


def _own_labels(workload: Resource) -> Props:
    """Return the labels of a workload's pods; without a template, those that it selects."""
    spec = block(workload.props, "spec")
    if "template" in spec or "leaderWorkerTemplate" in spec:
        return labels_of(workload)
    return block(spec, "selector", "matchLabels")


def template_of(workload: Resource) -> Props:
    """Return the template of a workload's pods; of groups that of the leaders."""
    return next(templates_of(workload))


def templates_of(workload: Resource) -> Iterator[Props]:
    """Yield the templates of a workload's pods: one, or those of leaders and of workers."""
    group = block(workload.props, "spec", "leaderWorkerTemplate")
    if not group:
        yield block(workload.props, "spec", "template")
        return
    if block(group, "leaderTemplate"):
        yield block(group, "leaderTemplate")
    yield block(group, "workerTemplate")


def labels_of(workload: Resource) -> Props:
    """Return the labels of a workload's pods; of groups those of the leaders."""
    return block(template_of(workload), "metadata", "labels")


def selector_matches(selector: Props, labels: Props) -> bool:
    """Whether labels satisfy a label selector. An empty selector matches all."""
    for key, value in block(selector, "matchLabels").items():
        if labels.get(key) != value:
            return False
    for expression in entries(selector, "matchExpressions"):
        if not _satisfies(labels, expression):
            return False
    return True


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
            raise MalformedInputError(f"matchExpressions.operator {other!r} is not valid")


def scaled_value(value: object, replicas: int) -> int:
    """Resolve a count or percentage of replicas, rounded up like the disruption controller."""
    if isinstance(value, str) and value.endswith("%"):
        try:
            return math.ceil(float(value.removesuffix("%")) * replicas / 100)
        except ValueError:
            raise MalformedInputError(f"{value!r} is not a percentage") from None
    if isinstance(value, bool) or not isinstance(value, int):
        raise MalformedInputError(f"{value!r} is neither a count nor a percentage")
    return value
