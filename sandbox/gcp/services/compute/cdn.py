"""Cloud CDN settings of backend services and backend buckets, by cache mode.

https://docs.cloud.google.com/cdn/docs/using-ttl-overrides: with USE_ORIGIN_HEADERS, the origin
decides alone; with FORCE_CACHE_ALL, there is no maximum.
"""

from __future__ import annotations

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import invalid

_DEFAULTS: dict[str, dict[str, int]] = {
    "CACHE_ALL_STATIC": {"defaultTtl": 3600, "clientTtl": 3600, "maxTtl": 86400},
    "FORCE_CACHE_ALL": {"defaultTtl": 3600, "clientTtl": 3600},
    "USE_ORIGIN_HEADERS": {},
}
_SPELLED = {"defaultTtl": "default_ttl", "clientTtl": "client_ttl", "maxTtl": "max_ttl"}
_LONGEST = 31_622_400
"""Seconds of a year, the longest TTL."""


def complete(policy: Json) -> None:
    """Set the TTLs of a CDN policy, and refuse those that its cache mode does not take."""
    mode = policy.setdefault("cacheMode", "CACHE_ALL_STATIC")
    allowed = _DEFAULTS.get(mode, {})
    for field, spelled in _SPELLED.items():
        given = policy.get(field)
        if given is None:
            continue
        if field not in allowed:
            why = f"{spelled} cannot be specified with {mode} cache_mode."
            raise invalid(f"resource.cdnPolicy.{field}", given, why)
        if not 0 <= given <= _LONGEST:
            why = f"It must be between 0 and {_LONGEST}."
            raise invalid(f"resource.cdnPolicy.{field}", given, why)
    for field, value in allowed.items():
        policy.setdefault(field, min(value, policy.get("maxTtl", value)))
    longest = policy.get("maxTtl")
    for field in ("defaultTtl", "clientTtl"):
        if longest is not None and policy[field] > longest:
            why = f"{_SPELLED[field]} must be less than or equal to max_ttl."
            raise invalid(f"resource.cdnPolicy.{field}", policy[field], why)
