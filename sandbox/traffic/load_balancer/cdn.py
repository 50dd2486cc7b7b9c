"""Cloud CDN: the way of a bucket's requests through the cache, and what clients are told.

`sandbox.traffic.cdn` keeps answers of backend buckets. Those of backend services are not kept. How
long clients may keep an answer is set where it arrives from the backend or from the cache.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from sandbox.gcp.services.compute.place import Place
from sandbox.gcp.store import Json
from sandbox.traffic.cdn.policy import NEGATIVE, STATIC
from sandbox.traffic.cdn.server import ASKED_HEADER, POLICY_HEADER, STATUS_HEADER
from sandbox.traffic.load_balancer.route_actions import TYPE, header
from sandbox.traffic.load_balancer.unsupported import Document

FILTER = "cdn"
STATUS = f"%RESP({STATUS_HEADER})%"
"""What the cache did, for a header of the answer."""
NOTED = "%DYNAMIC_METADATA(sandbox:cache)%"
"""The same, for a log."""
_NO_CACHE = "Answers are not cached: every request reaches the backend."
_NOT_SIGNED = "URLs and cookies are not signed: everybody may read what the bucket lets all read."
_SIGNED = ("signedUrlCacheMaxAgeSec", "signedUrlKeyNames")
_KEPT = (
    "bypassCacheOnRequestHeaders",
    "cacheKeyPolicy",
    "cacheMode",
    "defaultTtl",
    "maxTtl",
    "negativeCaching",
    "negativeCachingPolicy",
    "requestCoalescing",
    "serveWhileStale",
)
_NOTE = f"""
function envoy_on_response(h)
  local status = h:headers():get("{STATUS_HEADER}")
  if status == nil then return end
  h:streamInfo():dynamicMetadata():set("sandbox", "cache", status)
  h:headers():remove("{STATUS_HEADER}")
end
"""
_NOT_DONE = (
    "bypassCacheOnRequestHeaders",
    "cacheKeyPolicy",
    "requestCoalescing",
    "serveWhileStale",
)


def filter_() -> Json:
    """The filter that notes what the cache did; off but for buckets with Cloud CDN."""
    return {
        "name": FILTER,
        "disabled": True,
        "typed_config": {
            "@type": f"{TYPE}envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string": _NOTE},
        },
    }


def per_route() -> Json:
    """What a route to a bucket with Cloud CDN has: that filter, and a header for the cache."""
    asked = header(ASKED_HEADER, "%DYNAMIC_METADATA(sandbox:asked)%", replace=True)
    on = {
        "@type": f"{TYPE}envoy.extensions.filters.http.lua.v3.LuaPerRoute",
        "source_code": {"inline_string": _NOTE},
    }
    return {"headers": {"request_headers_to_add": [asked]}, "filters": {FILTER: on}}


def request_code(place: Place, bucket: Document) -> str:
    """Lua that gives the bucket's policy to the cache, with a request `h`."""
    policy = bucket.one("cdnPolicy")
    found = {field: policy.value(field) for field in _KEPT if policy.has(field)}
    text = json.dumps({"backend": place.path, **found}, sort_keys=True)
    return f'h:headers():replace("{POLICY_HEADER}", {json.dumps(text)})'


def script(backend: Document) -> str:
    """The script of a backend service, whose answers are its own."""
    return f"function envoy_on_response(h)\n{response_code(backend)}\nend"


def is_enabled(backend: Document, field: str, *, is_cached: bool = False) -> bool:
    """Whether a backend has Cloud CDN; `field` is `enableCDN` or `enableCdn`.

    It is reported where nothing is kept.
    """
    is_on = backend.flag(field)
    if is_on and not is_cached:
        backend.decline(field, _NO_CACHE)
    return is_on


def response_code(backend: Document, *, is_cached: bool = False) -> str:
    """Lua that sets `cache-control` of a response `h`; empty without a policy."""
    policy = backend.one("cdnPolicy")
    for field in _SIGNED:
        policy.decline(field, _NOT_SIGNED)
    for field in () if is_cached else _NOT_DONE:
        policy.decline(field, _NO_CACHE)
    for field in (*_NOT_DONE, *_SIGNED):
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
        kinds = ", ".join(f'"{one}"' for one in STATIC)
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
    for code, seconds in (given or NEGATIVE).items():
        yield f'if control == nil and status == "{code}" then {_keep(seconds)} end'
