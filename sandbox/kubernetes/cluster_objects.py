"""The objects of a running cluster that decide where requests to its Services go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox.kubernetes.specs import ClusterKey

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterObjects:
    """What the informers of a cluster's controllers hold at one moment. Change none of it."""

    cluster: ClusterKey
    services: list[Json]
    slices: list[Json]
    """EndpointSlices."""
    nodes: list[Json]
    ingresses: list[Json]
    classes: list[Json]
    """IngressClasses."""
    deployments: list[Json]
    certificates: list[Json] = field(default_factory=list)
    """Secrets of the type kubernetes.io/tls."""
