"""Network endpoint groups (NEGs): their names, and how a Service asks for them.

GKE writes the cluster, namespace, Service and port into a group's description and refuses a group
of that name with another description, for as long as a backend service keeps it from being deleted.
So a name holds a digest of what the description holds, and the name of a group that the load
balancer uses stays as it is.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from gkeplatform.contracts import NegBackend, NetworkingContract, RoutedVersion
from gkeplatform.naming import MAX_LENGTH, Naming
from infra.serving.exposures.base import Server

NEG = "cloud.google.com/neg"
"""Annotation by which GKE keeps network endpoint groups for a Service."""
TAKE_OVER = "pulumi.com/patchForce"
"""Annotation by which the Kubernetes provider takes over fields that another client has set."""
_GROUPS = "/networkEndpointGroups/"
_DIGITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupNames:
    """Names the groups of one environment."""

    naming: Naming
    cluster: str
    """Generation of the cluster."""
    live: Mapping[str, RoutedVersion] = field(default_factory=dict)
    """What the load balancer sends requests to, by version of a model."""

    def of(self, server: Server, port: int) -> str:
        """The name of the groups of a port of a version, the same in each zone."""
        live = self.live.get(server.name)
        group = live.backend if live and self.is_here(live, server) else None
        # No port: deployed by a program that named groups by the model alone.
        if isinstance(group, NegBackend) and group.port in (port, 0):
            return group.name
        described = f"{self.cluster}/{server.namespace}/{server.name}/{port}"
        digest = hashlib.sha256(described.encode()).hexdigest()[:_DIGITS]
        head = self.naming.of(server.name)[: MAX_LENGTH - _DIGITS - 1].rstrip("-")
        return f"{head}-{digest}"

    def is_here(self, live: RoutedVersion, server: Server) -> bool:
        """Whether the load balancer's version is in the server's namespace and cluster."""
        return live.namespace == server.namespace and live.cluster in ("", self.cluster)


def live_versions(
    networking: NetworkingContract | None, naming: Naming
) -> dict[str, RoutedVersion]:
    """What the load balancer sends requests to, from what networking published last."""
    found: dict[str, RoutedVersion] = {}
    for model in networking.models if networking else ():
        versions = model.versions or _named_by_model(model.namespace, model.groups, naming)
        found |= {version.name: version for version in versions}
    return found


def _named_by_model(
    namespace: str, groups: tuple[str, ...], naming: Naming
) -> tuple[RoutedVersion, ...]:
    """The versions behind groups whose names a former program made of the version's name."""
    prefix = naming.prefix
    names = sorted({link.partition(_GROUPS)[2] for link in groups} - {""})
    return tuple(
        RoutedVersion(
            name=name.removeprefix(prefix),
            namespace=namespace,
            backend=NegBackend(name=name, zones=(), port=0),
        )
        for name in names
    )


def annotations(groups: Mapping[int, str]) -> dict[str, str]:
    """Annotations of a Service that make GKE keep `groups`, by port of the Service.

    GKE's Gateway controller writes the same annotation for a Service with a route, and Kubernetes
    would keep it from being changed after the route is gone: the provider takes it over.
    """
    if not groups:
        return {}
    ports = {str(port): {"name": name} for port, name in sorted(groups.items())}
    return {NEG: json.dumps({"exposed_ports": ports}), TAKE_OVER: "true"}
