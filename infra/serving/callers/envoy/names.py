"""Names that several parts of a gateway's configuration use: Envoy's, and ours."""

from infra.serving.manifest import Manifest

CALLER = "x-caller"
"""The header in which the model server gets the caller's name."""
AUDIT = "callers"
"""Value of `audit` in each line of the audit log."""
API_KEYS = "envoy.filters.http.api_key_auth"
RATE_LIMIT = "envoy.filters.http.ratelimit"
TYPE = "type.googleapis.com/"
HTTP = f"{TYPE}envoy.extensions.filters.http"
MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
METADATA = "callers"
"""Namespace of what the filters learn of a request and its answer."""
MODEL, TOTAL = "model", "total_tokens"
USAGE = ("prompt_tokens", "completion_tokens", TOTAL)
FORWARDING: Manifest = {"header": CALLER, "hide_credentials": True}
ROUTER: Manifest = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": f"{HTTP}.router.v3.Router"},
}


def address(host: str, port: int) -> Manifest:
    """A TCP address."""
    return {"socket_address": {"address": host, "port_value": port}}
