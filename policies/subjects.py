"""Which resources a rule is about: Pulumi types of Google Cloud, groups and kinds of Kubernetes.

A selector also says how a rule sees the resource: as its properties, or as another view of them
(a pod, whichever kind embeds it; see `policies.pods`).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from policies.values import Props

Path = tuple[str | int, ...]
"""Where a value stands in a resource's properties: keys, and positions in lists."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A declared resource as a rule sees it."""

    type: str
    props: Props
    name: str = "example"
    urn: str = ""
    provider: Props = field(default_factory=dict)
    """The inputs of its provider, where the engine tells them."""
    protect: bool = False
    """Whether the engine refuses to delete or replace it."""
    file: str = ""
    """Where it is declared, for what was read from a file."""
    line: int = 0


View = Callable[[Resource], Iterable[Any]]

_KUBERNETES = re.compile(r"^kubernetes:(?P<version>[^:]+):(?P<kind>[A-Za-z0-9]+)$")


def as_they_are(resource: Resource) -> Iterable[Props]:
    """The view of most rules: the properties themselves."""
    return (resource.props,)


def whole(resource: Resource) -> Iterable[Resource]:
    """The view of rules that need a resource's type, name or options beside its properties."""
    return (resource,)


@dataclass(frozen=True, slots=True)
class Selector:
    """The resources a rule is about. `example` is the type that its examples are given as."""

    matches: Callable[[str], bool]
    example: str
    types: tuple[str, ...]
    """What it matches, in the words of the reference page."""
    view: View = as_they_are

    def __or__(self, other: "Selector") -> "Selector":
        return Selector(
            lambda type_: self.matches(type_) or other.matches(type_),
            self.example,
            self.types + other.types,
            self.view,
        )

    def seen_as(self, view: View) -> "Selector":
        """The same resources, in another view."""
        return Selector(self.matches, self.example, self.types, view)


def gcp(*types: str) -> Selector:
    """Google Cloud resources by their Pulumi types, such as `container/cluster:Cluster`."""
    tokens = tuple(f"gcp:{type_}" for type_ in types)
    return Selector(frozenset(tokens).__contains__, tokens[0], tokens)


def pattern(expression: str, *, example: str, described: str) -> Selector:
    """Resources whose type fits a regular expression, in full."""
    compiled = re.compile(expression)
    return Selector(lambda type_: compiled.fullmatch(type_) is not None, example, (described,))


@cache
def group_kind(type_: str) -> tuple[str, str] | None:
    """The API group and kind of a Kubernetes type; the core group is `core`."""
    match = _KUBERNETES.match(type_)
    if not match:
        return None
    group = match["version"].rpartition("/")[0]
    return group or "core", match["kind"]


def kubernetes(group: str, *kinds: str, version: str = "v1") -> Selector:
    """Kubernetes kinds of one API group, in any version; `version` is the examples'."""
    wanted = {(group, kind) for kind in kinds}
    return Selector(
        lambda type_: group_kind(type_) in wanted,
        f"kubernetes:{group}/{version}:{kinds[0]}",
        tuple(f"kubernetes:{group}/*:{kind}" for kind in kinds),
    )
