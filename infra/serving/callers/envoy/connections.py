"""The manager of the callers' connections: its filters, refusals and log."""

from infra.serving.callers.envoy.audit import audit_log
from infra.serving.callers.envoy.filters import (
    api_keys,
    rate_limit,
    usage_of_documents,
    usage_of_streams,
)
from infra.serving.callers.envoy.names import CALLER, MANAGER, ROUTER, TYPE
from infra.serving.callers.envoy.picker import Picker, asking
from infra.serving.callers.envoy.refusals import refusals
from infra.serving.manifest import Manifest


def connections(
    routes: str, fails_open: bool, ready_path: str, drain_seconds: int, picker: Picker | None
) -> Manifest:
    """The manager of the callers' connections; its routes are the file `routes`.

    The picker is asked last: it sees no request that a key or a limit refuses.
    """
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": f"{TYPE}{MANAGER}",
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
                        "@type": f"{TYPE}envoy.extensions.http.early_header_mutation"
                        ".header_mutation.v3.HeaderMutation",
                        "mutations": [{"remove": CALLER}],
                    },
                }
            ],
            "http_filters": [
                api_keys(),
                usage_of_documents(),
                usage_of_streams(),
                rate_limit(fails_open),
                *([asking(picker)] if picker else []),
                ROUTER,
            ],
            "local_reply_config": {"mappers": refusals(asks_picker=picker is not None)},
            "access_log": [audit_log(ready_path)],
        },
    }
