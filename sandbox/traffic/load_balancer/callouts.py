"""Endpoint pickers and body-based routers: programs that are asked about a request (`ext_proc`).

A body-based router is asked before the URL map is read, since it adds headers that routes match. An
endpoint picker is asked last, and names the endpoint: the cluster has a subset for each endpoint,
and Envoy chooses by the metadata of the answer. Both speak TLS with a certificate of their own.
Source: gateway-api-inference-extension v1.5.0, docs/proposals/004-endpoint-picker-protocol.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from sandbox.gcp.services.compute.place import Place
from sandbox.gcp.store import Json
from sandbox.kubernetes.cluster_objects import Callout
from sandbox.traffic.load_balancer.endpoints import DESTINATION, NOBODY
from sandbox.traffic.load_balancer.route_actions import TYPE
from sandbox.traffic.load_balancer.surroundings import Surroundings
from sandbox.traffic.load_balancer.unsupported import Document

ROUTER, PICKER = "envoy.filters.http.ext_proc/router", "envoy.filters.http.ext_proc/picker"
_NAMESPACE = "envoy.lb"
_EXT_PROC = f"{TYPE}envoy.extensions.filters.http.ext_proc.v3"
_TLS = f"{TYPE}envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_UNASKED = "callout-of-nobody"
_WHOLE = {
    "request_header_mode": "SEND",
    "request_body_mode": "FULL_DUPLEX_STREAMED",
    "request_trailer_mode": "SEND",
}
_BOTH_WAYS = {
    "response_header_mode": "SEND",
    "response_body_mode": "FULL_DUPLEX_STREAMED",
    "response_trailer_mode": "SEND",
}
_REQUEST_ONLY = {
    "response_header_mode": "SKIP",
    "response_body_mode": "NONE",
    "response_trailer_mode": "SKIP",
}


def router() -> Json:
    """The filter that asks body-based routers; off but for URL maps with one."""
    made = _filter(ROUTER, _WHOLE | _REQUEST_ONLY, route_cache_action="DEFAULT")
    return made | {"disabled": True}


def picker() -> Json:
    """The filter that asks endpoint pickers, for routes that ask for it.

    It is not off: Envoy decides that by the route that a request has before a body-based router
    names its model. A route without a picker says so (`unasked`).
    """
    # The picker wants the route anew, and a weighted route could lead to another pool.
    return _filter(
        PICKER,
        _WHOLE | _BOTH_WAYS,
        route_cache_action="RETAIN",
        metadata_options={"receiving_namespaces": {"untyped": [_NAMESPACE]}},
    )


def _filter(name: str, mode: Json, **settings: Any) -> Json:
    return {
        "name": name,
        "typed_config": {
            "@type": f"{_EXT_PROC}.ExternalProcessor",
            "grpc_service": _service(_UNASKED),
            "processing_mode": mode,
            # It sets x-gateway headers, the host and the length.
            "mutation_rules": {"allow_all_routing": {"value": True}},
            "status_on_error": {"code": "ServiceUnavailable"},
            **settings,
        },
    }


def unasked() -> Json:
    """The configuration of the filters for the routes without an endpoint picker; by filter."""
    return {PICKER: {"@type": f"{_EXT_PROC}.ExtProcPerRoute", "disabled": True}}


def of_route(name: str, callout: Callout | None) -> Json:
    """The configuration of a filter for the requests that a program is asked about; by filter.

    A program that does not run and need not is not asked: Envoy itself fails open only until the
    first part of a body is sent there (envoyproxy/envoy#41276), and would refuse the request.
    """
    if callout is None or (callout.port == NOBODY and callout.fails_open):
        return {}
    override = {
        "@type": f"{_EXT_PROC}.ExtProcPerRoute",
        "overrides": {
            "grpc_service": _service(_name(callout)),
            "failure_mode_allow": callout.fails_open,
        },
    }
    return {name: override}


def by_host(host: Json, callout: Callout) -> list[Json]:
    """A virtual host in two: of the domains that a body-based router is asked about, and others."""
    pattern = re.compile(callout.hosts)
    asked = [domain for domain in host["domains"] if pattern.search(domain)]
    others = [domain for domain in host["domains"] if domain not in asked]
    found = [copy.deepcopy(host) | {"domains": others}] if others else []
    if asked:
        own = of_route(ROUTER, callout)
        name = f"{host['name']} asked" if others else host["name"]
        filters = {"typed_per_filter_config": own} if own else {}
        found.append(host | {"name": name, "domains": asked} | filters)
    return found


def _service(cluster: str) -> Json:
    return {"envoy_grpc": {"cluster_name": cluster}, "timeout": "10s"}


def _name(callout: Callout) -> str:
    return f"callout/{callout.resource}"


def extra(surroundings: Surroundings, place: Place, _: Document) -> Json:
    """The filter configuration of a backend service with an endpoint picker."""
    return of_route(PICKER, surroundings.pickers.get(place.path))


def divided(cluster: Json, callout: Callout) -> Json:
    """The cluster of a pool: the endpoint that the picker names, and no other.

    Where the pool fails open, a request that no endpoint was named for goes to any.
    """
    fallback = "ANY_ENDPOINT" if callout.fails_open else "NO_FALLBACK"
    return cluster | {
        "lb_subset_config": {
            "fallback_policy": fallback,
            "locality_weight_aware": True,
            "subset_selectors": [
                {
                    "keys": [DESTINATION],
                    "single_host_per_subset": False,
                    "fallback_policy": fallback,
                }
            ],
        }
    }


def clusters(surroundings: Surroundings) -> list[Json]:
    """The clusters of all programs. Their endpoints are in files of their own.

    Envoy resets the streams of a cluster that changes, and with them the answers that pass through
    a picker; an endpoint that changes lets them end.
    """
    return [_cluster(name) for name in _ports(surroundings)]


def assignments(surroundings: Surroundings) -> dict[str, Json]:
    """The load assignment of each cluster: the port on which its program answers."""
    return {
        name: {
            "cluster_name": name,
            "endpoints": [
                {
                    "lb_endpoints": [
                        {
                            "endpoint": {
                                "address": {
                                    "socket_address": {"address": "127.0.0.1", "port_value": port}
                                }
                            }
                        }
                    ]
                }
            ],
        }
        for name, port in _ports(surroundings).items()
    }


def _ports(surroundings: Surroundings) -> dict[str, int]:
    asked = (*surroundings.pickers.values(), *surroundings.routers.values())
    return {_UNASKED: NOBODY, **{_name(one): one.port for one in asked}} if asked else {}


def _cluster(name: str) -> Json:
    return {
        "name": name,
        "type": "EDS",
        "connect_timeout": "1s",
        "transport_socket": {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {"@type": _TLS, "common_tls_context": {"alpn_protocols": ["h2"]}},
        },
        "typed_extension_protocol_options": {
            _OPTIONS: {
                "@type": f"{TYPE}{_OPTIONS}",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }
