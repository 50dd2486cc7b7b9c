"""SSL policies and Cloud Armor security policies."""

from __future__ import annotations

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
    """Defaults of an SSL policy."""
    profile = document.setdefault("profile", "COMPATIBLE")
    document.setdefault("minTlsVersion", "TLS_1_0")
    custom = document.get("customFeatures")
    if (profile == "CUSTOM") != bool(custom):
        raise invalid("resource.customFeatures", str(custom or []), f"The profile is {profile}.")
    if document["minTlsVersion"] == "TLS_1_3" and profile != "RESTRICTED":
        raise invalid("resource.minTlsVersion", "TLS_1_3", "It needs the profile RESTRICTED.")
    # What was sent as enabled is of no matter: it follows from the profile.
    document["enabledFeatures"] = sorted(_FEATURES.get(profile, custom or ()))


def complete_policy(state: State, place: Place, document: Json, old: Json | None) -> None:  # noqa: ARG001
    """Defaults of a security policy; it always has a rule of the lowest priority."""
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
    for rule in rules:
        rule.setdefault("kind", "compute#securityPolicyRule")
        rule.setdefault("preview", False)
    rules.sort(key=lambda rule: rule["priority"])
