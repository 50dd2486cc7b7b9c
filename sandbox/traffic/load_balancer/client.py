"""What the load balancer knows of a client, and the headers that it sets for it.

In the sandbox every client is on loopback. It counts as one public address, unless it names another
in `x-sandbox-client-ip`; its region is what it says in `x-sandbox-client-region`. Both headers are
removed before the request reaches a backend.
"""

from __future__ import annotations

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.route_actions import TYPE, header

ADDRESS = "203.0.113.1"
"""The address of a client that names none: a public one that documentation may use (RFC 5737)."""
ADDRESS_HEADER = "x-sandbox-client-ip"
REGION_HEADER = "x-sandbox-client-region"
BODY_HEADER = "x-sandbox-body"
"""What WAF rules inspect of a request's body. Nobody else may set it."""
INTERNAL_HEADERS = (ADDRESS_HEADER, REGION_HEADER, BODY_HEADER)
_MUTATION = "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
_DETECTION = "envoy.extensions.http.original_ip_detection.custom_header.v3.CustomHeaderConfig"
_ENVOYS_OWN = ("x-envoy-", "x-goog-", "x-google-", "x-gfe-")
"""Prefixes of headers that would steer Envoy, or that only Google sets."""


def connection_settings(address: str, *, is_tls: bool) -> Json:
    """The settings of a connection manager that tell a client's address and mark its requests.

    `address` is the forwarding rule's. https://docs.cloud.google.com/load-balancing/docs/https#
    x-forwarded-for_header: the load balancer appends the client's address and its own.
    """
    prefixes = (*_ENVOYS_OWN, BODY_HEADER)
    removed = [{"remove_on_match": {"key_matcher": {"prefix": one}}} for one in prefixes]
    default = header(ADDRESS_HEADER, ADDRESS, replace=False) | {"append_action": "ADD_IF_ABSENT"}
    forwarded = header("x-forwarded-for", f"%REQ({ADDRESS_HEADER})%,{address}", replace=False)
    scheme = header("x-forwarded-proto", "https" if is_tls else "http", replace=True)
    return {
        "early_header_mutation_extensions": [
            {
                "name": "envoy.http.early_header_mutation.header_mutation",
                "typed_config": {
                    "@type": TYPE + _MUTATION,
                    "mutations": [
                        *removed,
                        *({"append": one} for one in (default, forwarded, scheme)),
                    ],
                },
            }
        ],
        "original_ip_detection_extensions": [
            {
                "name": "envoy.http.original_ip_detection.custom_header",
                "typed_config": {"@type": TYPE + _DETECTION, "header_name": ADDRESS_HEADER},
            }
        ],
        "use_remote_address": False,
        "skip_xff_append": True,
        "via": "1.1 google",
        "generate_request_id": False,
        "server_header_transformation": "PASS_THROUGH",
    }
