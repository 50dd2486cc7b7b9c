"""Asking a model's endpoint picker for the pod of each request, once the caller is known.

A picker answers Envoy's `ext_proc`, and names the pod in dynamic metadata: the endpoint picker
protocol of the Gateway API Inference Extension v1.5.0, docs/proposals/004-endpoint-picker-protocol.
"""

from dataclasses import dataclass

from infra.serving.callers.envoy.names import HTTP, TYPE
from infra.serving.manifest import Manifest

PICKER = "envoy.filters.http.ext_proc"
CLUSTER = "picker"
_NAMESPACE, _DESTINATION = "envoy.lb", "x-gateway-destination-endpoint"
_TIMEOUT = "10s"
"""The longest that a load balancer of Google waits for a callout:
https://docs.cloud.google.com/service-extensions/docs/quotas. Envoy has no timeout of messages while
bodies are streamed both ways; then the load balancer's ends a request that no picker answers."""
_POLICIES = "envoy.extensions.load_balancing_policies"
_TLS = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picker:
    """Where a model's endpoint picker is, and what happens while none answers."""

    host: str
    """Its name, which has the addresses of the pickers that are ready."""
    port: int
    fails_open: bool
    """Whether requests go to any pod while no picker answers."""


def asking(picker: Picker) -> Manifest:
    """The filter that asks the picker, which sees the whole request and no answer.

    Envoy would show it the refusals of other filters as well, and fail with them while no picker
    runs. An answer that passes it by is not cut when the picker moves. It chooses by what the
    servers measure; only its own metrics of answers stay empty.
    """
    return {
        "name": PICKER,
        "typed_config": {
            "@type": f"{HTTP}.ext_proc.v3.ExternalProcessor",
            "grpc_service": {"envoy_grpc": {"cluster_name": CLUSTER}},
            "failure_mode_allow": picker.fails_open,
            "status_on_error": {"code": "ServiceUnavailable"},
            "message_timeout": _TIMEOUT,
            "processing_mode": {
                "request_header_mode": "SEND",
                "request_body_mode": "FULL_DUPLEX_STREAMED",
                "request_trailer_mode": "SEND",
                "response_header_mode": "SKIP",
                "response_body_mode": "NONE",
                "response_trailer_mode": "SKIP",
            },
            # It sets headers of its own, and the length.
            "mutation_rules": {"allow_all_routing": {"value": True}},
            "metadata_options": {"receiving_namespaces": {"untyped": [_NAMESPACE]}},
            # The route depends on no header that the picker sets.
            "route_cache_action": "RETAIN",
        },
    }


def unasked() -> Manifest:
    """The filter's configuration for a route whose requests go to any pod."""
    return {"@type": f"{HTTP}.ext_proc.v3.ExtProcPerRoute", "disabled": True}


def named_pod() -> Manifest:
    """The load balancing of the model's pods: the one that the picker names.

    Where it names none, or one that has gone, any.
    """
    name = "envoy.load_balancing_policies"
    key = {"key": _NAMESPACE, "path": [{"key": _DESTINATION}]}
    least = {
        "name": f"{name}.least_request",
        "typed_config": {"@type": f"{TYPE}{_POLICIES}.least_request.v3.LeastRequest"},
    }
    chosen = {
        "name": f"{name}.override_host",
        "typed_config": {
            "@type": f"{TYPE}{_POLICIES}.override_host.v3.OverrideHost",
            "override_host_sources": [{"metadata": key}],
            "fallback_policy": {"policies": [{"typed_extension_config": least}]},
        },
    }
    return {"policies": [{"typed_extension_config": chosen}]}


def encrypted() -> Manifest:
    """The transport to the picker: TLS with a certificate that it makes at its start.

    Nobody has signed it; network policies say who answers.
    """
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{TYPE}{_TLS}",
            "common_tls_context": {"alpn_protocols": ["h2"]},
        },
    }
