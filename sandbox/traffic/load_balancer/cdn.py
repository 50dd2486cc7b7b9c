"""Cloud CDN: what clients are told of how long an answer may be kept.

Answers are not kept here: every request reaches the backend. The cache mode and its times are seen
in `Cache-Control`, which is set where the answer arrives from the backend.
"""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.traffic.load_balancer.unsupported import Document

_STATIC = (
    "application/javascript",
    "application/pdf",
    "application/wasm",
    "audio/",
    "font/",
    "image/",
    "text/css",
    "text/ecmascript",
    "text/javascript",
    "video/",
)
"""Content types that CACHE_ALL_STATIC takes for static, or their beginnings
(https://docs.cloud.google.com/cdn/docs/caching#static)."""
_NEGATIVE = {
    300: 600, 301: 600, 308: 600, 404: 120, 405: 60, 410: 120, 421: 60, 451: 120, 501: 60,
}  # fmt: skip
"""Seconds by status of negative caching without a policy of its own."""
_NO_CACHE = "Answers are not cached: every request reaches the backend."
_NOT_DONE = (
    "bypassCacheOnRequestHeaders",
    "cacheKeyPolicy",
    "requestCoalescing",
    "serveWhileStale",
    "signedUrlCacheMaxAgeSec",
    "signedUrlKeyNames",
)


def script(backend: Document) -> str:
    """The script of a backend service, whose answers are its own."""
    return f"function envoy_on_response(h)\n{response_code(backend)}\nend"


def is_enabled(backend: Document, field: str) -> bool:
    """Whether a backend has Cloud CDN; `field` is `enableCDN` or `enableCdn`. It is reported."""
    is_on = backend.flag(field)
    if is_on:
        backend.decline(field, _NO_CACHE)
    return is_on


def response_code(backend: Document) -> str:
    """Lua that sets `cache-control` of a response `h`; empty without a policy."""
    policy = backend.one("cdnPolicy")
    for field in _NOT_DONE:
        policy.decline(field, _NO_CACHE)
    for field in _NOT_DONE:
        policy.value(field)
    mode = policy.text("cacheMode") or "CACHE_ALL_STATIC"
    default, longest = policy.whole("defaultTtl", 3600), policy.whole("maxTtl", 86400)
    # https://docs.cloud.google.com/cdn/docs/using-ttl-overrides: clients keep it no longer.
    client = min(policy.whole("clientTtl", 3600), longest)
    lines = ['local control = h:headers():get("cache-control")']
    lines += ['local status = h:headers():get(":status")', *_negative(policy)]
    if mode == "FORCE_CACHE_ALL":
        lines.append(f'if status == "200" then {_keep(min(client, default))} end')
    elif mode == "CACHE_ALL_STATIC":
        kinds = ", ".join(f'"{one}"' for one in _STATIC)
        lines.append(
            f'local kind = h:headers():get("content-type") or ""\n'
            f'if control == nil and status == "200" then for _, one in ipairs({{{kinds}}}) do\n'
            f"  if kind:sub(1, #one) == one then {_keep(min(client, default))} end\nend end\n"
            'local age = control and control:match("max%-age=(%d+)")\n'
            'if age and (control:find("private") or control:find("no%-store")) then age = nil end\n'
            f"if age and tonumber(age) > {client} then {_keep(client)} end"
        )
    return "\n".join(lines)


def _keep(seconds: int) -> str:
    return f'h:headers():replace("cache-control", "public, max-age={seconds}")'


def _negative(policy: Document) -> Iterator[str]:
    if not policy.flag("negativeCaching"):
        policy.value("negativeCachingPolicy")
        return
    given = {one.whole("code"): one.whole("ttl") for one in policy.many("negativeCachingPolicy")}
    for code, seconds in (given or _NEGATIVE).items():
        yield f'if control == nil and status == "{code}" then {_keep(seconds)} end'
