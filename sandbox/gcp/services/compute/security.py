"""SSL policies and Cloud Armor security policies."""

from __future__ import annotations

import ipaddress
import re

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid
from sandbox.gcp.service import State
from sandbox.gcp.services.compute.place import Place

_DEFAULT_PRIORITY = 2147483647
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
    limits = action in ("throttle", "rate_based_ban")
    if limits != bool(rule.get("rateLimitOptions")):
        raise invalid(f"{field}.rateLimitOptions", "", f"The action is {action}.")


def _is_range(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def complete_policy(state: State, place: Place, document: Json, old: Json | None) -> None:  # noqa: ARG001
    """Set the defaults of a security policy, which always has a default rule."""
    document.setdefault("type", "CLOUD_ARMOR")
    rules = document.setdefault("rules", [])
    priorities = [rule.get("priority") for rule in rules]
    if len(set(priorities)) != len(priorities):
        raise ApiError(400, "Invalid value for field 'resource.rules': duplicate priorities.")
    if _DEFAULT_PRIORITY not in priorities:
        rules.append(
            {
                "action": "allow",
                "description": "default rule",
                "match": {"config": {"srcIpRanges": ["*"]}, "versionedExpr": "SRC_IPS_V1"},
                "preview": False,
                "priority": _DEFAULT_PRIORITY,
            }
        )
    for index, rule in enumerate(rules):
        check_rule(f"resource.rules[{index}]", rule)
        rule.setdefault("kind", "compute#securityPolicyRule")
        rule.setdefault("preview", False)
    rules.sort(key=lambda rule: rule["priority"])
