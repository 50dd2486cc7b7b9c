"""The Cloud Armor security policies of the global load balancer's backends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import pulumi
from msgspec import Meta
from pulumi_gcp import compute

from gkeplatform.armor.rules import ArmorRules, rules
from gkeplatform.contracts import ServedModel
from gkeplatform.naming import Naming

ROLE, FREE_TEXT_ROLE = "models", "models-free-text"


class Armor(ArmorRules):
    """The load balancer's security policies. Rules apply in the order of these keys."""

    adaptive_protection: Annotated[
        bool, Meta(description="Adaptive Protection: alerts on layer 7 DDoS attacks.")
    ] = False


def security_policies(
    args: Armor | None,
    *,
    models: Sequence[ServedModel],
    naming: Naming,
    opts: pulumi.ResourceOptions,
) -> dict[str, pulumi.Output[str]]:
    """Declares the policies, and returns the self link of each model's; empty without `armor`.

    Models that take free text share a policy whose WAF rules do not inspect bodies.
    """
    if args is None:
        return {}
    free = {one.name: bool(one.route and one.route.takes_free_text) for one in models}
    plain = _policy(ROLE, args, free_text=False, naming=naming, opts=opts)
    text = plain
    # Without WAF rules there is nothing to exclude.
    if args.waf and any(free.values()):
        text = _policy(FREE_TEXT_ROLE, args, free_text=True, naming=naming, opts=opts)
    return {name: text if free[name] else plain for name in free}


def _policy(
    role: str, args: Armor, *, free_text: bool, naming: Naming, opts: pulumi.ResourceOptions
) -> pulumi.Output[str]:
    adaptive: compute.SecurityPolicyAdaptiveProtectionConfigArgsDict = {
        "layer7_ddos_defense_config": {"enable": args.adaptive_protection}
    }
    policy = compute.SecurityPolicy(
        role,
        name=naming.of(role),
        type="CLOUD_ARMOR",
        description=(
            "Models that take free text: WAF rules do not inspect bodies"
            if free_text
            else "Models behind the load balancer"
        ),
        rules=rules(args, free_text=free_text),
        advanced_options_config={"json_parsing": "STANDARD" if args.json_parsing else "DISABLED"},
        adaptive_protection_config=adaptive if args.adaptive_protection else None,
        opts=opts,
    )
    return policy.self_link
