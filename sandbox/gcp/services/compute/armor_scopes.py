"""What a security policy of a region does not have, and which backend services take it.

Sources: the descriptions of SecurityPolicyRule in the compute v1 discovery document ("only
supported in Global Security Policies"), and the matrix of scopes and types in
GoogleCloudPlatform/cloud-foundation-fabric, modules/net-cloud-armor. The texts are our own.
"""

from __future__ import annotations

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import invalid
from sandbox.gcp.services.compute.place import Place

_NETWORK = "CLOUD_ARMOR_NETWORK"
_GLOBAL = ("adaptiveProtectionConfig", "recaptchaOptionsConfig", "labels")
_GLOBAL_IN_RULES = ("headerAction", "redirectOptions")
_OF_NETWORK = ("ddosProtectionConfig", "userDefinedFields")
_WHY = "It is only supported in global security policies."


def check_policy(place: Place, policy: Json) -> None:
    """Raise 400 for settings that a policy of this scope and type does not have."""
    of_network = policy["type"] == _NETWORK
    if of_network and not place.region:
        why = "Policies of this type are regional."
        raise invalid("resource.type", _NETWORK, why)
    for name in _GLOBAL if place.region else ():
        if policy.get(name):
            raise invalid(f"resource.{name}", "", _WHY)
    for name in () if of_network else _OF_NETWORK:
        if policy.get(name):
            raise invalid(f"resource.{name}", "", f"It is only supported in {_NETWORK} policies.")


def check_rule(place: Place, field: str, rule: Json) -> None:
    """Raise 400 for what a rule of a regional policy does not do."""
    if not place.region:
        return
    if rule.get("action") == "redirect":
        raise invalid(f"{field}.action", "redirect", _WHY)
    for name in _GLOBAL_IN_RULES:
        if rule.get(name):
            raise invalid(f"{field}.{name}", "", _WHY)
    limits: Json = rule.get("rateLimitOptions") or {}
    if limits.get("exceedAction") == "redirect" or limits.get("exceedRedirectOptions"):
        raise invalid(f"{field}.rateLimitOptions.exceedAction", "redirect", _WHY)


def check_user(user: Place, field: str, policy: Place) -> None:
    """Raise 400 for a policy that is not of the scope of the backend that names it."""
    if user.scope != policy.scope:
        raise invalid(
            f"resource.{field}",
            policy.link,
            f"The security policy must be in the scope of the backend: {user.scope}.",
        )
