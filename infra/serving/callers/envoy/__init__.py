"""The configuration of a model's gateway: Envoy 1.40.

Filters, in order: who calls (`api_key_auth`), what it asks for and what the answer has used
(`json_to_metadata`, `sse_to_metadata`), and whether it may (`ratelimit`). For a model behind the
Inference Gateway, then, which pod gets it (`ext_proc`). An answer is not buffered unless it is one
JSON document. The API reference of each filter:
https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/api.
"""

from infra.serving.callers.envoy.bootstrap import ADMIN_PORT, bootstrap
from infra.serving.callers.envoy.names import API_KEYS, AUDIT, CALLER
from infra.serving.callers.envoy.picker import Picker
from infra.serving.callers.envoy.routes import CALLERS, ROUTES, listed, routes

VERSION = "v1.40.0"

__all__ = [
    "ADMIN_PORT",
    "API_KEYS",
    "AUDIT",
    "CALLER",
    "CALLERS",
    "ROUTES",
    "VERSION",
    "Picker",
    "bootstrap",
    "listed",
    "routes",
]
