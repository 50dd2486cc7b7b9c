"""Throttling rules as Envoy's local rate limit: one bucket for each rule, backend and key.

A bucket is filled once an interval, so that the threshold holds for each interval. The limits are
part of the routes: a change of those begins to count anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.client import REGION_HEADER
from sandbox.traffic.load_balancer.route_actions import TYPE
from sandbox.traffic.load_balancer.unsupported import Document

FILTER = "envoy.filters.http.local_ratelimit"
_LIMIT = f"{TYPE}envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
_NOTE = "rule"
_CLIENTS = 10_000
"""Keys that are told apart at most; the least recent one is forgotten."""
_HUGE = {"max_tokens": 4_000_000_000, "tokens_per_fill": 4_000_000_000, "fill_interval": "1s"}


@dataclass(frozen=True, slots=True)
class Limit:
    """The threshold of one rule."""

    note: str
    """What the access filter notes of a request that the rule matched."""
    count: int
    seconds: int
    keys: tuple[tuple[str, str], ...]
    """Kind and name of what is counted for itself; nothing counts all requests together."""
    exceed: str


def limit(rule: Document, note: str) -> Limit:
    """The limit of a rule with the action throttle or rate_based_ban."""
    options = rule.one("rateLimitOptions")
    threshold = options.one("rateLimitThreshold")
    exceed = options.text("exceedAction") or "deny(429)"
    options.value("conformAction")
    for field in ("banDurationSec", "banThreshold"):
        options.decline(field, "A client over the threshold is throttled, not banned.")
    configs = options.many("enforceOnKeyConfigs")
    named = [(one.text("enforceOnKeyType"), one.text("enforceOnKeyName"), one) for one in configs]
    single = options.text("enforceOnKey"), options.text("enforceOnKeyName"), options
    keys = []
    for kind, name, where in named or [single]:
        key = _key(kind or "ALL", name)
        if key is None:
            field = "enforceOnKeyType" if named else "enforceOnKey"
            where.decline(field, f"Requests are counted together, not by {kind}.")
        elif key[0]:
            keys.append(key)
    if exceed == "redirect":
        options.decline("exceedAction", "The request is refused with 429 instead.")
        exceed = "deny(429)"
    return Limit(
        note=f"{note}/{exceed}",
        count=threshold.whole("count"),
        seconds=threshold.whole("intervalSec"),
        keys=tuple(keys),
        exceed=exceed,
    )


def _key(kind: str, name: str) -> tuple[str, str] | None:
    if kind == "ALL":
        return "", ""
    if kind in ("IP", "USER_IP"):
        return "remote_address", ""
    if kind == "HTTP_HEADER":
        return "header", name.lower()
    if kind == "REGION_CODE":
        return "header", REGION_HEADER
    return None


def per_routes(limits: Iterable[Limit]) -> Json:
    """The limits as configuration of the filter for all routes; nothing without limits."""
    found = list({one.note: one for one in limits}.values())
    if not found:
        return {}
    keys = sorted({one.keys for one in found})
    return {
        FILTER: empty()
        | {
            "filter_enabled": {"default_value": {"numerator": 100}},
            "filter_enforced": {"default_value": {"numerator": 100}},
            "token_bucket": _HUGE,
            "max_dynamic_descriptors": _CLIENTS,
            "always_consume_default_token_bucket": False,
            "descriptors": [_descriptor(one) for one in found],
            "rate_limits": [{"actions": _actions(one)} for one in keys],
        }
    }


def empty() -> Json:
    """The filter's own configuration, which limits nothing."""
    return {"@type": _LIMIT, "stat_prefix": "armor"}


def _descriptor(one: Limit) -> Json:
    entries = [
        {"key": _NOTE, "value": one.note},
        {"key": "destination_cluster"},
        *({"key": _entry(key)} for key in one.keys),
    ]
    bucket = {
        "max_tokens": one.count,
        "tokens_per_fill": one.count,
        "fill_interval": f"{one.seconds}s",
    }
    return {"entries": entries, "token_bucket": bucket}


def _entry(key: tuple[str, str]) -> str:
    return key[1] or key[0]


def _noted() -> Json:
    path = [{"key": "armor_shadow_effective_policy_id"}]
    where = {"key": "envoy.filters.http.rbac", "path": path}
    return {"metadata": {"descriptor_key": _NOTE, "metadata_key": where}}


def _actions(keys: tuple[tuple[str, str], ...]) -> list[Json]:
    return [_noted(), {"destination_cluster": {}}, *map(_action, keys)]


def _action(key: tuple[str, str]) -> Json:
    kind, name = key
    if kind == "header":
        return {"request_headers": {"header_name": name, "descriptor_key": name}}
    return {"remote_address": {}}
