"""The manifests of the environment's Inference Gateway.

GKE supports inference pools behind its regional classes only:
https://docs.cloud.google.com/kubernetes-engine/docs/concepts/about-gke-inference-gateway.
"""

from collections.abc import Sequence
from typing import Any

from infra.serving.exposures import gateway_manifests
from infra.serving.exposures.gateway_manifests import HTTP, HTTPS
from infra.serving.manifest import Manifest

CLASS = "gke-l7-regional-external-managed"
CERTIFICATES = "networking.gke.io/cert-manager-certs"
"""TLS option of a listener: regional Certificate Manager certificates, by name."""
NAME = "inference"
WAIT = {"pulumi.com/waitFor": "condition=Programmed"}
"""Annotations of the Gateway: what Pulumi waits for."""


def gateway(
    certificates: Sequence[str], *, address: Any, namespace_labels: dict[str, str]
) -> Manifest:
    """The spec of the Gateway. It takes routes of the namespaces with `namespace_labels`.

    `certificates` are the names of regional ones; without any it serves HTTP only. `address` names
    a regional address; it may be an Output.
    """
    routes = {"namespaces": {"from": "Selector", "selector": {"matchLabels": namespace_labels}}}
    listeners: list[Manifest] = [
        {"name": HTTP, "port": 80, "protocol": "HTTP", "allowedRoutes": routes}
    ]
    if certificates:
        names = {CERTIFICATES: ",".join(certificates)}
        listeners.append(
            {
                "name": HTTPS,
                "port": 443,
                "protocol": "HTTPS",
                "tls": {"mode": "Terminate", "options": names},
                "allowedRoutes": routes,
            }
        )
    return {
        "gatewayClassName": CLASS,
        "addresses": [{"type": "NamedAddress", "value": address}],
        "listeners": listeners,
    }


def redirect(namespace: str) -> Manifest:
    """The spec of the HTTPRoute that redirects every HTTP request to HTTPS."""
    return gateway_manifests.redirect(namespace, gateway=NAME)


def parent(namespace: str, listener: str) -> Manifest:
    """The reference of a route to a listener of the Gateway in `namespace`."""
    return gateway_manifests.parent(namespace, listener, gateway=NAME)
