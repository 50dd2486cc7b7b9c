"""Index of declared pods by namespace and label."""

from collections.abc import Iterable
from dataclasses import dataclass

from policies.objects import (
    namespace_and_name,
    raise_first,
    selector_matches,
)
from policies.pods import LONG_RUNNING_PODS, PODS, Pod, pods
from policies.rule import Stack
from policies.subjects import Resource, Selector
from policies.values import Props, block, comparable_text


@dataclass(frozen=True, slots=True)
class NamespacedPod:
    """A pod or pod template, with its namespace and the resource that contains it."""

    resource: Resource
    namespace: str
    labels: Props
    pod: Pod


def namespaced_pods(resource: Resource) -> Iterable[NamespacedPod]:
    """View a resource as the pods that it embeds, with their namespace."""
    if type(resource.props) is not dict:
        return list(_namespaced_pods(resource))  # each rule's reads are recorded
    found: list[NamespacedPod] | None = resource.memo.get(namespaced_pods)
    if found is None:  # once for rules and for indexes
        found = resource.memo[namespaced_pods] = list(_namespaced_pods(resource))
    return found


def _namespaced_pods(resource: Resource) -> Iterable[NamespacedPod]:
    namespace = namespace_and_name(resource.props)[0]
    for pod in pods(resource):
        yield NamespacedPod(resource, namespace, block(pod.metadata, "labels"), pod)


NAMESPACED_PODS = Selector(
    PODS.matches, "kubernetes:apps/v1:Deployment", PODS.types, namespaced_pods
)
"""Every kind that embeds a pod, for rules that need its namespace or its resource."""


def namespaced_servers(resource: Resource) -> Iterable[NamespacedPod]:
    """View a resource as its pods that run until they are stopped, with their namespace."""
    namespace = namespace_and_name(resource.props)[0]
    for pod in LONG_RUNNING_PODS.view(resource):
        yield NamespacedPod(resource, namespace, block(pod.metadata, "labels"), pod)


class Pods:
    """The declared pods by namespace and label.

    Errors are deferred as in `Workloads`.
    """

    def __init__(self, stack: Stack) -> None:
        self.all: list[NamespacedPod] = []
        self._by_label: dict[tuple[str, str, str], list[NamespacedPod]] = {}
        self._by_namespace: dict[str, list[NamespacedPod]] = {}
        self._unreadable: list[Exception] = []
        for resource in stack.of(PODS):
            try:
                for one in namespaced_pods(resource):
                    self._add(one)
            except Exception as error:
                self._unreadable.append(error)

    def selected(self, labels: Props, namespace: str) -> list[NamespacedPod]:
        """Return the pods of a namespace that have all of the labels (Service semantics)."""
        return self.matching({"matchLabels": labels}, namespace)

    def matching(self, selector: Props, namespace: str) -> list[NamespacedPod]:
        """Return the pods that a label selector matches. An empty selector matches all."""
        first = next(iter(block(selector, "matchLabels").items()), None)
        candidates = (
            self._by_label.get((namespace, first[0], comparable_text(first[1])), [])
            if first
            else self._by_namespace.get(namespace, [])
        )
        found = [one for one in candidates if selector_matches(selector, one.labels)]
        if not found:
            raise_first(self._unreadable)
        return found

    def _add(self, one: NamespacedPod) -> None:
        self.all.append(one)
        self._by_namespace.setdefault(one.namespace, []).append(one)
        for key, value in one.labels.items():
            self._by_label.setdefault((one.namespace, key, comparable_text(value)), []).append(one)
