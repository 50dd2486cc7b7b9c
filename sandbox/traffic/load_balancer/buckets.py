"""Backend buckets: objects of the emulated storage, as anybody may read them.

The load balancer reads a bucket without credentials. So a bucket that is not public refuses, though
the emulated storage itself asks for no permission.
"""

from __future__ import annotations

import json

from sandbox.gcp.services.compute.place import Place
from sandbox.gcp.services.storage.objects import bucket_key
from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer import cdn, clusters
from sandbox.traffic.load_balancer.route_actions import TYPE, header
from sandbox.traffic.load_balancer.snapshot import Snapshot
from sandbox.traffic.load_balancer.surroundings import Surroundings
from sandbox.traffic.load_balancer.unsupported import Document

_READERS = frozenset(
    {
        "roles/storage.admin",
        "roles/storage.legacyObjectOwner",
        "roles/storage.legacyObjectReader",
        "roles/storage.objectAdmin",
        "roles/storage.objectUser",
        "roles/storage.objectViewer",
    }
)
"""Predefined roles with `storage.objects.get`."""
METHODS = "GET|HEAD|OPTIONS"
_LUA = """
function envoy_on_request(h)
  local name = h:headers():get(":path"):match("^/([^?]*)")
  if name == "" or name:sub(-1) == "/" then name = name .. "{suffix}" end
  local object = "/storage/v1/b/{bucket}/o/" .. name:gsub("/", "%%2F")
  h:headers():replace(":path", object .. "?alt=media")
  h:headers():replace("authorization", "Bearer load-balancer")
  {policy}
end
function envoy_on_response(h)
  if h:headers():get(":status") == "404" then
    h:headers():replace("content-type", "application/xml; charset=UTF-8")
    h:body(true):setBytes({missing})
  elseif h:headers():get("cache-control") == nil then
    h:headers():add("cache-control", "public, max-age=3600")
  end
  {cdn}
end
"""


def _error(code: str, message: str) -> str:
    return (
        "<?xml version='1.0' encoding='UTF-8'?>"
        f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    )


def refusal(snapshot: Snapshot, bucket: str) -> Json:
    """The answer of a bucket that does not exist or is not public; empty where all may read."""
    if snapshot.get(bucket_key(bucket)) is None:
        return _answer(404, _error("NoSuchBucket", "The specified bucket does not exist."))
    kept = snapshot.get(f"policies/{bucket_key(bucket)}") or {}
    bindings = (kept.get("policy") or {}).get("bindings") or ()
    if any(
        one.get("role") in _READERS and "allUsers" in one.get("members", ()) for one in bindings
    ):
        return {}
    return _answer(403, _error("AccessDenied", "Access denied."))


def _answer(status: int, body: str) -> Json:
    kind = header("content-type", "application/xml; charset=UTF-8", replace=True)
    return {
        "direct_response": {"status": status, "body": {"inline_string": body}},
        "response_headers_to_add": [kind],
    }


def cluster(
    place: Place, backend: Document, snapshot: Snapshot, surroundings: Surroundings
) -> Json:
    """The cluster of a backend bucket: the emulator's address, and the way of a path to it.

    With Cloud CDN that is the address of its cache.
    """
    name, is_cached = place.path, surroundings.cdn is not None
    has_cdn = cdn.is_enabled(backend, "enableCdn", is_cached=is_cached)
    is_cached = is_cached and has_cdn
    bucket = backend.text("bucketName")
    website = (snapshot.get(bucket_key(bucket)) or {}).get("website") or {}
    if website.get("notFoundPage"):
        backend.decline("bucketName", "The bucket's notFoundPage is not served; a 404 is Google's.")
    code = (
        _LUA.replace("{suffix}", str(website.get("mainPageSuffix") or ""))
        .replace("{bucket}", bucket)
        .replace("{missing}", json.dumps(_error("NoSuchKey", "The specified key does not exist.")))
        .replace("{policy}", cdn.request_code(place, backend) if is_cached else "")
        .replace("{cdn}", cdn.response_code(backend, is_cached=is_cached) if has_cdn else "")
    )
    port = surroundings.cdn if is_cached else surroundings.storage
    address = {"address": "127.0.0.1", "port_value": port or 1}
    endpoint = {"endpoint": {"address": {"socket_address": address}}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {
            clusters.HTTP_OPTIONS: clusters.protocol("HTTP") | {"http_filters": upstream(code)}
        },
    }


def upstream(code: str) -> list[Json]:
    """Filters between the route and the backend, with a script in Lua."""
    return [
        {
            "name": "envoy.filters.http.lua",
            "typed_config": {
                "@type": f"{TYPE}envoy.extensions.filters.http.lua.v3.Lua",
                "default_source_code": {"inline_string": code},
            },
        },
        {
            "name": "envoy.filters.http.upstream_codec",
            "typed_config": {
                "@type": f"{TYPE}envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec"
            },
        },
    ]
