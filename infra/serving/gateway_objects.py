"""The environment's Gateway and the routes of models on it, as plain data.

GKE makes a global Application Load Balancer of them. Sources:
https://gateway-api.sigs.k8s.io/reference/spec/ and
https://cloud.google.com/kubernetes-engine/docs/how-to/configure-gateway-resources.
"""

from typing import Any

from infra.serving.http_routes import Gateway, GatewayArgs
from infra.serving.manifest import Manifest
from infra.serving.model import Model, preset, ready_path

API = "gateway.networking.k8s.io/v1"
POLICIES = "networking.gke.io/v1"
CLASS = "gke-l7-global-external-managed"
CERTIFICATE_MAP = "networking.gke.io/certmap"
NAME = "models"
HTTP, HTTPS = "http", "https"
_MILLION = 1_000_000


def annotations(args: GatewayArgs) -> dict[str, str]:
    """What the Gateway bears: its certificates, and what an update waits for.

    A map of the networking layer's is made after it; the Gateway serves as soon as it is there.
    """
    awaited = "Accepted" if args.certificate_map else "Programmed"
    return {
        "pulumi.com/waitFor": f"condition={awaited}",
        **({CERTIFICATE_MAP: args.certificate_map} if args.certificate_map else {}),
    }


def gateway(args: GatewayArgs, *, address: Any, namespaces: Manifest) -> Manifest:
    """The spec of the Gateway. `namespaces` selects those whose routes it takes.

    Its certificates are the map's, so that its listeners name none.
    """
    routes = {"namespaces": {"from": "Selector", "selector": {"matchLabels": namespaces}}}
    listeners = [(HTTP, 80, "HTTP")]
    if args.certificate_map:
        listeners.append((HTTPS, 443, "HTTPS"))
    return {
        "gatewayClassName": CLASS,
        "addresses": [{"type": "NamedAddress", "value": address}],
        "listeners": [
            {"name": name, "port": port, "protocol": protocol, "allowedRoutes": routes}
            for name, port, protocol in listeners
        ],
    }


def redirect(namespace: str) -> Manifest:
    """The spec of the route that sends every HTTP request to HTTPS."""
    to_https = {"scheme": HTTPS, "statusCode": 301}
    return {
        "parentRefs": [_parent(namespace, HTTP)],
        "rules": [{"filters": [{"type": "RequestRedirect", "requestRedirect": to_https}]}],
    }


def http_route(model: Model, exposure: Gateway, args: GatewayArgs, *, namespace: str) -> Manifest:
    """The spec of a model's route. `namespace` is the Gateway's."""
    rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    return {
        "parentRefs": [_parent(namespace, HTTPS if args.certificate_map else HTTP)],
        **({"hostnames": list(exposure.hosts)} if exposure.hosts else {}),
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": exposure.path}}],
                "filters": [{"type": "URLRewrite", "urlRewrite": rewrite}],
                "backendRefs": [{"name": model.name, "port": preset(model).rest_port}],
            }
        ],
    }


def health_check(model: Model) -> Manifest:
    """The spec of the HealthCheckPolicy. Without one GKE asks `/`, where no server answers."""
    asked = {"requestPath": ready_path(model), "portSpecification": "USE_SERVING_PORT"}
    return {
        "default": {
            "checkIntervalSec": 5,
            "timeoutSec": 5,
            "healthyThreshold": 1,
            "unhealthyThreshold": 3,
            "config": {"type": "HTTP", "httpHealthCheck": asked},
        },
        "targetRef": _service(model),
    }


def backend_policy(model: Model, args: GatewayArgs) -> Manifest:
    """The spec of the GCPBackendPolicy: timeouts as the pods keep them, and the request log."""
    return {
        "default": {
            "timeoutSec": args.timeout_seconds,
            "connectionDraining": {"drainingTimeoutSec": model.drain_seconds},
            "logging": {
                "enabled": args.log_sample_rate > 0,
                "sampleRate": round(args.log_sample_rate * _MILLION),
            },
        },
        "targetRef": _service(model),
    }


def _parent(namespace: str, listener: str) -> Manifest:
    return {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "name": NAME,
        "namespace": namespace,
        "sectionName": listener,
    }


def _service(model: Model) -> Manifest:
    return {"group": "", "kind": "Service", "name": model.name}
