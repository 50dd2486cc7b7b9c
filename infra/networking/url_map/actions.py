"""Route actions: weighted split, mirroring, rewrite, timeout and retries.

A rule leads to one service, or to several by weight; other actions accompany a single service.
Circuit breakers are left out: the API takes them only for meshes and for internal and regional load
balancers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gkeplatform.contracts import RouteRetries
from infra.networking.url_map.matchers import Rule

if TYPE_CHECKING:
    # Every program foretells routes with this module, and need not load the SDK's for that.
    import pulumi
    from pulumi_gcp import compute

    Links = dict[str, pulumi.Output[str]]
    """Self links of the backend services, by version."""
    Action = compute.URLMapPathMatcherPathRuleRouteActionArgsDict


def route_action(rule: Rule, backends: Links) -> Action:
    """All actions of a rule; empty where it only forwards the request."""
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
    """The retry policy of a route."""
    policy: compute.URLMapPathMatcherPathRuleRouteActionRetryPolicyArgsDict = {
        "num_retries": retries.attempts,
        "retry_conditions": list(retries.conditions),
    }
    if retries.attempt_seconds is not None:
        policy["per_try_timeout"] = {"seconds": str(retries.attempt_seconds)}
    return policy
