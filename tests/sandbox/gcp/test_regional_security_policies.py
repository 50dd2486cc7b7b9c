"""Cloud Armor policies of a region: what they have, and what takes them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.gcp.emulated_cloud import Cloud

Json = dict[str, Any]
REGION = "regions/europe-west4"
POLICIES, POLICY = f"{REGION}/securityPolicies", f"{REGION}/securityPolicies/llm"
MATCH: Json = {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ["192.0.2.0/24"]}}
DENY: Json = {"priority": 1, "action": "deny(403)", "match": MATCH}
ELSEWHERE: Json = {"type": "EXTERNAL_302", "target": "https://acme.example"}
LIMITS: Json = {
    "conformAction": "allow",
    "exceedAction": "deny(429)",
    "enforceOnKey": "IP",
    "rateLimitThreshold": {"count": 600, "intervalSec": 60},
}


def priorities(cloud: Cloud) -> list[int]:
    return [rule["priority"] for rule in cloud.compute("GET", POLICY)["rules"]]


def test_a_policy_belongs_to_its_region(cloud: Cloud) -> None:
    cloud.compute("POST", POLICIES, {"name": "llm", "rules": [DENY]})
    shown = cloud.compute("GET", POLICY)
    assert shown["region"].endswith(REGION)
    assert shown["type"] == "CLOUD_ARMOR"
    assert priorities(cloud) == [1, 2147483647]
    assert "items" not in cloud.compute("GET", "global/securityPolicies")
    cloud.compute("POST", "global/securityPolicies", {"name": "llm"})


def test_rules_change_one_by_one(cloud: Cloud) -> None:
    cloud.compute("POST", POLICIES, {"name": "llm"})
    cloud.compute("POST", f"{POLICY}/addRule", DENY)
    cloud.compute("POST", f"{POLICY}/patchRule?priority=1", {"action": "deny(404)"})
    assert cloud.compute("GET", f"{POLICY}/getRule?priority=1")["action"] == "deny(404)"
    cloud.compute("POST", f"{POLICY}/removeRule?priority=1")
    assert priorities(cloud) == [2147483647]


def test_a_patch_takes_the_fields_of_its_mask(cloud: Cloud) -> None:
    cloud.compute("POST", POLICIES, {"name": "llm", "description": "old", "rules": [DENY]})
    body = {"description": "new", "rules": [{**DENY, "priority": 2}]}
    cloud.compute("PATCH", POLICY, body)
    assert priorities(cloud) == [1, 2147483647]
    cloud.compute("PATCH", f"{POLICY}?updateMask=rules", {**body, "description": "newer"})
    assert priorities(cloud) == [2, 2147483647]
    assert cloud.compute("GET", POLICY)["description"] == "new"
    cloud.compute("PATCH", f"{POLICY}?updateMask=description", {})
    assert "description" not in cloud.compute("GET", POLICY)


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        (
            {"adaptiveProtectionConfig": {"layer7DdosDefenseConfig": {"enable": True}}},
            "adaptiveProtectionConfig",
        ),
        ({"recaptchaOptionsConfig": {"redirectSiteKey": "key"}}, "recaptchaOptionsConfig"),
        ({"labels": {"team": "ml"}}, "labels"),
        ({"ddosProtectionConfig": {"ddosProtection": "STANDARD"}}, "ddosProtectionConfig"),
        (
            {
                "rules": [
                    {**DENY, "action": "redirect", "redirectOptions": {"type": "EXTERNAL_302"}}
                ]
            },
            "rules[0].action",
        ),
        (
            {"rules": [{**DENY, "headerAction": {"requestHeadersToAdds": [{"headerName": "x"}]}}]},
            "rules[0].headerAction",
        ),
        (
            {
                "rules": [
                    {
                        **DENY,
                        "action": "throttle",
                        "rateLimitOptions": {**LIMITS, "exceedAction": "redirect"},
                    }
                ]
            },
            "rules[0].rateLimitOptions.exceedAction",
        ),
    ],
)
def test_what_only_global_or_network_policies_have(cloud: Cloud, policy: Json, field: str) -> None:
    error = cloud.refused("POST", POLICIES, {"name": "llm", **policy})
    assert f"resource.{field}" in error["message"]


def test_a_network_policy_is_regional(cloud: Cloud) -> None:
    body = {"name": "llm", "type": "CLOUD_ARMOR_NETWORK"}
    assert "regional" in cloud.refused("POST", "global/securityPolicies", body)["message"]
    cloud.compute("POST", POLICIES, body)


def test_a_ban_does_not_become_a_throttle(cloud: Cloud) -> None:
    ban = {**DENY, "action": "rate_based_ban", "rateLimitOptions": {**LIMITS, "banDurationSec": 9}}
    cloud.compute("POST", POLICIES, {"name": "llm", "rules": [ban]})
    throttle = {**DENY, "action": "throttle", "rateLimitOptions": LIMITS}
    path = f"{POLICY}?updateMask=rules"
    assert "cannot become" in cloud.refused("PATCH", path, {"rules": [throttle]})["message"]


@pytest.mark.parametrize(
    ("service", "policy"),
    [
        (f"{REGION}/backendServices", "global/securityPolicies"),
        ("global/backendServices", POLICIES),
        ("regions/us-central1/backendServices", POLICIES),
    ],
)
def test_a_backend_takes_a_policy_of_its_own_scope(cloud: Cloud, service: str, policy: str) -> None:
    cloud.compute("POST", policy, {"name": "llm"})
    body = {"name": "web", "loadBalancingScheme": "EXTERNAL_MANAGED"}
    cloud.compute("POST", service, body)
    given = {"securityPolicy": f"{policy}/llm"}
    error = cloud.refused("POST", f"{service}/web/setSecurityPolicy", given)
    assert "must be in the scope of the backend" in error["message"]
    cloud.refused("POST", service, {**body, "name": "other", **given})


def test_a_policy_in_use_is_not_deleted(cloud: Cloud) -> None:
    cloud.compute("POST", POLICIES, {"name": "llm"})
    body = {"name": "web", "loadBalancingScheme": "EXTERNAL_MANAGED", "securityPolicy": POLICY}
    cloud.compute("POST", f"{REGION}/backendServices", body)
    error = cloud.refused("DELETE", POLICY)
    assert "already being used" in error["message"]
    cloud.compute("POST", f"{REGION}/backendServices/web/setSecurityPolicy", {})
    cloud.compute("DELETE", POLICY)
