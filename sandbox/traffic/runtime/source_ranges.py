"""`loadBalancerSourceRanges` of a Service: connections from other addresses are closed.

Google's firewall drops their packets, so that a caller waits in vain. Here every caller is on
loopback and counts as one public address (`client.ADDRESS`), unless the connection begins with the
PROXY protocol, as that of `curl --haproxy-clientip ADDRESS` does.
https://docs.cloud.google.com/kubernetes-engine/docs/concepts/service-load-balancer-parameters
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.client import ADDRESS
from sandbox.traffic.load_balancer.route_actions import TYPE

_LOOPBACK = "127.0.0.0/8"


def guarded(listener: Json, service: Json) -> Json:
    """The listener of a LoadBalancer Service, for callers within the Service's ranges alone."""
    ranges = [str(one).strip() for one in service["spec"].get("loadBalancerSourceRanges") or ()]
    if not ranges:
        return listener
    admitted = [ip_network(one, strict=False) for one in ranges]
    if any(ip_address(ADDRESS) in one for one in admitted if one.version == 4):
        ranges.append(_LOOPBACK)
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


def _range(text: str) -> Json:
    network = ip_network(text, strict=False)
    return {"address_prefix": str(network.network_address), "prefix_len": network.prefixlen}
