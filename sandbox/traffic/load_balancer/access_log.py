"""Request logs as the load balancer writes them to Cloud Logging, as lines of JSON.

https://docs.cloud.google.com/load-balancing/docs/https/https-logging-monitoring has the fields.
`route` is the sandbox's: the rule of the URL map that decided. Logging is on by backend service,
at its sample rate; requests that reach no backend, such as redirects, are logged when any is.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sandbox.gcp.services.compute.place import Place
from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.route_actions import TYPE, fraction
from sandbox.traffic.load_balancer.unsupported import Document

METADATA, RATE = "sandbox", "log"
_NOTE = "%DYNAMIC_METADATA(envoy.filters.http.rbac:{}_shadow_effective_policy_id)%"
_LOG = f"{TYPE}envoy.extensions.access_loggers"
# https://docs.cloud.google.com/load-balancing/docs/https/https-logging-monitoring#statusdetail_http_success_messages
_NOTED = "metadata.filter_metadata['sandbox']"


def _cache(*found: str) -> str:
    """Whether Cloud CDN has come to one of these; false for all other backends."""
    either = " || ".join(f"{_NOTED}['cache'] == '{one}'" for one in found)
    return f"'cache' in {_NOTED} && ({either})"


_LOOKUPS = {
    "cacheLookup": _cache("hit", "stale", "miss", "revalidated"),
    "cacheHit": _cache("hit", "stale", "revalidated"),
    "cacheValidatedWithOriginServer": _cache("revalidated"),
}
_DETAILS = (
    ("response.code_details.startsWith('rbac_access_denied')", "denied_by_security_policy"),
    ("response.code_details == 'lua_response'", "denied_by_security_policy"),
    ("response.code_details.startsWith('ext_authz')", "handled_by_identity_aware_proxy"),
    ("response.code_details == 'no_healthy_upstream'", "failed_to_pick_backend"),
    ("response.code_details == 'cluster_not_found'", "failed_to_pick_backend"),
    ("response.code_details.contains('response_timeout')", "backend_timeout"),
    ("response.code_details.contains('per_try_timeout')", "backend_timeout"),
    ("response.code_details.contains('connection_failure')", "failed_to_connect_to_backend"),
    (
        "response.code_details.startsWith('upstream_reset_before_response_started')",
        "backend_connection_closed_before_data_sent_to_client",
    ),
    ("response.code_details.startsWith('downstream')", "client_disconnected_before_any_response"),
    ("response.code_details == 'fault_filter_abort'", "fault_filter_abort"),
    ("response.code_details == 'direct_response'", "redirect_by_load_balancer"),
    (_cache("hit", "stale"), "response_from_cache"),
    (_cache("revalidated"), "response_from_cache_validated"),
)


def rate(service: Document) -> Json:
    """What a cluster's metadata says of how many of its requests are logged; empty for none."""
    log = service.one("logConfig")
    log.decline("optionalMode", "The fields are always the same.")
    log.decline("optionalFields", "The fields are always the same.")
    share = log.number("sampleRate", 1)
    if not log.flag("enable") or not share:
        return {}
    return {RATE: f"{share:g}"}


def every() -> Json:
    """The same of a backend bucket, whose requests are logged in any case."""
    return {RATE: "1"}


def loggers(
    path: Path, rates: Iterable[str], rule: Place, proxy: Place, url_map: Place
) -> list[Json]:
    """The logs of one forwarding rule: one for each sample rate among its backends."""
    shape = _shape(rule, proxy, url_map)
    found = []
    for share in sorted(set(rates)):
        known = f"xds.cluster_metadata.filter_metadata['{METADATA}']['{RATE}'] == '{share}'"
        both = [expression(known), _sampled(float(share))]
        found.append(_logger(path, {"and_filter": {"filters": both}}, shape))
    if found:
        found.append(_logger(path, expression("!has(xds.cluster_name)"), shape))
    return found


def expression(text: str) -> Json:
    """A condition on a request, in CEL."""
    return {
        "extension_filter": {
            "name": "envoy.access_loggers.extension_filters.cel",
            "typed_config": {
                "@type": f"{_LOG}.filters.cel.v3.ExpressionFilter",
                "expression": text,
            },
        }
    }  # fmt: skip


def _sampled(share: float) -> Json:
    percent = fraction(share * 100)
    return {
        "runtime_filter": {
            "runtime_key": "sandbox.log",
            "percent_sampled": percent,
            "use_independent_randomness": True,
        }
    }


def _logger(path: Path, condition: Json, shape: Json) -> Json:
    return {
        "name": "envoy.access_loggers.file",
        "filter": condition,
        "typed_config": {
            "@type": f"{_LOG}.file.v3.FileAccessLog",
            "path": str(path),
            "log_format": {"json_format": shape},
        },
    }


def _shape(rule: Place, proxy: Place, url_map: Place) -> Json:
    details = "'response_sent_by_backend'"
    for condition, text in reversed(_DETAILS):
        details = f"{condition} ? '{text}' : ({details})"
    scheme = "https" if proxy.collection == "targetHttpsProxies" else "http"
    return {
        "timestamp": "%START_TIME(%Y-%m-%dT%H:%M:%S.%6fZ)%",
        "httpRequest": {
            "requestMethod": "%REQ(:METHOD)%",
            "requestUrl": f"{scheme}://%DYNAMIC_METADATA(sandbox:asked)%",
            "requestSize": "%BYTES_RECEIVED%",
            "status": "%RESPONSE_CODE%",
            "responseSize": "%BYTES_SENT%",
            "userAgent": "%REQ(USER-AGENT)%",
            "remoteIp": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
            "serverIp": "%UPSTREAM_METADATA([\"sandbox\", \"endpoint\"])%",
            "latency": "%DURATION%",
            "protocol": "%PROTOCOL%",
            **{field: f"%TYPED_CEL({condition})%" for field, condition in _LOOKUPS.items()},
        },
        "jsonPayload": {
            "@type": "type.googleapis.com/google.cloud.loadbalancing.type.LoadBalancerLogEntry",
            "statusDetails": f"%CEL({details})%",
            "proxyDetails": "%RESPONSE_CODE_DETAILS%",
            "securityPolicyRule": _NOTE.format("armor"),
            "previewSecurityPolicyRule": _NOTE.format("preview"),
        },
        "resource": {
            "type": "http_load_balancer",
            "labels": {
                "project_id": rule.project,
                "zone": rule.region or "global",
                "forwarding_rule_name": rule.name,
                "target_proxy_name": proxy.name,
                "url_map_name": url_map.name,
                "backend_service_name": "%UPSTREAM_CLUSTER_RAW%",
            },
        },
        "trace": "%REQ(X-CLOUD-TRACE-CONTEXT)%",
        "route": "%ROUTE_NAME%",
    }  # fmt: skip
