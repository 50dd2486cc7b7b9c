"""Session affinity: what of a request decides which endpoint receives it."""

from __future__ import annotations

from typing import Any

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.unsupported import Document

COOKIE = "GCLB"
"""The cookie of GENERATED_COOKIE."""


def policies(service: Document) -> list[Json]:
    """Envoy's hash policies of a backend service; none without affinity."""
    kind = service.text("sessionAffinity") or "NONE"
    ttl = service.whole("affinityCookieTtlSec")
    hashed = service.one("consistentHash")
    if kind == "NONE":
        return []
    if kind == "GENERATED_COOKIE":
        return [{"cookie": {"name": COOKIE, "ttl": f"{ttl}s", "path": "/"}}]
    if kind == "CLIENT_IP":
        return [{"connection_properties": {"source_ip": True}}]
    if kind == "HEADER_FIELD":
        return [{"header": {"header_name": hashed.text("httpHeaderName")}}]
    if kind == "HTTP_COOKIE":
        return [{"cookie": _cookie(hashed.one("httpCookie"))}]
    service.decline("sessionAffinity", f"{kind} is not carried out: each request goes anywhere.")
    return []


def _cookie(cookie: Document) -> Json:
    found: dict[str, Any] = {"name": cookie.text("name"), "path": cookie.text("path") or "/"}
    if ttl := cookie.duration("ttl"):
        found["ttl"] = ttl
    return found
