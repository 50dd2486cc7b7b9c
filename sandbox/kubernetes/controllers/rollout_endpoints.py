"""Keeps endpoints of a former ReplicaSet until the load balancer has found the new ones healthy.

GKE holds a new pod unready until then (the readiness gate
`cloud.google.com/load-balancer-neg-ready`), so that a rollout ends no pod before. Pods of the
sandbox are ready at once; therefore the former endpoints stay attached for as long as a health
check takes. A pod that is evicted, or crashes, has no such delay: its successor is of the same
ReplicaSet.

https://cloud.google.com/kubernetes-engine/docs/concepts/container-native-load-balancing#pod_readiness
"""

from __future__ import annotations

from collections.abc import Mapping

Endpoint = tuple[str, str, int]
"""Node, address and port."""
SECONDS = 3.0
"""How long the sandbox's load balancer takes at most until it sends requests to a new endpoint."""


class RolloutEndpoints:
    """The endpoints of one port of a Service, over time."""

    def __init__(self) -> None:
        self._known: dict[Endpoint, tuple[str, float]] | None = None
        """ReplicaSet, and the time at which it was first seen."""

    def kept(self, pods: Mapping[Endpoint, str], now: float) -> set[Endpoint]:
        """Endpoints that are gone and stay for now. `pods` are the names of the ready ones' pods.

        Ask again after `SECONDS`. What is there at the first call counts as there for long.
        """
        first = self._known is None
        before = self._known or {}
        current = {
            endpoint: (
                pod.rpartition("-")[0],
                float("-inf") if first else before.get(endpoint, ("", now))[1],
            )
            for endpoint, pod in pods.items()
        }
        # An address that another ReplicaSet has taken over is a new endpoint.
        for endpoint, (replica_set, _) in list(current.items()):
            if endpoint in before and before[endpoint][0] != replica_set:
                current[endpoint] = (replica_set, now)
        fresh = {one for one, since in current.values() if now - since < SECONDS}
        gone = {
            endpoint: known
            for endpoint, known in before.items()
            if endpoint not in current and fresh - {known[0]}
        }
        self._known = current | gone
        return set(gone)
