"""`Selector`: the resources that a rule applies to, by Pulumi type or Kubernetes group and kind.

A selector also has a view: what the rule receives for a resource. The default is its properties;
another is the pod that it embeds (see `policies.pods`).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, Protocol

from policies.values import Props

Path = tuple[str | int, ...]
"""Location of a value in a resource's properties: mapping keys and list indexes."""


Origin = Literal["program", "manifest", "api"]
"""A Pulumi program or its state, a Kubernetes manifest, or the container API."""


class Lines(Protocol):
    """Finds the line of a property in the file that a resource was read from."""

    def line(self, path: Path = ()) -> int:
        """Return the line of a path, or of its nearest parent that the file has."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A declared resource."""

    type: str
    props: Props
    name: str = "example"
    urn: str = ""
    provider: Props = field(default_factory=dict)
    """Inputs of its provider; empty if unknown."""
    protect: bool = False
    """The Pulumi option `protect`: the engine refuses to delete or replace the resource."""
    origin: Origin = "program"
    """Where it was read. Some rules need what only a program or its state has."""
    file: str = ""
    """The file it was read from, if any."""
    line: int = 0
    """Its first line in that file."""
    lines: Lines | None = field(default=None, compare=False, repr=False)
    """The lines of its properties, if it was read from a file."""
    memo: dict[Any, Any] = field(default_factory=dict, init=False, compare=False, repr=False)
    """What views have made of the properties."""


View = Callable[[Resource], Iterable[Any]]

_KUBERNETES = re.compile(r"^kubernetes:(?P<version>[^:]+):(?P<kind>[A-Za-z0-9]+)$")


def properties_view(resource: Resource) -> Iterable[Props]:
    """Default view: the properties."""
    return (resource.props,)


def resource_view(resource: Resource) -> Iterable[Resource]:
    """View for rules that also need the resource's type, name or options."""
    return (resource,)


@dataclass(frozen=True, slots=True, eq=False)
class Selector:
    """The resources that a rule applies to. `example` is the type of the rule's examples.

    Selectors are compared by identity, because they are keys of caches.
    """

    matches: Callable[[str], bool]
    example: str
    types: tuple[str, ...]
    """The matched types, as shown on the reference page."""
    view: View = properties_view

    def __or__(self, other: "Selector") -> "Selector":
        return Selector(
            lambda type_: self.matches(type_) or other.matches(type_),
            self.example,
            self.types + other.types,
            self.view,
        )

    def with_view(self, view: View) -> "Selector":
        """Return a copy with another view."""
        return Selector(self.matches, self.example, self.types, view)


@cache
def is_selected(matches: Callable[[str], bool], type_: str) -> bool:
    """Whether a selector's `matches` is true of a type. Many rules have the same."""
    return matches(type_)


def gcp(*types: str) -> Selector:
    """Select Google Cloud resources by Pulumi type, such as `container/cluster:Cluster`."""
    tokens = tuple(f"gcp:{type_}" for type_ in types)
    return Selector(frozenset(tokens).__contains__, tokens[0], tokens)


def pattern(expression: str, *, example: str, described: str) -> Selector:
    """Select resources whose whole type matches a regular expression."""
    compiled = re.compile(expression)
    return Selector(lambda type_: compiled.fullmatch(type_) is not None, example, (described,))


@cache
def group_kind(type_: str) -> tuple[str, str] | None:
    """Return the API group and kind of a Kubernetes type. The core group is `core`."""
    match = _KUBERNETES.match(type_)
    if not match:
        return None
    group = match["version"].rpartition("/")[0]
    return group or "core", match["kind"]


def kubernetes(group: str, *kinds: str, version: str = "v1") -> Selector:
    """Select Kubernetes kinds of an API group, in any version. `version` is for the examples."""
    wanted = {(group, kind) for kind in kinds}
    return Selector(
        lambda type_: group_kind(type_) in wanted,
        f"kubernetes:{group}/{version}:{kinds[0]}",
        tuple(f"kubernetes:{group}/*:{kind}" for kind in kinds),
    )
