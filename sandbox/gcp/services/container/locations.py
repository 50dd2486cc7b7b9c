"""`Place`: a location in a project, and its paths and links.

Paths have `zones/` for zonal and `locations/` for regional clusters, regardless of the request.
Links of operations have the project's number, all others its id.
"""

from __future__ import annotations

from dataclasses import dataclass

from facts.zones import is_zone, region_of

_HOST = "https://container.googleapis.com"


@dataclass(frozen=True, slots=True)
class Place:
    """A location in a project."""

    project: str
    location: str

    @property
    def region(self) -> str:
        """The region of the location."""
        return region_of(self.location)

    def path(self, project: str = "") -> str:
        """Return projects/P/zones/Z or projects/P/locations/R."""
        kind = "zones" if is_zone(self.location) else "locations"
        return f"projects/{project or self.project}/{kind}/{self.location}"

    def cluster(self, name: str) -> str:
        """Return the path of a cluster."""
        return f"{self.path()}/clusters/{name}"

    def link(self, version: str, *rest: str, project: str = "") -> str:
        """Return the URL of a resource in this location, in an API version."""
        return "/".join((_HOST, version, self.path(project), *rest))
