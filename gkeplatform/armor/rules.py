"""Rules of the Cloud Armor security policies in front of the models, and their settings.

A global load balancer takes a global policy, a regional one a policy of its region. Both have these
rules; only a global one has Adaptive Protection.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, cast

from msgspec import Meta

from gkeplatform.armor import waf
from gkeplatform.armor.waf import Exclusion, Waf
from gkeplatform.config import Settings

if TYPE_CHECKING:
    from pulumi_gcp import compute

DEFAULT_PRIORITY = 2147483647
"""Priority of the default rule, which every policy has."""
RANGES_PER_RULE = 10
"""https://docs.cloud.google.com/armor/quotas"""
BANNING_REQUESTS = 10_000
"""https://docs.cloud.google.com/armor/docs/rate-limiting-overview"""

# Quoted: the configuration is read from here by programs that need none of this SDK.
Rule: TypeAlias = "compute.SecurityPolicyRuleArgsDict"
Cidr = Annotated[str, Meta(pattern=r"^[0-9a-fA-F.:]+(/\d{1,3})?$")]


class RateLimit(Settings):
    """Rate limit per client IP address."""

    requests: Annotated[int, Meta(ge=1, le=1_000_000, description="Requests per interval.")]
    interval_seconds: Annotated[
        Literal[10, 30, 60, 120, 180, 240, 270, 300, 600, 900, 1200, 1800, 2700, 3600],
        Meta(description="Interval in seconds."),
    ] = 60
    ban_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=86400,
            description="Seconds a client over the limit is banned; 0: only throttled.",
        ),
    ] = 0

    def __post_init__(self) -> None:
        if self.ban_seconds and self.requests > BANNING_REQUESTS:
            raise ValueError(
                f"requests {self.requests} exceeds {BANNING_REQUESTS}, the most that Cloud Armor "
                "counts for a ban; lower it with interval_seconds, or set ban_seconds: 0"
            )


class ArmorRules(Settings):
    """A security policy. Rules apply in the order of these keys."""

    deny: Annotated[tuple[Cidr, ...], Meta(description="IP ranges that are always denied.")] = ()
    allow: Annotated[
        tuple[Cidr, ...], Meta(description="IP ranges that are allowed without further checks.")
    ] = ()
    waf: Annotated[tuple[Waf, ...], Meta(description="Preconfigured WAF rules, by name.")] = (
        "sqli",
        "xss",
        "lfi",
        "rce",
        "scannerdetection",
        "protocolattack",
    )
    sensitivity: Annotated[
        int, Meta(ge=1, le=4, description="Sensitivity of the WAF rules; 4 denies the most.")
    ] = 1
    exclusions: Annotated[
        tuple[Exclusion, ...],
        Meta(
            description="What WAF rules do not inspect. Bodies of models with `free_text` are "
            "excluded already."
        ),
    ] = ()
    json_parsing: Annotated[
        bool,
        Meta(description="Inspect the values of JSON bodies, instead of the body as one text."),
    ] = True
    rate_limit: Annotated[
        RateLimit | None, Meta(description="Rate limit per client IP. Default: no limit.")
    ] = None
    others: Annotated[
        Literal["allow", "deny"], Meta(description="Action for requests that match no other rule.")
    ] = "allow"
    dry_run: Annotated[
        bool, Meta(description="Preview mode: log what would be denied, and deny nothing.")
    ] = False

    def __post_init__(self) -> None:
        known = {key: [_network(key, one) for one in getattr(self, key)] for key in _LISTS}
        for one in known["allow"]:
            for other in known["deny"]:
                if one == other:
                    raise ValueError(f"allow and deny both list {one}; remove it from one of them")
        if self.others == "deny" and not self.allow:
            raise ValueError(
                "others: deny with an empty allow list denies every request; list ranges in allow"
            )
        waf.check(self)


_LISTS = ("allow", "deny")


def _network(key: str, cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(cidr)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def rules(args: ArmorRules, *, free_text: bool = False) -> list[Rule]:
    """The rules of the policy, by priority. `free_text`: WAF rules do not inspect bodies."""
    return [
        *_range_rules(args.deny, "deny(403)", 1000, args),
        *_range_rules(args.allow, "allow", 2000, args),
        *(cast("Rule", rule) for rule in waf.rules(args, free_text=free_text)),
        *_rate_limit_rules(args),
        {
            "priority": DEFAULT_PRIORITY,
            "action": "allow" if args.others == "allow" else "deny(403)",
            "description": "default rule",
            "match": _ranges(["*"]),
        },
    ]


def _ranges(ranges: list[str]) -> compute.SecurityPolicyRuleMatchArgsDict:
    return {"versioned_expr": "SRC_IPS_V1", "config": {"src_ip_ranges": ranges}}


def _range_rules(
    ranges: tuple[str, ...], action: str, first: int, args: ArmorRules
) -> Iterator[Rule]:
    parts = [ranges[i : i + RANGES_PER_RULE] for i in range(0, len(ranges), RANGES_PER_RULE)]
    for index, part in enumerate(parts):
        yield {
            "priority": first + index,
            "action": action,
            "description": f"listed IP ranges, part {index + 1}",
            "match": _ranges(list(part)),
            "preview": args.dry_run,
        }


def _rate_limit_rules(args: ArmorRules) -> Iterator[Rule]:
    limit = args.rate_limit
    if limit is None:
        return
    options: compute.SecurityPolicyRuleRateLimitOptionsArgsDict = {
        "conform_action": "allow",
        "exceed_action": "deny(429)",
        "enforce_on_key": "IP",
        "rate_limit_threshold": {
            "count": limit.requests,
            "interval_sec": limit.interval_seconds,
        },
    }
    if limit.ban_seconds:
        options["ban_duration_sec"] = limit.ban_seconds
    yield {
        # Google does not turn a rule that bans into one that throttles: they are two rules.
        "priority": 4001 if limit.ban_seconds else 4000,
        "action": "rate_based_ban" if limit.ban_seconds else "throttle",
        "description": "rate limit per client IP address",
        "match": _ranges(["*"]),
        "rate_limit_options": options,
        "preview": args.dry_run,
    }
