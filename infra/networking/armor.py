"""Cloud Armor: who is let through to the models, how often, and with which requests."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias

import pulumi
from msgspec import Meta
from pulumi_gcp import compute

from gkeplatform.config import Settings
from gkeplatform.naming import Naming

LOWEST = 2147483647
"""The priority of the rule for whoever no other rule is about; Google's own."""
RANGES_A_RULE = 10
"""https://docs.cloud.google.com/armor/quotas"""
ROLE = "models"

# Quoted: the configuration is read from here by programs that need none of this SDK.
Rule: TypeAlias = "compute.SecurityPolicyRuleArgsDict"
Cidr = Annotated[str, Meta(pattern=r"^[0-9a-fA-F.:]+(/\d{1,3})?$")]
Waf = Literal[
    "sqli", "xss", "lfi", "rfi", "rce", "methodenforcement", "scannerdetection", "protocolattack",
    "php", "sessionfixation", "java", "nodejs",
]  # fmt: skip


class RateLimit(Settings):
    """How often one caller, by address, may ask."""

    requests: Annotated[int, Meta(ge=1, le=1_000_000, description="Requests in the interval.")]
    interval_seconds: Annotated[
        Literal[10, 30, 60, 120, 180, 240, 270, 300, 600, 900, 1200, 1800, 2700, 3600],
        Meta(description="The interval, in seconds."),
    ] = 60
    ban_seconds: Annotated[
        int, Meta(ge=0, le=86400, description="How long who asks more often is kept out; 0: not.")
    ] = 0


class Armor(Settings):
    """The one security policy of the environment's load balancer, in this order."""

    deny: Annotated[
        tuple[Cidr, ...], Meta(description="Ranges that are refused, whatever they ask.")
    ] = ()
    allow: Annotated[
        tuple[Cidr, ...], Meta(description="Ranges that pass without a further look.")
    ] = ()
    waf: Annotated[
        tuple[Waf, ...], Meta(description="Google's rules against known attacks, by their names.")
    ] = ("sqli", "xss", "lfi", "rce", "scannerdetection", "protocolattack")
    sensitivity: Annotated[
        int, Meta(ge=1, le=4, description="Of the rules against attacks; 4 refuses the most.")
    ] = 1
    rate_limit: Annotated[
        RateLimit | None, Meta(description="How often one caller may ask; none: no limit.")
    ] = None
    adaptive_protection: Annotated[
        bool, Meta(description="Let Google learn what is usual, and tell of floods.")
    ] = False
    others: Annotated[
        Literal["allow", "deny"], Meta(description="What happens to everybody else.")
    ] = "allow"
    dry_run: Annotated[bool, Meta(description="Log what would be refused, and refuse nothing.")] = (
        False
    )

    def __post_init__(self) -> None:
        known = {key: [_network(key, one) for one in getattr(self, key)] for key in _LISTS}
        for one in known["allow"]:
            for other in known["deny"]:
                if one == other:
                    raise ValueError(f"allow and deny both name {one}; take it from one of them")
        if self.others == "deny" and not self.allow:
            raise ValueError("others: deny, and nobody in allow: nobody could call a model")


_LISTS = ("allow", "deny")


def _network(key: str, cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(cidr)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def rules(args: Armor) -> list[Rule]:
    """The policy's rules by priority. Pure."""
    return [
        *_by_range(args.deny, "deny(403)", 1000, args),
        *_by_range(args.allow, "allow", 2000, args),
        *_attacks(args),
        *_limits(args),
        {
            "priority": LOWEST,
            "action": "allow" if args.others == "allow" else "deny(403)",
            "description": "everybody else",
            "match": _ranges(["*"]),
        },
    ]


def _ranges(ranges: list[str]) -> compute.SecurityPolicyRuleMatchArgsDict:
    return {"versioned_expr": "SRC_IPS_V1", "config": {"src_ip_ranges": ranges}}


def _by_range(ranges: tuple[str, ...], action: str, first: int, args: Armor) -> Iterator[Rule]:
    parts = [ranges[i : i + RANGES_A_RULE] for i in range(0, len(ranges), RANGES_A_RULE)]
    for turn, some in enumerate(parts):
        yield {
            "priority": first + turn,
            "action": action,
            "description": f"listed ranges, part {turn + 1}",
            "match": _ranges(list(some)),
            "preview": args.dry_run,
        }


def _attacks(args: Armor) -> Iterator[Rule]:
    for turn, name in enumerate(args.waf):
        level = f"{{'sensitivity': {args.sensitivity}}}"
        yield {
            "priority": 3000 + turn,
            "action": "deny(403)",
            "description": f"known attacks: {name}",
            "match": {
                "expr": {"expression": f"evaluatePreconfiguredWaf('{name}-v33-stable', {level})"}
            },
            "preview": args.dry_run,
        }


def _limits(args: Armor) -> Iterator[Rule]:
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
        "priority": 4000,
        "action": "rate_based_ban" if limit.ban_seconds else "throttle",
        "description": "how often one caller may ask",
        "match": _ranges(["*"]),
        "rate_limit_options": options,
        "preview": args.dry_run,
    }


def security_policy(
    name: str, args: Armor | None, *, naming: Naming, opts: pulumi.ResourceOptions
) -> pulumi.Output[str] | None:
    """The link of the policy, for all backend services; None where there is to be none."""
    if args is None:
        return None
    adaptive: compute.SecurityPolicyAdaptiveProtectionConfigArgsDict = {
        "layer7_ddos_defense_config": {"enable": args.adaptive_protection}
    }
    policy = compute.SecurityPolicy(
        name,
        name=naming.of(ROLE),
        type="CLOUD_ARMOR",
        description="Who reaches the models",
        rules=rules(args),
        adaptive_protection_config=adaptive if args.adaptive_protection else None,
        opts=opts,
    )
    return policy.self_link
