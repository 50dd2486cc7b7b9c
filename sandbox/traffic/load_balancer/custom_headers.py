"""The custom headers of a backend, with what can be known of the variables in them.

https://docs.cloud.google.com/load-balancing/docs/https/custom-headers-global lists the variables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer import cdn
from sandbox.traffic.load_balancer.client import REGION_HEADER
from sandbox.traffic.load_balancer.route_actions import header, literal
from sandbox.traffic.load_balancer.unsupported import Document

_VARIABLE = re.compile(r"\{(\w+)\}")
_KNOWN = {
    "client_ip_address": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "client_port": "%DOWNSTREAM_DIRECT_REMOTE_PORT%",
    "client_protocol": "%PROTOCOL%",
    "client_region": f"%REQ({REGION_HEADER})%",
    "tls_sni_hostname": "%REQUESTED_SERVER_NAME%",
    "tls_version": "%DOWNSTREAM_TLS_VERSION%",
}


def custom_headers(backend: Document, *, is_cached: bool = False) -> Json:
    """The headers to add to requests and to responses; `is_cached`: Cloud CDN keeps answers."""
    known = _KNOWN | {"cdn_cache_status": cdn.STATUS if is_cached else "disabled"}
    found: Json = {}
    for side, field in (("request", "customRequestHeaders"), ("response", "customResponseHeaders")):
        lines = backend.texts(field)
        if lines:
            found[f"{side}_headers_to_add"] = [
                _header(backend, field, line, known) for line in lines
            ]
    return found


def _header(backend: Document, field: str, line: str, known: Mapping[str, str]) -> Json:
    name, _, value = line.partition(":")
    unknown = sorted(set(_VARIABLE.findall(value)) - set(known))
    if unknown:
        why = f"The sandbox knows nothing of {', '.join(unknown)}: empty in {name.strip()}."
        backend.decline(field, why)
    filled = _VARIABLE.sub(lambda m: f"\0{m[1]}\0", value.strip())
    parts = filled.split("\0")
    # Every second part is a variable's name.
    text = "".join(
        known.get(part, "") if index % 2 else literal(part) for index, part in enumerate(parts)
    )
    return header(name.strip(), text, replace=True)
