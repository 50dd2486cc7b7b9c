"""`JudgedResource`: a resource with what the rules' views have made of it, once for all rules."""

from collections.abc import Iterator
from typing import Any

from policies.reads import Reads
from policies.subjects import Resource, View, properties_view, resource_view


class JudgedResource:
    """A resource and its views."""

    __slots__ = ("_reads", "_traced", "resource", "views")

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.views: dict[View, list[Any]] = {}
        """What `viewed` has returned so far."""
        self._reads: Reads | None = None
        self._traced: JudgedResource | None = None

    def viewed(self, view: View) -> list[Any]:
        """Return the resource in a view. Rules of the same view share the result."""
        if view is properties_view:
            return [self.resource.props]
        if view is resource_view:
            return [self.resource]
        found = self.views.get(view)
        if found is None:
            found = self.views[view] = list(view(self.resource))
        return found

    def reading(self) -> "tuple[Reads, JudgedResource]":
        """Return a record of reads, and a copy of the resource that is recorded there."""
        if self._reads is None or self._traced is None:
            self._reads = Reads(self.resource)
            self._traced = JudgedResource(self._reads.resource)
        return self._reads, self._traced


class UnreadableView:
    """The subjects of a view that fails on a resource: each rule meets the error anew."""

    __slots__ = ("_resource", "_view")

    def __init__(self, resource: JudgedResource, view: View) -> None:
        self._resource = resource
        self._view = view

    def __iter__(self) -> Iterator[Any]:
        return iter(self._resource.viewed(self._view))
