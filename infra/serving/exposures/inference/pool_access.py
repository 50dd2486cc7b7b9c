"""The network policies by which the Gateway's proxies, and a pool's picker, reach its pods."""

from collections.abc import Mapping

from infra.serving.exposures.base import Server
from infra.serving.exposures.inference.picker import EXT_PROC, selector
from infra.serving.manifest import Manifest
from infra.serving.network_policy import tcp

PROXIES, GUARDED = "-proxies", "-callers"
"""How the names of the policies end, and of those behind a gateway for callers."""


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


def access(
    server: Server, entrance: Mapping[str, str] | None, *, proxies: str
) -> dict[str, Manifest]:
    """The specs by what their names end in.

    `entrance` has the labels of the gateway for callers: the proxies reach it, it asks the picker,
    and its own policy says that it reaches the pods.
    """
    if entrance is None:
        return {PROXIES: from_proxies(server, proxies=proxies)}
    gateway = dict(entrance)
    ports = [tcp(server.rest_port)] if server.rest_port else []
    return {
        f"{GUARDED}{PROXIES}": _ingress(gateway, {"ipBlock": {"cidr": proxies}}, ports),
        f"{GUARDED}-picker": _ingress(
            selector(server), {"podSelector": {"matchLabels": gateway}}, [tcp(EXT_PROC)]
        ),
        f"{GUARDED}-metrics": from_proxies(server, proxies=""),
    }


def _ingress(pods: Manifest, peer: Manifest, ports: list[Manifest]) -> Manifest:
    return {
        "podSelector": {"matchLabels": pods},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [peer], "ports": ports}],
    }
