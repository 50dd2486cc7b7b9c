"""What is read at a start only: listeners, and the clusters of the model and of the limits."""

from infra.serving.callers.envoy.connections import connections
from infra.serving.callers.envoy.names import AUDIT, MANAGER, ROUTER, TYPE, address
from infra.serving.callers.envoy.picker import CLUSTER, Picker, encrypted, named_pod
from infra.serving.manifest import Manifest

ADMIN_PORT = 9901
LARGEST_BODY = 32 << 20
"""Bytes of a request or of an answer in one JSON document; larger ones get 413 or 500."""
_PROTOCOLS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def bootstrap(  # noqa: PLR0913 (what differs between two gateways)
    *,
    port: int,
    server: str,
    limits: str,
    limits_port: int,
    routes: str,
    fails_open: bool,
    ready_path: str,
    health_port: int,
    drain_seconds: int,
    picker: Picker | None = None,
) -> Manifest:
    """The whole configuration but the routes, which are the file `routes`.

    `server` is the host of the model's servers, `limits` that of the rate limit service. `picker`
    chooses the pod of each request; None: the one with the fewest.
    """
    return {
        "node": {"id": server, "cluster": AUDIT},
        "admin": {"address": address("127.0.0.1", ADMIN_PORT)},
        "static_resources": {
            "listeners": [
                {
                    "name": "rest",
                    "address": address("0.0.0.0", port),  # noqa: S104 - in the container
                    "per_connection_buffer_limit_bytes": LARGEST_BODY,
                    "filter_chains": [
                        {
                            "filters": [
                                connections(routes, fails_open, ready_path, drain_seconds, picker)
                            ]
                        }
                    ],
                },
                _health(health_port),
            ],
            "clusters": [
                _server(server, port, picker),
                _called("limits", limits, limits_port),
                *([_picker(picker)] if picker else []),
            ],
        },
    }


def _health(port: int) -> Manifest:
    """A listener that says that Envoy works; it opens when the routes are there."""
    ready = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}
    return {
        "name": "health",
        "address": address("0.0.0.0", port),  # noqa: S104 - in the container
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": {
                            "@type": f"{TYPE}{MANAGER}",
                            "stat_prefix": "health",
                            "route_config": {
                                "name": "health",
                                "virtual_hosts": [
                                    {"name": "health", "domains": ["*"], "routes": [ready]}
                                ],
                            },
                            "http_filters": [ROUTER],
                        },
                    }
                ]
            }
        ],
    }


def _server(host: str, port: int, picker: Picker | None) -> Manifest:
    """The ready pods of the model, which the name of a headless Service has."""
    chosen = {"load_balancing_policy": named_pod()} if picker else {"lb_policy": "LEAST_REQUEST"}
    return {
        "name": "server",
        "type": "STRICT_DNS",
        "connect_timeout": "2s",
        **chosen,
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "per_connection_buffer_limit_bytes": LARGEST_BODY,
        "load_assignment": _assignment("server", host, port),
    }


def _picker(picker: Picker) -> Manifest:
    """The pickers that are ready; without any, requests do at once what `failure` says."""
    return {
        **_called(CLUSTER, picker.host, picker.port),
        # A picker that moves has another address.
        "dns_refresh_rate": "1s",
        "transport_socket": encrypted(),
    }


def _called(name: str, host: str, port: int) -> Manifest:
    """A service that a filter calls by gRPC."""
    return {
        "name": name,
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {
            _PROTOCOLS: {
                "@type": f"{TYPE}{_PROTOCOLS}",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
        "load_assignment": _assignment(name, host, port),
    }


def _assignment(name: str, host: str, port: int) -> Manifest:
    endpoint = {"endpoint": {"address": address(host, port)}}
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}
