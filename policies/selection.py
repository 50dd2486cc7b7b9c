"""Pods in their namespaces, and which of them a label selector selects."""

from collections.abc import Iterable
from dataclasses import dataclass

from policies.objects import address, fits
from policies.pods import PODS, Pod, pods
from policies.rule import Stack
from policies.subjects import Resource, Selector
from policies.values import Props, block, spelt


@dataclass(frozen=True, slots=True)
class Selectable:
    """A pod, or the template of many, in its namespace."""

    resource: Resource
    namespace: str
    labels: Props
    pod: Pod


def placed(resource: Resource) -> Iterable[Selectable]:
    """The view of a resource as the pod that it embeds, and where that is."""
    namespace = address(resource.props)[0]
    for pod in pods(resource):
        yield Selectable(resource, namespace, block(pod.metadata, "labels"), pod)


PLACED = Selector(PODS.matches, "kubernetes:apps/v1:Deployment", PODS.types, placed)
"""Every kind that embeds a pod, for rules that need its namespace or its owner."""


class Pods:
    """The declared pods by namespace and label.

    What cannot be read is kept aside: a look-up that finds nothing else raises it.
    """

    def __init__(self, stack: Stack) -> None:
        self.all: list[Selectable] = []
        self._by_label: dict[tuple[str, str, str], list[Selectable]] = {}
        self._by_namespace: dict[str, list[Selectable]] = {}
        self._unread: Exception | None = None
        for resource in stack.of(PODS):
            try:
                for one in placed(resource):
                    self._add(one)
            except Exception as error:
                self._unread = self._unread or error

    def selected(self, labels: Props, namespace: str) -> list[Selectable]:
        """The pods of a namespace that bear all of the labels, as a Service selects."""
        return self.matching({"matchLabels": labels}, namespace)

    def matching(self, selector: Props, namespace: str) -> list[Selectable]:
        """The pods of a namespace that a label selector selects; an empty one selects all."""
        first = next(iter(block(selector, "matchLabels").items()), None)
        candidates = (
            self._by_label.get((namespace, first[0], spelt(first[1])), [])
            if first
            else self._by_namespace.get(namespace, [])
        )
        found = [one for one in candidates if fits(selector, one.labels)]
        if not found and self._unread is not None:
            raise self._unread
        return found

    def _add(self, one: Selectable) -> None:
        self.all.append(one)
        self._by_namespace.setdefault(one.namespace, []).append(one)
        for key, value in one.labels.items():
            self._by_label.setdefault((one.namespace, key, spelt(value)), []).append(one)
