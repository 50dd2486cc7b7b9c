"""Arguments of the `URLMap` resource, from planned matchers and tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from gkeplatform.routes import Pattern
from infra.networking.url_map.actions import route_action
from infra.networking.url_map.expectations import Case
from infra.networking.url_map.matchers import Matcher, Rule

if TYPE_CHECKING:
    import pulumi
    from pulumi_gcp import compute

    from infra.networking.url_map.actions import Links


def host_rules(matchers: Iterable[Matcher]) -> list[compute.URLMapHostRuleArgsDict]:
    """One host rule per matcher."""
    return [{"hosts": [one.host], "path_matcher": one.name} for one in matchers]


def path_matcher(
    matcher: Matcher, backends: Links, default: pulumi.Output[str]
) -> compute.URLMapPathMatcherArgsDict:
    """A path matcher: path rules, or route rules where it is dense."""
    made: compute.URLMapPathMatcherArgsDict = {"name": matcher.name, "default_service": default}
    if matcher.is_dense:
        made["route_rules"] = [
            route_rule(priority, rule, backends) for priority, rule in enumerate(matcher.rules, 1)
        ]
    else:
        made["path_rules"] = [path_rule(rule, backends) for rule in matcher.rules]
    return made


def path_rule(rule: Rule, backends: Links) -> compute.URLMapPathMatcherPathRuleArgsDict:
    """A path rule: its patterns, and a service or a route action."""
    action = route_action(rule, backends)
    made: compute.URLMapPathMatcherPathRuleArgsDict = {"paths": [str(one) for one in rule.patterns]}
    if action:
        made["route_action"] = action
    if "weighted_backend_services" not in action:
        made["service"] = backends[rule.model]
    return made


def route_rule(
    priority: int, rule: Rule, backends: Links
) -> compute.URLMapPathMatcherRouteRuleArgsDict:
    """A route rule: the same with prefixes, in the order of their priorities."""
    same = path_rule(rule, backends)
    made: compute.URLMapPathMatcherRouteRuleArgsDict = {
        "priority": priority,
        "match_rules": [match_rule(one, rule) for one in rule.patterns],
    }
    if "service" in same:
        made["service"] = same["service"]
    if "route_action" in same:
        # Two types with the same fields.
        made["route_action"] = cast(
            "compute.URLMapPathMatcherRouteRuleRouteActionArgsDict", same["route_action"]
        )
    return made


def match_rule(pattern: Pattern, rule: Rule) -> compute.URLMapPathMatcherRouteRuleMatchRuleArgsDict:
    """A prefix; for a path that is stripped, the path itself or everything below it."""
    if rule.rewrite != "/":
        return {"prefix_match": pattern.path}
    if pattern.is_below:
        return {"prefix_match": f"{pattern.path}/"}
    return {"full_path_match": pattern.path}


def expectation(
    case: Case, backends: Links, default: pulumi.Output[str]
) -> compute.URLMapTestArgsDict:
    """A test of the URL map, which Google runs before it accepts the map."""
    service = default if case.version is None else backends[case.version]
    made: compute.URLMapTestArgsDict = {
        "host": case.host,
        "path": case.path,
        "service": service,
    }
    if case.forwarded is not None:
        # Google does not compare the scheme where a test names a service.
        made["expected_output_url"] = f"http://{case.host}{case.forwarded}"
    return made
