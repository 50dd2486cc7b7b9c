"""The configuration of a model's gateway: Envoy 1.40.

Filters, in order: who calls (`api_key_auth`), what it asks for and what the answer has used
(`json_to_metadata`, `sse_to_metadata`), and whether it may (`ratelimit`). An answer is not buffered
unless it is one JSON document. The API reference of each filter:
https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/api.
"""

from collections.abc import Sequence

from infra.serving.callers.limits import CALLER as DESCRIPTOR
from infra.serving.callers.limits import DOMAIN, KIND, REQUESTS, TOKENS
from infra.serving.callers.settings import CallersArgs
from infra.serving.manifest import Manifest

VERSION = "v1.40.0"
CALLER = "x-caller"
"""The header in which the model server gets the caller's name."""
API_KEYS = "envoy.filters.http.api_key_auth"
ROUTES = "routes.json"
"""The file of the routes, which has the keys."""
CALLERS = "callers.json"
"""The file that says which keys are whose."""
AUDIT = "callers"
"""Value of `audit` in each line of the audit log."""
ADMIN_PORT = 9901
LARGEST_BODY = 32 << 20
"""Bytes of a request or of an answer in one JSON document; larger ones get 413 or 500."""
_RATE_LIMIT = "envoy.filters.http.ratelimit"
_TYPE = "type.googleapis.com/"
_HTTP = f"{_TYPE}envoy.extensions.filters.http"
_PROTOCOLS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_METADATA = "callers"
_MODEL, _PROMPT, _COMPLETION, _TOTAL = "model", "prompt_tokens", "completion_tokens", "total_tokens"
_USAGE = (_PROMPT, _COMPLETION, _TOTAL)
_FORWARDING: Manifest = {"header": CALLER, "hide_credentials": True}
_SECONDS_OF_LIMITS = "0.5s"


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
) -> Manifest:
    """The whole configuration but the routes, which are the file `routes`.

    `server` is the host of the model's servers, `limits` that of the rate limit service.
    """
    return {
        "node": {"id": server, "cluster": AUDIT},
        "admin": {"address": _address("127.0.0.1", ADMIN_PORT)},
        "static_resources": {
            "listeners": [
                {
                    "name": "rest",
                    "address": _address("0.0.0.0", port),  # noqa: S104 - in the container
                    "per_connection_buffer_limit_bytes": LARGEST_BODY,
                    "filter_chains": [
                        {"filters": [_connections(routes, fails_open, ready_path, drain_seconds)]}
                    ],
                },
                _health(health_port),
            ],
            "clusters": [_server(server, port), _limits(limits, limits_port)],
        },
    }


def routes(*, allowed: Sequence[str], ready_path: str, timeout_seconds: int) -> Manifest:
    """The content of `ROUTES` without keys: `caller_keys.py` adds them in the pod.

    `ready_path` is answered to anyone: health checks have no key.
    """
    to_server = {"cluster": "server", "timeout": f"{timeout_seconds}s"}
    retried = {
        # Only what no server has begun to answer.
        "retry_on": "connect-failure,refused-stream",
        "num_retries": 2,
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {
                    "@type": f"{_TYPE}envoy.extensions.retry.host.previous_hosts.v3"
                    ".PreviousHostsPredicate"
                },
            }
        ],
    }
    open_route = {"@type": f"{_TYPE}envoy.config.route.v3.FilterConfig", "disabled": True}
    return {
        "resources": [
            {
                "@type": f"{_TYPE}envoy.config.route.v3.RouteConfiguration",
                "name": "server",
                "virtual_hosts": [
                    {
                        "name": "server",
                        "domains": ["*"],
                        "typed_per_filter_config": {
                            API_KEYS: {
                                "@type": f"{_HTTP}.api_key_auth.v3.ApiKeyAuthPerRoute",
                                "credentials": [],
                                "allowed_clients": list(allowed),
                                # Those of the filter do not hold beside credentials of a route.
                                "forwarding": _FORWARDING,
                            }
                        },
                        "routes": [
                            {
                                "match": {"path": ready_path},
                                "route": {**to_server, "retry_policy": retried},
                                "typed_per_filter_config": {API_KEYS: open_route},
                            },
                            {
                                "match": {"prefix": "/"},
                                "route": {**to_server, "retry_policy": retried},
                                # Only here Envoy reads `hits_addend`.
                                "typed_per_filter_config": {
                                    _RATE_LIMIT: {
                                        "@type": f"{_HTTP}.ratelimit.v3.RateLimitPerRoute",
                                        "rate_limits": _rate_limits(),
                                    }
                                },
                            },
                        ],
                    }
                ],
            }
        ]
    }


def listed(callers: CallersArgs) -> list[Manifest]:
    """The content of `CALLERS`: which keys are whose."""
    return [{"name": one.name, "keys": [key.file for key in one.keys]} for one in callers.allowed]


def _rate_limits() -> list[Manifest]:
    """One request now, no tokens now, and the tokens that were used once they are known."""

    def counted(kind: str) -> list[Manifest]:
        return [
            {"generic_key": {"descriptor_key": KIND, "descriptor_value": kind}},
            {"request_headers": {"header_name": CALLER, "descriptor_key": DESCRIPTOR}},
        ]

    used = f"%DYNAMIC_METADATA({_METADATA}:{_TOTAL})%"
    return [
        {"actions": counted(REQUESTS)},
        {"actions": counted(TOKENS), "hits_addend": {"number": 0}},
        {"actions": counted(TOKENS), "hits_addend": {"format": used}, "apply_on_stream_done": True},
    ]


def _connections(routes: str, fails_open: bool, ready_path: str, drain_seconds: int) -> Manifest:
    manager = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": f"{_TYPE}{manager}",
            "stat_prefix": "rest",
            "rds": {
                "route_config_name": "server",
                "config_source": {
                    "resource_api_version": "V3",
                    "path_config_source": {"path": routes},
                },
            },
            # The load balancer's proxies are the callers; it sets X-Forwarded-For.
            "use_remote_address": False,
            "normalize_path": True,
            "merge_slashes": True,
            "stream_idle_timeout": "0s",
            "drain_timeout": f"{drain_seconds}s",
            # A name that the caller gives itself must not be logged.
            "early_header_mutation_extensions": [
                {
                    "name": "envoy.http.early_header_mutation.header_mutation",
                    "typed_config": {
                        "@type": f"{_TYPE}envoy.extensions.http.early_header_mutation"
                        ".header_mutation.v3.HeaderMutation",
                        "mutations": [{"remove": CALLER}],
                    },
                }
            ],
            "http_filters": [
                _api_keys(),
                _json(),
                _events(),
                _rate_limit(fails_open),
                {
                    "name": "envoy.filters.http.router",
                    "typed_config": {"@type": f"{_HTTP}.router.v3.Router"},
                },
            ],
            "local_reply_config": {"mappers": [_said(*one) for one in _REFUSALS]},
            "access_log": [_audit_log(ready_path)],
        },
    }


def _health(port: int) -> Manifest:
    """A listener that says that Envoy works; it opens when the routes are there."""
    ready = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}
    manager = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    return {
        "name": "health",
        "address": _address("0.0.0.0", port),  # noqa: S104 - in the container
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": {
                            "@type": f"{_TYPE}{manager}",
                            "stat_prefix": "health",
                            "route_config": {
                                "name": "health",
                                "virtual_hosts": [
                                    {"name": "health", "domains": ["*"], "routes": [ready]}
                                ],
                            },
                            "http_filters": [
                                {
                                    "name": "envoy.filters.http.router",
                                    "typed_config": {"@type": f"{_HTTP}.router.v3.Router"},
                                }
                            ],
                        },
                    }
                ]
            }
        ],
    }


def _api_keys() -> Manifest:
    return {
        "name": API_KEYS,
        "typed_config": {
            "@type": f"{_HTTP}.api_key_auth.v3.ApiKeyAuth",
            "key_sources": [{"header": "authorization"}, {"header": "x-api-key"}],
            "forwarding": _FORWARDING,
        },
    }


def _json() -> Manifest:
    def rule(names: Sequence[str], key: str, kind: str) -> Manifest:
        put = {"metadata_namespace": _METADATA, "key": key, "type": kind}
        return {"selectors": [{"key": name} for name in names], "on_present": put}

    def missing(name: str) -> Manifest:
        # Envoy warns of an amount to count that is no number: a list of models has no usage.
        nothing = {"metadata_namespace": _METADATA, "key": name, "value": 0, "type": "NUMBER"}
        return {"on_missing": nothing}

    return {
        "name": "envoy.filters.http.json_to_metadata",
        "typed_config": {
            "@type": f"{_HTTP}.json_to_metadata.v3.JsonToMetadata",
            "request_rules": {"rules": [rule((_MODEL,), _MODEL, "STRING")]},
            "response_rules": {
                "rules": [rule(("usage", one), one, "NUMBER") | missing(one) for one in _USAGE]
            },
        },
    }


def _events() -> Manifest:
    def rule(name: str) -> Manifest:
        put = {"metadata_namespace": _METADATA, "key": name, "type": "NUMBER"}
        return {"rule": {"selectors": [{"key": "usage"}, {"key": name}], "on_present": put}}

    return {
        "name": "envoy.filters.http.sse_to_metadata",
        "typed_config": {
            "@type": f"{_HTTP}.sse_to_metadata.v3.SseToMetadata",
            "response_rules": {
                "content_parser": {
                    "name": "envoy.content_parsers.json",
                    "typed_config": {
                        "@type": f"{_TYPE}envoy.extensions.content_parsers.json.v3"
                        ".JsonContentParser",
                        "rules": [rule(one) for one in _USAGE],
                    },
                },
            },
        },
    }


def _rate_limit(fails_open: bool) -> Manifest:
    return {
        "name": _RATE_LIMIT,
        "typed_config": {
            "@type": f"{_HTTP}.ratelimit.v3.RateLimit",
            "domain": DOMAIN,
            "timeout": _SECONDS_OF_LIMITS,
            "failure_mode_deny": not fails_open,
            "status_on_error": {"code": "ServiceUnavailable"},
            "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
            "disable_x_envoy_ratelimited_header": True,
            "rate_limit_service": {
                "transport_api_version": "V3",
                "grpc_service": {
                    "envoy_grpc": {"cluster_name": "limits"},
                    "timeout": _SECONDS_OF_LIMITS,
                },
            },
        },
    }


_REFUSALS: tuple[tuple[int, str, str, dict[str, str]], ...] = (
    (401, "invalid_api_key", "Send a valid API key: Authorization: Bearer KEY.", {}),
    (403, "model_not_allowed", "This API key may not use this model.", {}),
    (
        429,
        "rate_limit_exceeded",
        "The limit of this API key is reached; retry after the seconds of retry-after.",
        # The seconds until the counters of the minute begin anew.
        {"retry-after": "%RESP(X-RATELIMIT-RESET)%"},
    ),
)


def _said(status: int, code: str, message: str, headers: dict[str, str]) -> Manifest:
    """An error as OpenAI's API writes it, in place of Envoy's own text."""
    equals = {
        "op": "EQ",
        "value": {"default_value": status, "runtime_key": f"callers.status_{status}"},
    }
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return {
        "filter": {"status_code_filter": {"comparison": equals}},
        "headers_to_add": [
            {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for key, value in headers.items()
        ],
        "body_format_override": {
            "json_format": {"error": {key: value for key, value in error.items() if value}}
        },
    }


def _audit_log(ready_path: str) -> Manifest:
    """A line of JSON for each request to the standard output; no prompts and no answers."""
    return {
        "name": "envoy.access_loggers.stdout",
        "filter": {
            "header_filter": {
                "header": {
                    "name": ":path",
                    "string_match": {"exact": ready_path},
                    "invert_match": True,
                }
            }
        },
        "typed_config": {
            "@type": f"{_TYPE}envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            "log_format": {
                "json_format": {
                    "audit": AUDIT,
                    "time": "%START_TIME%",
                    "caller": f"%REQ({CALLER.upper()})%",
                    "model": f"%DYNAMIC_METADATA({_METADATA}:{_MODEL})%",
                    "method": "%REQ(:METHOD)%",
                    "path": "%PATH(NQ)%",
                    "status": "%RESPONSE_CODE%",
                    "reason": "%RESPONSE_CODE_DETAILS%",
                    **{one: f"%DYNAMIC_METADATA({_METADATA}:{one})%" for one in _USAGE},
                    "milliseconds": "%DURATION%",
                    "request_id": "%REQ(X-REQUEST-ID)%",
                    "address": "%REQ(X-FORWARDED-FOR)%",
                }
            },
        },
    }


def _server(host: str, port: int) -> Manifest:
    """The ready pods of the model, which the name of a headless Service has."""
    return {
        "name": "server",
        "type": "STRICT_DNS",
        "connect_timeout": "2s",
        "lb_policy": "LEAST_REQUEST",
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "per_connection_buffer_limit_bytes": LARGEST_BODY,
        "load_assignment": _assignment("server", host, port),
    }


def _limits(host: str, port: int) -> Manifest:
    return {
        "name": "limits",
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {
            _PROTOCOLS: {
                "@type": f"{_TYPE}{_PROTOCOLS}",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
        "load_assignment": _assignment("limits", host, port),
    }


def _assignment(name: str, host: str, port: int) -> Manifest:
    endpoint = {"endpoint": {"address": _address(host, port)}}
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}


def _address(host: str, port: int) -> Manifest:
    return {"socket_address": {"address": host, "port_value": port}}
