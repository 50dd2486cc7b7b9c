"""Rate limits and bans: a counter for each rule, backend and key, in a script of Envoy's.

Envoy's own limits neither ban a client nor count by cookie, path or forwarded address. A script's
tables belong to a worker, so Envoy runs with one. A count ends with its interval. The thresholds
are part of the routes; the counts are kept when those change, and lost with a new listener.

https://docs.cloud.google.com/armor/docs/rate-limiting-overview
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.client import REGION_HEADER
from sandbox.traffic.load_balancer.route_actions import TYPE
from sandbox.traffic.load_balancer.unsupported import Document

FILTER = "armor.limits"
DETAILS = "lua_response"
"""What Envoy says of an answer that the script gave. No other script answers a request."""
_LUA = f"{TYPE}envoy.extensions.filters.http.lua.v3"
_KEYS = {
    "IP": "address",
    "USER_IP": "address",
    "XFF_IP": "forwarded",
    "HTTP_PATH": "path",
    "HTTP_HEADER": "header:",
    "HTTP_COOKIE": "cookie:",
    "REGION_CODE": f"header:{REGION_HEADER}",
}


@dataclass(frozen=True, slots=True)
class Limit:
    """What the script reads of one rule."""

    note: str
    """What the access filter notes of a request that the rule matched."""
    settings: Json


def limit(rule: Document, note: str) -> Limit:
    """The limit of a rule with the action throttle or rate_based_ban."""
    options = rule.one("rateLimitOptions")
    threshold = options.one("rateLimitThreshold")
    exceed = options.text("exceedAction") or "deny(429)"
    options.value("conformAction")
    if exceed == "redirect":
        options.decline("exceedAction", "The request is refused with 429 instead.")
        exceed = "deny(429)"
    settings: Json = {
        "count": threshold.whole("count"),
        "seconds": threshold.whole("intervalSec"),
        "status": exceed.removeprefix("deny(").removesuffix(")"),
        "keys": _keys(options),
    }
    if rule.text("action") == "rate_based_ban":
        beyond = options.one("banThreshold")
        settings["ban"] = {
            "seconds": options.whole("banDurationSec"),
            "count": beyond.whole("count"),
            "interval": beyond.whole("intervalSec"),
        }
    return Limit(f"{note}/{exceed}", settings)


def _keys(options: Document) -> list[str]:
    """What is counted for itself; nothing counts all requests together."""
    configs = options.many("enforceOnKeyConfigs")
    named = [(one.text("enforceOnKeyType"), one.text("enforceOnKeyName"), one) for one in configs]
    single = options.text("enforceOnKey"), options.text("enforceOnKeyName"), options
    keys = []
    for kind, name, where in named or [single]:
        if kind in ("", "ALL"):
            continue
        if kind in _KEYS:
            key = _KEYS[kind]
            keys.append(key + (name if key.endswith(":") else ""))
        else:
            field = "enforceOnKeyType" if named else "enforceOnKey"
            where.decline(field, f"Requests are counted together, not by {kind}.")
    return keys


def per_route(backend: str, limits: list[Limit]) -> Json:
    """The limits of one backend's policy, as the script reads them."""
    rules = {one.note: one.settings for one in limits}
    return {
        "@type": f"{_LUA}.LuaPerRoute",
        "filter_context": {"backend": backend, "rules": rules},
    }


def filter_() -> Json:
    """The script, which lets everything pass on routes without limits."""
    source = files(__package__).joinpath("rate_limits.lua").read_text(encoding="utf-8")
    lua = {"@type": f"{_LUA}.Lua", "default_source_code": {"inline_string": source}}
    return {"name": FILTER, "typed_config": lua}
