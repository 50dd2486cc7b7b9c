"""The network policy by which the Gateway's proxies reach the pods of a pool."""

from infra.serving.exposures.base import Server
from infra.serving.exposures.inference.picker import selector
from infra.serving.manifest import Manifest
from infra.serving.network_policy import tcp


def from_proxies(server: Server, *, proxies: str) -> Manifest:
    """The spec. `proxies` is the range of the proxy-only subnet; the picker reads the metrics.

    The namespace's own policy admits health checks.
    """
    peers: list[Manifest] = [{"ipBlock": {"cidr": proxies}}] if proxies else []
    peers.append({"podSelector": {"matchLabels": selector(server)}})
    ports = [tcp(server.rest_port)] if server.rest_port else []
    return {
        "podSelector": {"matchLabels": server.selector},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": peers, "ports": ports}],
    }
