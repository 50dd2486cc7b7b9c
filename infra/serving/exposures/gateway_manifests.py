"""The manifests of the environment's Gateway and of its redirect to HTTPS."""

from typing import Any

from infra.serving.exposures.settings import GatewayArgs
from infra.serving.manifest import Manifest

API = "gateway.networking.k8s.io/v1"
POLICIES = "networking.gke.io/v1"
CLASS = "gke-l7-global-external-managed"
CERTIFICATE_MAP = "networking.gke.io/certmap"
NAME = "models"
HTTP, HTTPS = "http", "https"


def annotations(args: GatewayArgs) -> dict[str, str]:
    """Annotations of the Gateway: its certificate map, and what Pulumi waits for.

    The networking layer may create the map later; the Gateway serves as soon as the map exists.
    """
    condition = "Accepted" if args.certificate_map else "Programmed"
    return {
        "pulumi.com/waitFor": f"condition={condition}",
        **({CERTIFICATE_MAP: args.certificate_map} if args.certificate_map else {}),
    }


def gateway(args: GatewayArgs, *, address: Any, namespace_labels: dict[str, str]) -> Manifest:
    """The spec of the Gateway. It takes routes of the namespaces with `namespace_labels`.

    `address` may be an Output. The listeners name no certificates: they are in the map.
    """
    selector = {"matchLabels": namespace_labels}
    routes = {"namespaces": {"from": "Selector", "selector": selector}}
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


def redirect(namespace: str, *, gateway: str = NAME) -> Manifest:
    """The spec of the HTTPRoute that redirects every HTTP request to HTTPS."""
    to_https = {"scheme": HTTPS, "statusCode": 301}
    return {
        "parentRefs": [parent(namespace, HTTP, gateway=gateway)],
        "rules": [{"filters": [{"type": "RequestRedirect", "requestRedirect": to_https}]}],
    }


def parent(namespace: str, listener: str, *, gateway: str = NAME) -> Manifest:
    """The reference of a route to a listener of the Gateway in `namespace`."""
    return {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "name": gateway,
        "namespace": namespace,
        "sectionName": listener,
    }
