"""Exposure `http-load-balancer`: a share of the environment's global HTTP load balancer.

The load balancer itself is in `infra/networking`; `Route` tells it what to do for a model.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, field
from msgspec.structs import asdict, replace

from gkeplatform import routes as url_map
from gkeplatform.access import Iap
from gkeplatform.config import suggestion
from gkeplatform.contracts import (
    CanaryRoute,
    InstanceGroupBackend,
    NegBackend,
    Route,
    RouteRetries,
)
from infra.serving.exposures import served_paths
from infra.serving.exposures.base import (
    ExposureSettings,
    Protocols,
    Server,
    require_protocol,
)
from infra.serving.exposures.endpoint_groups import GroupNames
from infra.serving.exposures.retries import Retries, Seconds
from infra.serving.exposures.route_tests import RouteTestArgs
from infra.serving.exposures.settings import RouteSettings
from infra.serving.patterns import Host, NodePort, Path, RootPath, duplicate


class HttpLoadBalancer(ExposureSettings, tag_field="kind", tag="http-load-balancer"):
    """A share of the environment's global HTTP load balancer."""

    paths: Annotated[
        tuple[Path, ...],
        Meta(
            min_length=1,
            description="URL paths of this model, with everything below them and its verbs.",
        ),
    ]
    hosts: Annotated[
        tuple[Host, ...], Meta(description="Host names it answers on. Empty: every host.")
    ] = ()
    rewrites: Annotated[
        dict[Path, RootPath],
        Meta(
            description="For some of `paths`, the path on the server: `/a/v1: /v1`. `/` strips it."
        ),
    ] = field(default_factory=dict)
    protocol: Annotated[
        Protocols,
        Meta(
            description="What the pods speak: `http` (1.1), `http2` or `grpc`, both without TLS. "
            "Callers of gRPC need HTTPS; `http2` is for `server: custom`."
        ),
    ] = "http"
    retries: Annotated[
        Retries | None, Meta(description="Retries of failed requests. Default: Google's own.")
    ] = None
    iap: Annotated[
        Iap | None,
        Meta(description="Who may call, by Identity-Aware Proxy. Default: `gke-networking:iap`."),
    ] = None
    timeout_seconds: Annotated[
        Seconds | None,
        Meta(description="Timeout of a request with its retries. Default: as for all models."),
    ] = None
    backend: Annotated[
        Literal["network-endpoint-groups", "instance-groups"],
        Meta(description="Directly to the pods, or by a port of every node."),
    ] = "network-endpoint-groups"
    node_port: Annotated[
        NodePort | None,
        Meta(description="Port of every node; required by `instance-groups`, else not allowed."),
    ] = None
    tests: Annotated[
        tuple[RouteTestArgs, ...],
        Meta(description="Requests, and where the load balancer must send them."),
    ] = ()

    def __post_init__(self) -> None:
        for key in ("paths", "hosts"):
            if twice := duplicate(getattr(self, key)):
                raise ValueError(f"{key} lists {twice} twice; once is enough")
        for path in self.rewrites:
            if path not in self.paths:
                raise ValueError(
                    f"rewrites: {path} is none of paths; {suggestion(path, self.paths)}"
                )
        attempt = self.retries.attempt_seconds if self.retries else None
        if attempt is not None and self.timeout_seconds and attempt > self.timeout_seconds:
            raise ValueError(
                f"retries.attempt_seconds {attempt} exceeds timeout_seconds "
                f"{self.timeout_seconds}, in which all attempts must end"
            )
        if self.backend == "instance-groups" and self.node_port is None:
            raise ValueError("backend instance-groups needs a fixed node_port, from 30000 to 30085")
        if self.backend != "instance-groups" and self.node_port is not None:
            raise ValueError(f"node_port {self.node_port} is for backend instance-groups only")
        if self.protocol == "grpc" and self.backend == "instance-groups":
            raise ValueError(
                "protocol: grpc with backend instance-groups: health checks ask the pods' own "
                "port, which no node port leads to; set backend: network-endpoint-groups"
            )
        if self.protocol == "grpc" and self.rewrites:
            raise ValueError(
                "rewrites with protocol: grpc: gRPC clients call /package.Service/Method and add "
                "no prefix; remove rewrites, and give each model hosts of its own"
            )

    @property
    def load_balancer_hosts(self) -> tuple[str, ...]:
        """All its hosts."""
        return self.hosts

    @property
    def is_open(self) -> bool:
        """Requests by way of a node port come from any node."""
        return self.node_port is not None

    def patterns(self, server: Server) -> tuple[str, ...]:
        """For each path: itself, everything below it and its verbs."""
        return url_map.patterns(self.paths, self._verbs(server))

    def _verbs(self, server: Server) -> tuple[str, ...]:
        return () if self.protocol == "grpc" else server.verbs

    def canary(self, node_port: int | None) -> "HttpLoadBalancer":
        """The same paths and hosts; a node port cannot be shared."""
        return replace(self, node_port=node_port)

    def validate(self, server: Server, routes: RouteSettings) -> None:
        """Refuses a protocol that the server does not speak, and paths that it does not know."""
        require_protocol(server, self.protocol)
        if self.protocol == "grpc":
            served_paths.check_services(server, self.paths)
            return
        served_paths.check(server, self.paths, self.rewrites)

    def endpoint_groups(self, server: Server, names: GroupNames) -> Mapping[int, str]:
        """Groups with a name that the networking layer knows; none for instance groups."""
        if self.node_port is not None:
            return {}
        port = self._port(server)
        return {port: names.of(server, port)}

    def _port(self, server: Server) -> int:
        """The port of the pods that gets the requests."""
        found = server.grpc_port if self.protocol == "grpc" else server.rest_port
        if found is None:
            raise ValueError(f"{server.name} does not speak {self.protocol}")  # see `validate`
        return found

    def url(self, server: Server, address: str | None, routes: RouteSettings) -> str | None:
        """None: the networking layer knows the address and the domains."""
        return None

    def route_backend(
        self, server: Server, *, zones: tuple[str, ...], names: GroupNames
    ) -> NegBackend | InstanceGroupBackend:
        """Network endpoint groups in each zone, or a port of every node."""
        if self.node_port is not None:
            return InstanceGroupBackend(node_port=self.node_port)
        port = self._port(server)
        return NegBackend(name=names.of(server, port), zones=zones, port=port)

    def route(self, server: Server, *, zones: tuple[str, ...], names: GroupNames) -> Route:
        """The model's paths, hosts and traffic settings, and its canary."""
        return Route(
            hosts=self.hosts,
            paths=self.paths,
            verbs=self._verbs(server),
            protocol=self.protocol,
            takes_free_text=server.takes_free_text,
            rewrites=self.rewrites,
            retries=RouteRetries(**asdict(self.retries)) if self.retries else None,
            timeout_seconds=self.timeout_seconds,
            get_paths=() if self.protocol == "grpc" else server.get_paths,
            drain_seconds=server.drain_seconds,
            members=self.iap.members if self.iap else (),
            probe_path=server.ready_path,
            # A node port leads to the REST port itself.
            probe_port=server.rest_port if self.protocol == "grpc" else None,
            backend=self.route_backend(server, zones=zones, names=names),
            canary=canary_route(server, zones=zones, names=names),
            tests=tuple(one for test in self.tests if (one := test.published(self.hosts))),
        )


def canary_route(
    server: Server, *, zones: tuple[str, ...], names: GroupNames
) -> CanaryRoute | None:
    """The second version's share of the requests; None if there is no second version."""
    canary = server.canary
    if canary is None:
        return None
    backend = canary.exposure.route_backend(canary, zones=zones, names=names)
    if backend is None:
        return None
    return CanaryRoute(
        name=canary.name, weight=canary.weight, mirror=canary.mirror, backend=backend
    )
