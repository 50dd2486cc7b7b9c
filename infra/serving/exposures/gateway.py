"""Exposure `gateway`: a path of the environment's Gateway, and GKE's policies on the Service.

GKE turns them into a global Application Load Balancer. Sources:
https://gateway-api.sigs.k8s.io/reference/spec/,
https://cloud.google.com/kubernetes-engine/docs/how-to/configure-gateway-resources, and what GKE
supports of the Gateway API, in its own conformance reports:
https://github.com/kubernetes-sigs/gateway-api/tree/main/conformance/reports.
"""

from typing import Annotated, Any, Protocol

from msgspec import Meta, field

from gkeplatform.access import Iap
from infra.serving.exposures import served_paths
from infra.serving.exposures.base import ExposureSettings, Server, require_rest_port
from infra.serving.exposures.gateway_manifests import HTTP, HTTPS, parent
from infra.serving.exposures.path_route import PathRoute
from infra.serving.exposures.settings import GatewayArgs, RouteSettings
from infra.serving.manifest import Manifest
from infra.serving.patterns import ResourceName, RootPath

_MILLION = 1_000_000
WHOLE = 100
"""Percent of the requests."""


Header = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,256}$")]
HeaderValue = Annotated[str, Meta(min_length=1, max_length=4096)]


class GatewayBackend(Protocol):
    """Settings of a Service behind the Gateway."""

    @property
    def is_behind_iap(self) -> bool:
        """Whether callers sign in to Identity-Aware Proxy."""

    @property
    def timeout_seconds(self) -> int | None:
        """Timeout of a response."""

    @property
    def security_policy(self) -> str | None:
        """Name of its Cloud Armor policy."""


class GatewayCanary(ExposureSettings, tag_field="kind", tag="gateway"):
    """The second version of a model on the Gateway: the model's route leads to its Service."""

    timeout_seconds: int | None = None
    security_policy: str | None = None
    is_behind_iap: bool = False

    @property
    def needs_gateway_api(self) -> bool:
        """Its policies are GKE's."""
        return True

    @property
    def keeps_endpoint_groups(self) -> bool:
        """GKE's Gateway asks for the groups of this Service."""
        return False


class Gateway(PathRoute, tag_field="kind", tag="gateway"):
    """A path of the environment's Gateway, which GKE runs as a global load balancer."""

    headers: Annotated[
        dict[Header, HeaderValue],
        Meta(description="Only requests with these headers, such as `X-Model: next`."),
    ] = field(default_factory=dict)
    security_policy: Annotated[
        ResourceName | None,
        Meta(description="Name of its Cloud Armor policy. Default: `gateway.security_policy`."),
    ] = None
    rewrite: Annotated[
        RootPath,
        Meta(description="Path on the server in place of `path`: `/v1`. `/` strips it."),
    ] = "/"
    iap: Annotated[
        Iap | None,
        Meta(description="Who may call, by Identity-Aware Proxy; needs `hosts`. Default: anyone."),
    ] = None
    require_iap: Annotated[
        bool,
        Meta(
            description="Identity-Aware Proxy without grants: callers need "
            "roles/iap.httpsResourceAccessor from elsewhere."
        ),
    ] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.iap and not self.hosts:
            raise ValueError(
                "iap needs hosts: its members are admitted by host and path, since GKE names the "
                "backend service; set hosts, or require_iap and grant the role yourself"
            )

    @property
    def server_path(self) -> str:
        """The path on the server that `path` leads to."""
        return self.rewrite

    @property
    def is_behind_iap(self) -> bool:
        """Whether callers sign in to Identity-Aware Proxy."""
        return self.require_iap or self.iap is not None

    @property
    def route_keys(self) -> tuple[tuple[str, str, str], ...]:
        """Routes with the same path may differ by their headers."""
        headers = "".join(f" {name}: {value}" for name, value in sorted(self.headers.items()))
        return tuple((kind, path + headers, host) for kind, path, host in super().route_keys)

    def canary(self, node_port: int | None) -> GatewayCanary:
        """The same settings of the backend, without a route of its own."""
        if node_port is not None:
            raise ValueError("node_port is for backend instance-groups only; remove it")
        return GatewayCanary(
            timeout_seconds=self.timeout_seconds,
            security_policy=self.security_policy,
            is_behind_iap=self.is_behind_iap,
        )

    @property
    def needs_gateway_api(self) -> bool:
        """The route is an HTTPRoute."""
        return True

    @property
    def keeps_endpoint_groups(self) -> bool:
        """GKE's Gateway asks for the groups of the Service."""
        return False

    def is_encrypted(self, routes: RouteSettings) -> bool:
        """Whether the Gateway has certificates."""
        return bool(routes.gateway.certificate_map)

    def validate(self, server: Server, routes: RouteSettings) -> None:
        """Refuses a server without HTTP, an unknown path of it, and what GKE would not do."""
        require_rest_port(server, self.kind)
        if self.rewrite != "/":
            served_paths.check_rewrite(server, self.rewrite)
        if self.is_behind_iap and not self.is_encrypted(routes):
            raise ValueError(
                f"exposure.{'iap' if self.iap else 'require_iap'}: Identity-Aware Proxy needs "
                "HTTPS; set gke-serving:gateway.certificate_map"
            )
        affinity = routes.gateway.session_affinity
        if server.canary and 0 < server.canary.weight < WHOLE and affinity != "NONE":
            raise ValueError(
                "canary: a weighted split does not keep a client on one pod, and "
                f"gke-serving:gateway.session_affinity is {affinity}; set it to NONE, or remove "
                "canary"
            )

    def spec(self, server: Server, args: GatewayArgs, *, namespace: str) -> Manifest:
        """The spec of the HTTPRoute. `namespace` is the Gateway's."""
        rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": self.rewrite}}
        return {
            "parentRefs": [parent(namespace, HTTPS if args.certificate_map else HTTP)],
            **({"hostnames": list(self.hosts)} if self.hosts else {}),
            "rules": [
                {
                    "matches": [self._match()],
                    "filters": [
                        {"type": "URLRewrite", "urlRewrite": rewrite},
                        *_mirrors(server),
                    ],
                    "backendRefs": _backends(server),
                }
            ],
        }

    def _match(self) -> Manifest:
        headers = [
            {"type": "Exact", "name": name, "value": value}
            for name, value in sorted(self.headers.items())
        ]
        path = {"type": "PathPrefix", "value": self.path}
        return {"path": path, **({"headers": headers} if headers else {})}


def _backends(server: Server) -> list[Manifest]:
    """The Services of the route; with a canary that answers, by weight."""
    if server.canary is None or server.canary.mirror:
        return [{"name": server.name, "port": server.rest_port}]
    return [
        {"name": one.name, "port": one.rest_port, "weight": one.weight}
        for one in (server, server.canary)
    ]


def _mirrors(server: Server) -> list[Manifest]:
    """The filter that copies requests to the canary. `percent` needs GKE 1.33.2 or later."""
    canary = server.canary
    if canary is None or not canary.mirror:
        return []
    copy = {
        "backendRef": {"name": canary.name, "port": canary.rest_port},
        "percent": canary.mirror,
    }
    return [{"type": "RequestMirror", "requestMirror": copy}]


def health_check(server: Server) -> Manifest:
    """The spec of the HealthCheckPolicy. GKE's default path, `/`, is none that servers know."""
    request = {"requestPath": server.ready_path, "portSpecification": "USE_SERVING_PORT"}
    return {
        "default": {
            "checkIntervalSec": 5,
            "timeoutSec": 5,
            "healthyThreshold": 1,
            "unhealthyThreshold": 3,
            "config": {"type": "HTTP", "httpHealthCheck": request},
        },
        "targetRef": _service(server),
    }


def backend_policy(
    server: Server,
    args: GatewayArgs,
    backend: GatewayBackend | None = None,
    *,
    armor: Any = None,
) -> Manifest:
    """The spec of the GCPBackendPolicy: timeouts, affinity, request log, Cloud Armor and IAP.

    `backend` has the settings of this model; None for those of all. `armor` is the name of the
    Gateway's policy; None without one.
    """
    timeout = backend.timeout_seconds if backend else None
    armor = (backend.security_policy if backend else None) or args.security_policy or armor
    return {
        "default": {
            "timeoutSec": timeout or args.timeout_seconds,
            **({} if armor is None else {"securityPolicy": armor}),
            # Google's own OAuth client signs callers in.
            **({"iap": {"enabled": True}} if backend and backend.is_behind_iap else {}),
            **(
                {"sessionAffinity": {"type": args.session_affinity}}
                if args.session_affinity != "NONE"
                else {}
            ),
            **({"maxRatePerEndpoint": args.max_rate} if args.max_rate else {}),
            "connectionDraining": {"drainingTimeoutSec": server.drain_seconds},
            "logging": {
                "enabled": args.log_sample_rate > 0,
                "sampleRate": round(args.log_sample_rate * _MILLION),
            },
        },
        "targetRef": _service(server),
    }


def _service(server: Server) -> Manifest:
    return {"group": "", "kind": "Service", "name": server.name}
