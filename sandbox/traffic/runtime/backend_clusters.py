"""The clusters that Envoy has in the midst of a change: some come before it, some go after it.

Envoy answers 503 where a route leads to a cluster that it has not yet, or no more. So a new cluster
is there before its first route, and a former one stays for a while after its last: requests that
chose it may still be on their way to it. Google's load balancer loses none of them either.
https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#eventual-consistency-considerations
"""

from __future__ import annotations

import time

from sandbox.gcp.store import Json

STAYS = 5.0
"""Seconds that a cluster stays without a route: a request waits for less before it is sent."""


class BackendClusters:
    """The clusters of the last configuration, and those that have left it."""

    def __init__(self) -> None:
        self._present: dict[str, Json] = {}
        self._leaving: dict[str, tuple[float, Json]] = {}
        """The time at which it goes, and the cluster, by name."""

    def added(self, content: Json) -> bool:
        """Whether a configuration has clusters that Envoy has not."""
        return not _by_name(content).keys() <= self._present.keys() | self._leaving.keys()

    def ahead(self, content: Json) -> Json:
        """Those of a configuration, and all that Envoy has."""
        leaving = {name: body for name, (_, body) in self._leaving.items()}
        return _content(content, leaving | self._present | _by_name(content))

    def follow(self, content: Json) -> Json:
        """Take over a configuration: its clusters, and those that stay for a while."""
        now, coming = time.monotonic(), _by_name(content)
        left = {name: (now + STAYS, body) for name, body in self._present.items()}
        self._leaving = {
            name: (until, body)
            for name, (until, body) in (left | self._leaving).items()
            if name not in coming and until > now
        }
        self._present = coming
        return _content(content, {name: body for name, (_, body) in self._leaving.items()} | coming)

    def due(self) -> float | None:
        """Seconds until the next one goes; None where none does."""
        if not self._leaving:
            return None
        return max(0.0, min(until for until, _ in self._leaving.values()) - time.monotonic())


def _by_name(content: Json) -> dict[str, Json]:
    return {str(one["name"]): one for one in content["resources"]}


def _content(content: Json, clusters: dict[str, Json]) -> Json:
    return {**content, "resources": list(clusters.values())}
