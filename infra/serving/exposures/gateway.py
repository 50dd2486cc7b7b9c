"""Exposure `gateway`: a path of the environment's Gateway, and GKE's policies on the Service.

GKE turns them into a global Application Load Balancer. Sources:
https://gateway-api.sigs.k8s.io/reference/spec/ and
https://cloud.google.com/kubernetes-engine/docs/how-to/configure-gateway-resources.
"""

from infra.serving.exposures.base import Server, require_rest_port
from infra.serving.exposures.gateway_manifests import HTTP, HTTPS, parent
from infra.serving.exposures.path_route import PathRoute
from infra.serving.exposures.settings import GatewayArgs, RouteSettings
from infra.serving.manifest import Manifest

_MILLION = 1_000_000


class Gateway(PathRoute, tag_field="kind", tag="gateway"):
    """A path of the environment's Gateway, which GKE runs as a global load balancer."""

    @property
    def needs_gateway_api(self) -> bool:
        """The route is an HTTPRoute."""
        return True

    def is_encrypted(self, routes: RouteSettings) -> bool:
        """Whether the Gateway has certificates."""
        return bool(routes.gateway.certificate_map)

    def validate(self, server: Server, routes: RouteSettings) -> None:
        """Refuses a server without HTTP."""
        require_rest_port(server, self.kind)

    def spec(self, server: Server, args: GatewayArgs, *, namespace: str) -> Manifest:
        """The spec of the HTTPRoute. `namespace` is the Gateway's."""
        rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
        return {
            "parentRefs": [parent(namespace, HTTPS if args.certificate_map else HTTP)],
            **({"hostnames": list(self.hosts)} if self.hosts else {}),
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": self.path}}],
                    "filters": [{"type": "URLRewrite", "urlRewrite": rewrite}],
                    "backendRefs": [{"name": server.name, "port": server.rest_port}],
                }
            ],
        }


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


def backend_policy(server: Server, args: GatewayArgs) -> Manifest:
    """The spec of the GCPBackendPolicy: timeout, connection draining and request log."""
    return {
        "default": {
            "timeoutSec": args.timeout_seconds,
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
