"""`loadBalancerSourceRanges` of a Service: connections from other addresses are closed.

Google's firewall drops their packets, so that a caller waits in vain. Here every caller is on
loopback and counts as one public address (`client.ADDRESS`). One that connects from `ADMITTED`, as
by `curl --interface`, counts as one of the ranges; and a connection that begins with the PROXY
protocol, as by `curl --haproxy-clientip ADDRESS`, comes from where that says.
https://docs.cloud.google.com/kubernetes-engine/docs/concepts/service-load-balancer-parameters
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.client import ADDRESS
from sandbox.traffic.load_balancer.route_actions import TYPE

ADMITTED = "127.0.0.2"
"""Loopback has many addresses, and all but Darwin's kernel let anybody connect from each."""
_USUAL = "127.0.0.1"


def guarded(listener: Json, service: Json) -> Json:
    """The listener of a LoadBalancer Service, for callers within the Service's ranges alone."""
    ranges = _ranges(service)
    if not ranges:
        return listener
    ranges.append(ADMITTED)
    if not caller(service):
        ranges.append(_USUAL)
    rules = {
        "action": "ALLOW",
        "policies": {
            "source-ranges": {
                "permissions": [{"any": True}],
                "principals": [{"remote_ip": _range(one)} for one in ranges],
            }
        },
    }
    rbac = {
        "name": "envoy.filters.network.rbac",
        "typed_config": {
            "@type": f"{TYPE}envoy.extensions.filters.network.rbac.v3.RBAC",
            "stat_prefix": "source_ranges",
            "rules": rules,
        },
    }
    proxied = {
        "name": "envoy.filters.listener.proxy_protocol",
        "typed_config": {
            "@type": f"{TYPE}envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
            "allow_requests_without_proxy_protocol": True,
        },
    }
    chains: list[Any] = listener["filter_chains"]
    return listener | {
        "listener_filters": [proxied, *listener.get("listener_filters", ())],
        "filter_chains": [one | {"filters": [rbac, *one["filters"]]} for one in chains],
    }


def caller(service: Json) -> str:
    """The address that callers connect from; empty where any will do."""
    admitted = [ip_network(one, strict=False) for one in _ranges(service)]
    is_open = not admitted or any(ip_address(ADDRESS) in one for one in admitted)
    return "" if is_open else ADMITTED


def _ranges(service: Json) -> list[str]:
    return [str(one).strip() for one in service["spec"].get("loadBalancerSourceRanges") or ()]


def _range(text: str) -> Json:
    network = ip_network(text, strict=False)
    return {"address_prefix": str(network.network_address), "prefix_len": network.prefixlen}
