"""The Cloud Armor policy of the environment's Inference Gateway.

A regional load balancer takes policies of its own region only. GKE gives the backend service of a
pool the policy that the pool's GCPBackendPolicy names:
https://docs.cloud.google.com/kubernetes-engine/docs/how-to/configure-gateway-resources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pulumi
from pulumi_gcp import compute

from gkeplatform.armor.rules import ArmorRules, rules
from gkeplatform.naming import Naming

if TYPE_CHECKING:
    from collections.abc import Sequence

ROLE = "inference"
"""The last part of its physical name."""


def security_policy(
    name: str, args: ArmorRules, *, naming: Naming, opts: pulumi.ResourceOptions
) -> compute.RegionSecurityPolicy:
    """Declares the policy. All models behind the Gateway take free text."""
    made = cast("Sequence[compute.RegionSecurityPolicyRuleArgsDict]", rules(args, free_text=True))
    return compute.RegionSecurityPolicy(
        name,
        name=naming.of(ROLE),
        region=naming.environment.region,
        type="CLOUD_ARMOR",
        description="Language models: WAF rules do not inspect bodies",
        rules=made,
        advanced_options_config={"json_parsing": "STANDARD" if args.json_parsing else "DISABLED"},
        opts=opts,
    )
