"""The parts of a compute resource's path: project, scope, collection and name."""

from __future__ import annotations

import re
from dataclasses import dataclass

PREFIX = "https://www.googleapis.com/compute/v1/"
_PATH = re.compile(
    r"projects/(?P<project>[^/]+)/(?P<scope>global|regions/[^/]+|zones/[^/]+)"
    r"/(?P<collection>[A-Za-z]+)(?:/(?P<name>[^/]+))?"
)
_FULL = re.compile(
    r"https://(?:www|compute)\.googleapis\.com/compute/(?P<version>v1|beta|alpha)/(?P<path>.+)"
)
_PARTIAL = re.compile(r"(?:global|(?:regions|zones)/[^/]+)/[A-Za-z]+/[^/]+")


@dataclass(frozen=True, slots=True)
class Place:
    """`projects/{project}/{scope}/{collection}/{name}`."""

    project: str
    scope: str
    """`global`, `regions/r` or `zones/z`."""
    collection: str
    name: str

    @property
    def path(self) -> str:
        """The path below the API's version."""
        return f"projects/{self.project}/{self.scope}/{self.collection}/{self.name}"

    @property
    def key(self) -> str:
        """The store's key."""
        return f"compute/{self.path}"

    @property
    def link(self) -> str:
        """The self link."""
        return PREFIX + self.path

    @property
    def region(self) -> str | None:
        """The region's name, for a regional resource."""
        kind, _, name = self.scope.partition("/")
        return name if kind == "regions" else None

    @property
    def zone(self) -> str | None:
        """The zone's name, for a zonal resource."""
        kind, _, name = self.scope.partition("/")
        return name if kind == "zones" else None


def parse(path: str) -> Place | None:
    """Parse a path; `name` is empty for a collection. None for other paths."""
    found = _PATH.match(path)
    if found is None:
        return None
    return Place(found["project"], found["scope"], found["collection"], found["name"] or "")


def of_reference(reference: str, project: str) -> Place | None:
    """The resource that a self link, a `projects/…` path or a partial URL refers to."""
    full = _FULL.fullmatch(reference)
    path = full["path"] if full else reference
    if _PARTIAL.fullmatch(path):
        path = f"projects/{project}/{path}"
    found = _PATH.fullmatch(path)
    return parse(path) if found and found["name"] else None


def expand(reference: str, project: str) -> str:
    """The full URL of a reference, in the version that it has; other text is returned unchanged."""
    full = _FULL.fullmatch(reference)
    if full:
        return f"https://www.googleapis.com/compute/{full['version']}/{full['path']}"
    place = of_reference(reference, project)
    return place.link if place else reference
