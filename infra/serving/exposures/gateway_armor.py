"""The Cloud Armor policy of the environment's Gateway.

Its load balancer is global, and so is the policy. GKE gives the backend service of a model the
policy that the model's GCPBackendPolicy names:
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

ROLE = "gateway"
"""The last part of its physical name."""


def security_policy(
    name: str, args: ArmorRules, *, free_text: bool, naming: Naming, opts: pulumi.ResourceOptions
) -> compute.SecurityPolicy:
    """Declares the policy. With `free_text` its WAF rules do not inspect bodies."""
    made = rules(args, free_text=free_text)
    return compute.SecurityPolicy(
        name,
        name=naming.of(ROLE),
        type="CLOUD_ARMOR",
        description="Models behind the Gateway"
        + (": WAF rules do not inspect bodies" if free_text else ""),
        rules=cast("Sequence[compute.SecurityPolicyRuleArgsDict]", made),
        advanced_options_config={"json_parsing": "STANDARD" if args.json_parsing else "DISABLED"},
        opts=opts,
    )
