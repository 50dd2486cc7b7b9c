"""The HTTP filters: who calls, what it asks for and uses, and whether it may."""

from collections.abc import Sequence

from infra.serving.callers.envoy.names import (
    API_KEYS,
    FORWARDING,
    HTTP,
    METADATA,
    MODEL,
    RATE_LIMIT,
    TYPE,
    USAGE,
)
from infra.serving.callers.limits import DOMAIN
from infra.serving.manifest import Manifest

_SECONDS_OF_LIMITS = "0.5s"


def api_keys() -> Manifest:
    """The filter that knows the caller by its key. The keys are in the routes."""
    return {
        "name": API_KEYS,
        "typed_config": {
            "@type": f"{HTTP}.api_key_auth.v3.ApiKeyAuth",
            "key_sources": [{"header": "authorization"}, {"header": "x-api-key"}],
            "forwarding": FORWARDING,
        },
    }


def usage_of_documents() -> Manifest:
    """The filter that reads the model of a request, and the tokens of an answer in one document."""

    def rule(names: Sequence[str], key: str, kind: str) -> Manifest:
        put = {"metadata_namespace": METADATA, "key": key, "type": kind}
        return {"selectors": [{"key": name} for name in names], "on_present": put}

    def missing(name: str) -> Manifest:
        # Envoy warns of an amount to count that is no number: a list of models has no usage.
        nothing = {"metadata_namespace": METADATA, "key": name, "value": 0, "type": "NUMBER"}
        return {"on_missing": nothing}

    return {
        "name": "envoy.filters.http.json_to_metadata",
        "typed_config": {
            "@type": f"{HTTP}.json_to_metadata.v3.JsonToMetadata",
            "request_rules": {"rules": [rule((MODEL,), MODEL, "STRING")]},
            "response_rules": {
                "rules": [rule(("usage", one), one, "NUMBER") | missing(one) for one in USAGE]
            },
        },
    }


def usage_of_streams() -> Manifest:
    """The filter that reads the tokens of a stream, which are in its last event."""

    def rule(name: str) -> Manifest:
        put = {"metadata_namespace": METADATA, "key": name, "type": "NUMBER"}
        return {"rule": {"selectors": [{"key": "usage"}, {"key": name}], "on_present": put}}

    return {
        "name": "envoy.filters.http.sse_to_metadata",
        "typed_config": {
            "@type": f"{HTTP}.sse_to_metadata.v3.SseToMetadata",
            "response_rules": {
                "content_parser": {
                    "name": "envoy.content_parsers.json",
                    "typed_config": {
                        "@type": f"{TYPE}envoy.extensions.content_parsers.json.v3"
                        ".JsonContentParser",
                        "rules": [rule(one) for one in USAGE],
                    },
                },
            },
        },
    }


def rate_limit(fails_open: bool) -> Manifest:
    """The filter that asks the rate limit service; whether to pass while nobody answers."""
    return {
        "name": RATE_LIMIT,
        "typed_config": {
            "@type": f"{HTTP}.ratelimit.v3.RateLimit",
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
