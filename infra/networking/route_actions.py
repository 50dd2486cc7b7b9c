"""What happens to a request on its way: split, mirrored, rewritten, retried, timed.

A path rule leads to one service, or by weight to several; with the first, what else is asked for
stands beside it. Circuit breakers are not among this: the API takes them for meshes and for
internal and regional load balancers only.
"""

from typing import cast

import pulumi
from pulumi_gcp import compute

from gkeplatform.contracts import RouteRetries
from infra.networking.routing import Rule

Links = dict[str, pulumi.Output[str]]
Action = compute.URLMapPathMatcherPathRuleRouteActionArgsDict


def path_rule(rule: Rule, backends: Links) -> compute.URLMapPathMatcherPathRuleArgsDict:
    """A planned rule with the self links that exist only once the backends do."""
    action = route_action(rule, backends)
    made: compute.URLMapPathMatcherPathRuleArgsDict = {"paths": list(rule.paths)}
    if action:
        made["route_action"] = action
    if "weighted_backend_services" not in action:
        made["service"] = backends[rule.model]
    return made


def route_rule(
    priority: int, rule: Rule, backends: Links
) -> compute.URLMapPathMatcherRouteRuleArgsDict:
    """The same of a dense matcher: a prefix in place of patterns, asked in the order given."""
    same = path_rule(rule, backends)
    made: compute.URLMapPathMatcherRouteRuleArgsDict = {
        "priority": priority,
        "match_rules": [{"prefix_match": path} for path in rule.paths],
    }
    if "service" in same:
        made["service"] = same["service"]
    if "route_action" in same:
        # The two types have other names and the same fields.
        made["route_action"] = cast(
            "compute.URLMapPathMatcherRouteRuleRouteActionArgsDict", same["route_action"]
        )
    return made


def route_action(rule: Rule, backends: Links) -> Action:
    """All that is asked for beyond handing the request on; empty where nothing is."""
    action: Action = {}
    canary, route = rule.route.canary, rule.route
    if len(rule.shares) > 1:
        action["weighted_backend_services"] = [
            {"backend_service": backends[version], "weight": weight}
            for version, weight in rule.shares
        ]
    if canary is not None and canary.mirror:
        action["request_mirror_policy"] = {
            "backend_service": backends[canary.name],
            "mirror_percent": canary.mirror,
        }
    if rule.rewrite is not None:
        action["url_rewrite"] = {"path_prefix_rewrite": rule.rewrite}
    if route.timeout_seconds is not None:
        action["timeout"] = {"seconds": str(route.timeout_seconds)}
    if route.retries is not None:
        action["retry_policy"] = retry_policy(route.retries)
    return action


def retry_policy(
    retries: RouteRetries,
) -> compute.URLMapPathMatcherPathRuleRouteActionRetryPolicyArgsDict:
    """Further attempts, as Google spells them."""
    policy: compute.URLMapPathMatcherPathRuleRouteActionRetryPolicyArgsDict = {
        "num_retries": retries.attempts,
        "retry_conditions": list(retries.conditions),
    }
    if retries.attempt_seconds is not None:
        policy["per_try_timeout"] = {"seconds": str(retries.attempt_seconds)}
    return policy
