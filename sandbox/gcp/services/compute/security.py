"""SSL policies and Cloud Armor security policies."""

from __future__ import annotations

import ipaddress
import re

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid
from sandbox.gcp.service import State
from sandbox.gcp.services.compute import armor_expressions, armor_scopes
from sandbox.gcp.services.compute.place import Place

DEFAULT_PRIORITY = 2147483647
"""The priority of the default rule, which every security policy has."""
_RESTRICTED = (
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
)
_MODERN = (
    *_RESTRICTED,
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
)
_COMPATIBLE = (
    *_MODERN,
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
)
_FEATURES = {"RESTRICTED": _RESTRICTED, "MODERN": _MODERN, "COMPATIBLE": _COMPATIBLE}


def complete_ssl_policy(state: State, place: Place, document: Json, old: Json | None) -> None:  # noqa: ARG001
    """Set the defaults of an SSL policy."""
    profile = document.setdefault("profile", "COMPATIBLE")
    document.setdefault("minTlsVersion", "TLS_1_0")
    custom = document.get("customFeatures")
    if (profile == "CUSTOM") != bool(custom):
        raise invalid("resource.customFeatures", str(custom or []), f"The profile is {profile}.")
    if document["minTlsVersion"] == "TLS_1_3" and profile != "RESTRICTED":
        raise invalid("resource.minTlsVersion", "TLS_1_3", "It needs the profile RESTRICTED.")
    # Output only: it follows from the profile.
    document["enabledFeatures"] = sorted(_FEATURES.get(profile, custom or ()))


_ACTIONS = re.compile(r"allow|deny\((403|404|429|502)\)|throttle|rate_based_ban|redirect")
_MAX_RANGES = 10


def check_rule(field: str, rule: Json) -> None:
    """Raise 400 for an invalid rule of a security policy."""
    action = str(rule.get("action", ""))
    if not _ACTIONS.fullmatch(action):
        raise invalid(f"{field}.action", action, "The action is not supported.")
    match = rule.get("match") or {}
    ranges = (match.get("config") or {}).get("srcIpRanges") or []
    if bool(ranges) == bool(match.get("expr")):
        raise invalid(f"{field}.match", "", "One of config and expr must be specified.")
    if len(ranges) > _MAX_RANGES:
        raise invalid(
            f"{field}.match.config.srcIpRanges", str(len(ranges)), "At most 10 ranges are allowed."
        )
    for one in ranges:
        if one != "*" and not _is_range(str(one)):
            raise invalid(f"{field}.match.config.srcIpRanges", str(one), "It is not an IP range.")
    _check_expression(field, rule)
    limits = action in ("throttle", "rate_based_ban")
    if limits != bool(rule.get("rateLimitOptions")):
        raise invalid(f"{field}.rateLimitOptions", "", f"The action is {action}.")
    if limits:
        _check_rates(f"{field}.rateLimitOptions", rule["rateLimitOptions"], _BANS[action])


# https://docs.cloud.google.com/armor/docs/rate-limiting-overview
_BAN = "rate_based_ban"
_BANS = {"throttle": 1_000_000, _BAN: 10_000}
"""The most requests of a threshold, by action."""
_INTERVALS = (10, 30, 60, 120, 180, 240, 270, 300, 600, 900, 1200, 1800, 2700, 3600)


def _check_rates(field: str, options: Json, most: int) -> None:
    """Raise 400 for a threshold that its action does not take."""
    for name in ("rateLimitThreshold", "banThreshold"):
        threshold = options.get(name)
        if threshold is None:
            continue
        count, seconds = int(threshold.get("count") or 0), threshold.get("intervalSec")
        if not 1 <= count <= most:
            raise invalid(f"{field}.{name}.count", count, f"Must be from 1 to {most}.")
        if seconds not in _INTERVALS:
            listed = ", ".join(map(str, _INTERVALS))
            raise invalid(f"{field}.{name}.intervalSec", str(seconds), f"Must be one of {listed}.")


def check_change(field: str, before: Json, after: Json) -> None:
    """Raise 400 where a rule that bans is to throttle from now on; the reverse is possible."""
    if before.get("action") == _BAN and after.get("action") == "throttle":
        raise invalid(
            f"{field}.action", "throttle", "A rate_based_ban rule cannot become throttle."
        )


# https://docs.cloud.google.com/armor/quotas
_MAX_EXPRESSION, _MAX_SUBEXPRESSION, _MAX_SUBEXPRESSIONS = 2048, 1024, 5
_RULE_SETS = re.compile(r"evaluatePreconfiguredWaf\('([a-z0-9-]+)'")
_OPERATORS = ("EQUALS", "STARTS_WITH", "ENDS_WITH", "CONTAINS", "EQUALS_ANY")
_EXCLUDED = (
    "requestBodiesToExclude",
    "requestCookiesToExclude",
    "requestHeadersToExclude",
    "requestQueryParamsToExclude",
    "requestUrisToExclude",
)


def _check_expression(field: str, rule: Json) -> None:
    """Raise 400 for an expression over the limits, or an exclusion of another rule set."""
    expression = str(((rule.get("match") or {}).get("expr") or {}).get("expression", ""))
    parts = re.split(r"&&|\|\|", expression)
    why = None
    if len(expression) > _MAX_EXPRESSION:
        why = f"An expression has at most {_MAX_EXPRESSION} characters."
    elif len(parts) > _MAX_SUBEXPRESSIONS:
        why = f"An expression has at most {_MAX_SUBEXPRESSIONS} subexpressions."
    elif any(len(part) > _MAX_SUBEXPRESSION for part in parts):
        why = f"A subexpression has at most {_MAX_SUBEXPRESSION} characters."
    elif expression:
        why = _syntax_error(expression)
    if why:
        raise invalid(f"{field}.match.expr.expression", expression[:80], why)
    rule_sets = _RULE_SETS.findall(expression)
    for index, one in enumerate((rule.get("preconfiguredWafConfig") or {}).get("exclusions") or ()):
        where = f"{field}.preconfiguredWafConfig.exclusions[{index}]"
        if one.get("targetRuleSet") not in rule_sets:
            raise invalid(
                f"{where}.targetRuleSet",
                str(one.get("targetRuleSet")),
                "The rule's expression does not evaluate this rule set.",
            )
        fields = [params for name in _EXCLUDED for params in one.get(name) or ()]
        if not fields:
            raise invalid(where, "", "At least one request field must be specified.")
        for params in fields:
            operator = params.get("op")
            if operator not in _OPERATORS or (operator == "EQUALS_ANY") == bool(params.get("val")):
                raise invalid(
                    f"{where}.op", str(operator), "EQUALS_ANY takes no value, others need one."
                )


def _syntax_error(expression: str) -> str | None:
    try:
        armor_expressions.check(expression)
    except armor_expressions.ExpressionError as error:
        return f"Error parsing Cloud Armor rule matcher expression: ERROR: :{error}"
    return None


def _is_range(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def complete_policy(state: State, place: Place, document: Json, old: Json | None) -> None:  # noqa: ARG001
    """Set the defaults of a security policy, which always has a default rule."""
    document.setdefault("type", "CLOUD_ARMOR")
    armor_scopes.check_policy(place, document)
    if old is not None and document["type"] != old["type"]:
        raise invalid("resource.type", document["type"], "The type cannot be changed.")
    rules = document.setdefault("rules", [])
    priorities = [rule.get("priority") for rule in rules]
    if len(set(priorities)) != len(priorities):
        raise ApiError(400, "Invalid value for field 'resource.rules': duplicate priorities.")
    if DEFAULT_PRIORITY not in priorities:
        rules.append(
            {
                "action": "allow",
                "description": "default rule",
                "match": {"config": {"srcIpRanges": ["*"]}, "versionedExpr": "SRC_IPS_V1"},
                "preview": False,
                "priority": DEFAULT_PRIORITY,
            }
        )
    before = {rule["priority"]: rule for rule in (old or {}).get("rules") or ()}
    for index, rule in enumerate(rules):
        field = f"resource.rules[{index}]"
        check_rule(field, rule)
        armor_scopes.check_rule(place, field, rule)
        check_change(field, before.get(rule["priority"], {}), rule)
        rule.setdefault("kind", "compute#securityPolicyRule")
        rule.setdefault("preview", False)
    rules.sort(key=lambda rule: rule["priority"])
