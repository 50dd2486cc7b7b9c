"""A backend service as Envoy's cluster: protocol, balancing, health, outliers, limits."""

from __future__ import annotations

from typing import Any

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.route_actions import TYPE
from sandbox.traffic.load_balancer.unsupported import Document

_KEEP_ALIVE = "600s"
"""Google keeps an idle connection to a backend this long
(https://docs.cloud.google.com/load-balancing/docs/https#timeout-keepalive-backends). A server that
closes earlier loses requests."""
_UNLIMITED = 1_000_000
_POLICIES = {
    "ROUND_ROBIN": "ROUND_ROBIN",
    "LEAST_REQUEST": "LEAST_REQUEST",
    "RANDOM": "RANDOM",
    "RING_HASH": "RING_HASH",
    "MAGLEV": "MAGLEV",
}
_AFFINE = frozenset({"RING_HASH", "MAGLEV"})
_HTTP2 = frozenset({"HTTP2", "H2C", "GRPC"})
_OUTLIERS = {
    "consecutiveErrors": "consecutive_5xx",
    "consecutiveGatewayFailure": "consecutive_gateway_failure",
    "enforcingConsecutiveErrors": "enforcing_consecutive_5xx",
    "enforcingConsecutiveGatewayFailure": "enforcing_consecutive_gateway_failure",
    "enforcingSuccessRate": "enforcing_success_rate",
    "maxEjectionPercent": "max_ejection_percent",
    "successRateMinimumHosts": "success_rate_minimum_hosts",
    "successRateRequestVolume": "success_rate_request_volume",
    "successRateStdevFactor": "success_rate_stdev_factor",
}
_LIMITS = {
    "maxConnections": "max_connections",
    "maxPendingRequests": "max_pending_requests",
    "maxRequests": "max_requests",
    "maxRetries": "max_retries",
}
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def cluster(name: str, service: Document, affinity: list[Json], checks: list[Json]) -> Json:
    """The cluster of a backend service.

    Its endpoints are in a file of their own: a change of one keeps what is known of the others.
    """
    circuit, requests = _limits(service)
    found: dict[str, Any] = {
        "name": name,
        "type": "EDS",
        "connect_timeout": "5s",
        "lb_policy": _policy(service, is_affine=bool(affinity)),
        "common_lb_config": {
            "healthy_panic_threshold": {"value": 0},
            "locality_weighted_lb_config": {},
            "ignore_new_hosts_until_first_hc": True,
        },
        "ignore_health_on_host_removal": True,
        "circuit_breakers": {"thresholds": [circuit]},
        "typed_extension_protocol_options": {
            HTTP_OPTIONS: protocol(service.text("protocol"), requests)
        },
    }
    if service.text("protocol") not in ("", "HTTP", "HTTPS", *_HTTP2):
        service.decline("protocol", "Backends are asked by HTTP instead.")
    if service.text("protocol") in ("HTTPS", "HTTP2"):
        service.decline("protocol", "The sandbox's model servers speak without TLS.")
    ring = service.one("consistentHash").whole("minimumRingSize")
    if ring and found["lb_policy"] == "RING_HASH":
        found["ring_hash_lb_config"] = {"minimum_ring_size": ring}
    if checks:
        found["health_checks"] = checks
    if service.has("outlierDetection"):
        found["outlier_detection"] = _outliers(service.one("outlierDetection"))
    return found


def protocol(name: str, requests: int = 0) -> Json:
    """The protocol to the backends, without TLS: HTTP/2 is known in advance."""
    options: Json = (
        {"http2_protocol_options": {}} if name in _HTTP2 else {"http_protocol_options": {}}
    )
    common: dict[str, Any] = {"idle_timeout": _KEEP_ALIVE}
    if requests:
        common["max_requests_per_connection"] = requests
    return {
        "@type": TYPE + HTTP_OPTIONS,
        "common_http_protocol_options": common,
        "explicit_http_config": options,
    }


def _policy(service: Document, *, is_affine: bool) -> str:
    given = service.text("localityLbPolicy")
    if given and given not in _POLICIES:
        service.decline("localityLbPolicy", "Requests are balanced round robin instead.")
    policy = _POLICIES.get(given, "ROUND_ROBIN")
    return "RING_HASH" if is_affine and policy not in _AFFINE else policy


def _limits(service: Document) -> tuple[Json, int]:
    """Circuit breakers, and the requests of a connection. Google's own have no default limits."""
    breakers = service.one("circuitBreakers")
    found: Json = {name: breakers.whole(field, _UNLIMITED) for field, name in _LIMITS.items()}
    return found, breakers.whole("maxRequestsPerConnection")


def _outliers(policy: Document) -> Json:
    found: Json = {name: policy.whole(f) for f, name in _OUTLIERS.items() if policy.has(f)}
    for field, name in (("interval", "interval"), ("baseEjectionTime", "base_ejection_time")):
        if (duration := policy.duration(field)) is not None:
            found[name] = duration
    return found
