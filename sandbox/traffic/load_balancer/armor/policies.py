"""A security policy as Envoy's filters: the first rule by priority that matches decides.

The access filter decides by a list of predicates, and notes the deciding rule. Rate limits and logs
read the note; the status of a refusal follows from it as well. Rules in preview are only noted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from sandbox.gcp.services.compute.place import Place
from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.armor import bodies, predicates, rate_limits
from sandbox.traffic.load_balancer.armor.expressions import UnknownPartError, parse
from sandbox.traffic.load_balancer.client import BODY_HEADER
from sandbox.traffic.load_balancer.route_actions import TYPE
from sandbox.traffic.load_balancer.snapshot import Snapshot
from sandbox.traffic.load_balancer.unsupported import Document

EDGE, BACKEND, PREVIEW = "armor.edge", "armor.backend", "armor.preview"
"""Names of the three access filters."""
FILTERS = (EDGE, BACKEND, PREVIEW, bodies.FILTER)
"""Those that a route may have settings of."""
_RBAC = f"{TYPE}envoy.extensions.filters.http.rbac.v3"
_ACTION = f"{TYPE}envoy.config.rbac.v3.Action"
_NOTES = {EDGE: "edge_", BACKEND: "armor_", PREVIEW: "preview_"}
_OPERATORS = frozenset({"EQUALS", "EQUALS_ANY"})


@dataclass(frozen=True, slots=True)
class _Rule:
    note: str
    predicate: Json
    denies: bool
    is_preview: bool
    limit: rate_limits.Limit | None = None


class Policies:
    """The security policies of one configuration."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.redirects: dict[str, str] = {}
        """Target by the note of the rule that redirects there."""

    def extra(self, place: Place, backend: Document) -> Json:
        """The filter configuration of a backend service or bucket."""
        found: Json = {}
        for field, name in (("edgeSecurityPolicy", EDGE), ("securityPolicy", BACKEND)):
            policy = self._snapshot.find(backend.text(field), place.project)
            if policy is None:
                backend.decline(field, "There is no such security policy.")
                continue
            rules = list(self._rules(policy[1], policy[0].name))
            enforced = [rule for rule in rules if not rule.is_preview]
            found[name] = _per_route(name, enforced, enforce=True)
            if len(enforced) < len(rules):
                found[PREVIEW] = _per_route(PREVIEW, rules, enforce=False)
            limits = [rule.limit for rule in enforced if rule.limit is not None]
            if limits:
                found[rate_limits.FILTER] = rate_limits.per_route(place.path, limits)
            if name == BACKEND and any(_reads_body(rule.predicate) for rule in rules):
                found[bodies.FILTER] = self._inspected(policy[1])
        return found

    def _rules(self, policy: Document, where: str) -> Iterator[_Rule]:
        if policy.text("type") not in ("", "CLOUD_ARMOR", "CLOUD_ARMOR_EDGE"):
            policy.decline("type", "Network policies do not guard a load balancer.")
        policy.decline("adaptiveProtectionConfig", "Nobody learns here what traffic is usual.")
        rules = sorted(policy.many("rules"), key=lambda one: one.whole("priority"))
        for rule in rules:
            action, note = rule.text("action"), f"{where}/{rule.whole('priority')}"
            made: rate_limits.Limit | None = None
            note += f"/{action}"
            predicate = self._predicate(rule)
            if predicate is None:
                continue
            if action == "redirect":
                options = rule.one("redirectOptions")
                if options.text("type") != "EXTERNAL_302":
                    options.decline("type", "There is no reCAPTCHA in the sandbox.")
                self.redirects[note] = options.text("target")
            elif rule.has("rateLimitOptions"):
                made = rate_limits.limit(rule, note)
                note = made.note
            denies = action.startswith("deny") or action == "redirect"
            yield _Rule(note, predicate, denies, rule.flag("preview"), made)

    @staticmethod
    def _inspected(policy: Document) -> Json:
        """What WAF rules inspect of bodies."""
        options = policy.one("advancedOptionsConfig")
        parsing, size = options.text("jsonParsing"), options.text("requestBodyInspectionSize")
        if parsing == "STANDARD_WITH_GRAPHQL":
            options.decline("jsonParsing", "GraphQL is inspected as any JSON.")
        for field, why in (
            ("jsonCustomConfig", "Only application/json is parsed as JSON."),
            ("logLevel", "Logs are always alike."),
            ("userIpRequestHeaders", "The client's address is that of the connection."),
        ):
            options.decline(field, why)
        return bodies.per_route(size, parses_json=parsing.startswith("STANDARD"))

    def _predicate(self, rule: Document) -> Json | None:
        match = rule.one("match")
        match.value("versionedExpr")
        config = match.one("config")
        if ranges := config.texts("srcIpRanges"):
            return predicates.addresses(ranges)
        expression = match.one("expr").text("expression")
        try:
            return predicates.predicate(parse(expression), _exclusions(rule))
        except UnknownPartError as unknown:
            match.one("expr").decline("expression", f"The rule is left out: {unknown}.")
            return None


def _reads_body(predicate: Json) -> bool:
    return BODY_HEADER.encode() in msgspec.json.encode(predicate)


def _exclusions(rule: Document) -> list[Json]:
    exclusions = rule.one("preconfiguredWafConfig").value("exclusions") or []
    for one in exclusions:
        for params in one.get("requestQueryParamsToExclude") or ():
            if params.get("op") not in _OPERATORS:
                rule.one("preconfiguredWafConfig").decline(
                    "exclusions", f"{params.get('op')} leaves out all query parameters."
                )
    return list(exclusions)


def _per_route(name: str, rules: list[_Rule], *, enforce: bool) -> Json:
    decided = _matcher(rules)
    settings: Json = {"shadow_matcher": decided, "shadow_rules_stat_prefix": _NOTES[name]}
    if enforce:
        settings["matcher"] = decided
    return {"@type": f"{_RBAC}.RBACPerRoute", "rbac": settings}


def _matcher(rules: list[_Rule]) -> Json:
    return {
        "matcher_list": {
            "matchers": [
                {"predicate": one.predicate, "on_match": _decision(one.note, denies=one.denies)}
                for one in rules
            ]
        },
        "on_no_match": _decision("none", denies=False),
    }


def _decision(note: str, *, denies: bool) -> Json:
    config: Json = {"@type": _ACTION, "name": note}
    if denies:
        config["action"] = "DENY"
    return {"action": {"name": "action", "typed_config": config}}


def filters() -> list[Json]:
    """The access filters, which do nothing on routes without a policy; the edge's is first."""
    return [
        {"name": name, "typed_config": {"@type": f"{_RBAC}.RBAC"}}
        for name in (EDGE, PREVIEW, BACKEND)
    ]
