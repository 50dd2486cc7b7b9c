"""The files that are followed while Envoy runs: its routes, with the keys, and the callers."""

from collections.abc import Sequence

from infra.serving.callers.envoy.names import (
    API_KEYS,
    CALLER,
    FORWARDING,
    HTTP,
    METADATA,
    RATE_LIMIT,
    TOTAL,
    TYPE,
)
from infra.serving.callers.envoy.picker import PICKER, unasked
from infra.serving.callers.limits import CALLER as DESCRIPTOR
from infra.serving.callers.limits import KIND, REQUESTS, TOKENS
from infra.serving.callers.settings import CallersArgs
from infra.serving.manifest import Manifest

ROUTES = "routes.json"
"""The file of the routes, which has the keys."""
CALLERS = "callers.json"
"""The file that says which keys are whose."""


def routes(
    *,
    allowed: Sequence[str],
    ready_path: str,
    timeout_seconds: int,
    asks_picker: bool = False,
    starts: bool = False,
) -> Manifest:
    """The content of `ROUTES` without keys: `caller_keys.py` adds them in the pod.

    `ready_path` is answered to anyone: health checks have no key. They ask no picker either. The
    server answers, except where requests start it (`starts`). A load balancer sends nothing to a
    gateway that it finds unhealthy: then no request would reach the picker that counts them.
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
                    "@type": f"{TYPE}envoy.extensions.retry.host.previous_hosts.v3"
                    ".PreviousHostsPredicate"
                },
            }
        ],
    }
    ready = (
        {"direct_response": {"status": 200}}
        if starts
        else {"route": {**to_server, "retry_policy": retried}}
    )
    open_route = {"@type": f"{TYPE}envoy.config.route.v3.FilterConfig", "disabled": True}
    return {
        "resources": [
            {
                "@type": f"{TYPE}envoy.config.route.v3.RouteConfiguration",
                "name": "server",
                "virtual_hosts": [
                    {
                        "name": "server",
                        "domains": ["*"],
                        "typed_per_filter_config": {
                            API_KEYS: {
                                "@type": f"{HTTP}.api_key_auth.v3.ApiKeyAuthPerRoute",
                                "credentials": [],
                                "allowed_clients": list(allowed),
                                # Those of the filter do not hold beside credentials of a route.
                                "forwarding": FORWARDING,
                            }
                        },
                        "routes": [
                            {
                                "match": {"path": ready_path},
                                **ready,
                                "typed_per_filter_config": {
                                    API_KEYS: open_route,
                                    **({PICKER: unasked()} if asks_picker else {}),
                                },
                            },
                            {
                                "match": {"prefix": "/"},
                                "route": {**to_server, "retry_policy": retried},
                                # Only here Envoy reads `hits_addend`.
                                "typed_per_filter_config": {
                                    RATE_LIMIT: {
                                        "@type": f"{HTTP}.ratelimit.v3.RateLimitPerRoute",
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

    used = f"%DYNAMIC_METADATA({METADATA}:{TOTAL})%"
    return [
        {"actions": counted(REQUESTS)},
        {"actions": counted(TOKENS), "hits_addend": {"number": 0}},
        {"actions": counted(TOKENS), "hits_addend": {"format": used}, "apply_on_stream_done": True},
    ]
