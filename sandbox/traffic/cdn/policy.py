"""What Cloud CDN keeps, for how long, and under which key: pure functions.

https://docs.cloud.google.com/cdn/docs/caching has the rules,
https://docs.cloud.google.com/cdn/docs/using-ttl-overrides the times and
https://docs.cloud.google.com/cdn/docs/using-negative-caching the errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from urllib.parse import parse_qsl

import msgspec

STATIC = (
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
"""Content types that CACHE_ALL_STATIC takes for static, or their beginnings."""
NEGATIVE = {
    300: 600, 301: 600, 308: 600, 404: 120, 405: 60, 410: 120, 421: 60, 451: 120, 501: 60,
}  # fmt: skip
"""Seconds by status of negative caching without a policy of its own."""
_SUCCESSES = frozenset({200, 203, 204, 206})
_REDIRECTS = frozenset({300, 301, 302, 307, 308})
_VARIES = frozenset(
    {
        "accept",
        "accept-encoding",
        "access-control-request-headers",
        "access-control-request-method",
        "origin",
        "sec-fetch-dest",
        "sec-fetch-mode",
        "sec-fetch-site",
        "x-goog-allowed-resources",
        "x-origin",
    }
)
"""Headers that `Vary` may name."""
LARGEST = 100 << 20
_AGES = re.compile(r"(s-maxage|max-age)\s*=\s*\"?(\d+)")


class _Code(msgspec.Struct, frozen=True):
    code: int
    ttl: int = 0


class _Key(msgspec.Struct, frozen=True, rename="camel"):
    query_string_whitelist: tuple[str, ...] = ()
    include_http_headers: tuple[str, ...] = ()


class _Bypass(msgspec.Struct, frozen=True, rename="camel"):
    header_name: str


class Policy(msgspec.Struct, frozen=True, rename="camel", dict=True):
    """A `cdnPolicy` of the compute API."""

    backend: str
    """The path of the backend bucket."""
    cache_mode: str = "CACHE_ALL_STATIC"
    default_ttl: int = 3600
    max_ttl: int = 86400
    negative_caching: bool = False
    negative_caching_policy: tuple[_Code, ...] = ()
    serve_while_stale: int = 0
    request_coalescing: bool = False
    cache_key_policy: _Key = _Key()
    bypass_cache_on_request_headers: tuple[_Bypass, ...] = ()

    @cached_property
    def _negative(self) -> Mapping[int, int]:
        given = {one.code: one.ttl for one in self.negative_caching_policy}
        return given or NEGATIVE

    def is_bypassed(self, request: Mapping[str, str]) -> bool:
        """Whether a request goes to the bucket in any case, and its answer is not kept."""
        names = (one.header_name.lower() for one in self.bypass_cache_on_request_headers)
        return any(name in request for name in names)

    def key(self, path: str, query: str, request: Mapping[str, str]) -> tuple[object, ...]:
        """The cache key. Backend buckets leave protocol and host out, and the query unless told."""
        names = self.cache_key_policy.query_string_whitelist
        values = [one for one in parse_qsl(query, keep_blank_values=True) if one[0] in names]
        headers = [request.get(name.lower()) for name in self.cache_key_policy.include_http_headers]
        return self.backend, path, tuple(values), tuple(headers)

    def lifetime(
        self, status: int, headers: Mapping[str, str], request: Mapping[str, str]
    ) -> int | None:
        """For how many seconds an answer is fresh; None for one that is not kept.

        Names of headers are in lower case.
        """
        control = headers.get("cache-control")
        directives = {one.strip().lower().partition("=")[0] for one in (control or "").split(",")}
        is_forced = self.cache_mode == "FORCE_CACHE_ALL"
        is_private = "set-cookie" in headers or directives & {"no-store", "private", "no-cache"}
        is_unwanted = "no-store" in request.get("cache-control", "").lower()
        if is_unwanted or not _varies_little(headers) or (is_private and not is_forced):
            return None
        if status not in _SUCCESSES:
            return self._of_error(status, headers)
        return self.default_ttl if is_forced else self._of_success(headers)

    def _of_success(self, headers: Mapping[str, str]) -> int | None:
        explicit = _explicit(headers)
        if self.cache_mode == "USE_ORIGIN_HEADERS":
            return explicit
        if explicit is not None:
            return min(explicit, self.max_ttl)
        is_static = headers.get("content-type", "").startswith(STATIC)
        return self.default_ttl if is_static else None

    def _of_error(self, status: int, headers: Mapping[str, str]) -> int | None:
        explicit = _explicit(headers)
        if self.negative_caching and status in self._negative:
            forced = self.cache_mode == "FORCE_CACHE_ALL"
            return explicit if explicit is not None and not forced else self._negative[status]
        return explicit if status in _REDIRECTS | {410} else None


def _varies_little(headers: Mapping[str, str]) -> bool:
    return {one.strip().lower() for one in headers.get("vary", "").split(",")} - {""} <= _VARIES


def _explicit(headers: Mapping[str, str]) -> int | None:
    """The seconds that the origin's own headers say; None where they say nothing."""
    ages = dict(_AGES.findall(headers.get("cache-control", "").lower()))
    for name in ("s-maxage", "max-age"):
        if name in ages:
            return int(ages[name])
    expires, date = _time(headers.get("expires")), _time(headers.get("date"))
    if expires is None:
        return 0 if "expires" in headers else None
    now = date or datetime.now(expires.tzinfo)
    return max(0, int((expires - now).total_seconds()))


def _time(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
