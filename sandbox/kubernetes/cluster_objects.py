"""The objects of a running cluster that decide where requests to its Services go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox.kubernetes.specs import ClusterKey

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Callout:
    """A program that the load balancer asks about each request, by Envoy's `ext_proc`."""

    resource: str
    """Path of the backend service or URL map whose requests it is asked about, `projects/…`."""
    port: int
    """Its port on 127.0.0.1; one where nobody listens while it does not run."""
    fails_open: bool
    """Whether requests pass while it does not answer."""
    hosts: str = ""
    """A pattern of the hosts whose requests it is asked about; empty: all."""


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
    pickers: list[Callout] = field(default_factory=list)
    """Endpoint pickers of InferencePools."""
    routers: list[Callout] = field(default_factory=list)
    """Body-based routers of Gateways."""
