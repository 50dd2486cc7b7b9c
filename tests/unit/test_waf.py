"""What Cloud Armor's WAF rules inspect: free text, exclusions by rule, path and field."""

import json
from typing import Any

import msgspec
import pytest

from declared import Declared, run_environment, stack_config
from gkeplatform.armor.rules import rules
from gkeplatform.armor.waf import path_pattern
from infra.networking.armor import FREE_TEXT_ROLE, Armor
from infra.serving.models import Model, expanded
from tests.sandbox.gcp.emulated_cloud import Cloud

POLICY = "gcp:compute/securityPolicy:SecurityPolicy"
BODY = {"target_rule_set": "sqli-v33-stable", "request_bodies": [{"operator": "EQUALS_ANY"}]}
XSS_SIGNATURE = "owasp-crs-v030301-id941100-xss"
QUERY = {"kind": "query-param", "value": "q"}


def armor(**keys: Any) -> Armor:
    return msgspec.convert({"waf": ["sqli", "xss"], **keys}, Armor)


def made(args: Armor, *, free_text: bool = False) -> list[dict[str, Any]]:
    """The WAF rules."""
    found: list[Any] = rules(args, free_text=free_text)
    return [one for one in found if "evaluatePreconfiguredWaf" in str(one["match"])]


def test_bodies_of_free_text_are_not_inspected() -> None:
    sqli, xss = made(armor(), free_text=True)
    assert sqli["preconfigured_waf_config"]["exclusions"] == [BODY]
    assert xss["preconfigured_waf_config"]["exclusions"][0]["target_rule_set"] == "xss-v33-stable"
    assert "preconfigured_waf_config" not in made(armor())[0]


def test_an_exclusion_concerns_its_rules_paths_and_fields() -> None:
    exclusion = {
        "rule_set": "sqli",
        "rule_ids": ["owasp-crs-v030301-id942421-sqli"],
        "paths": ["/v1.0/search"],
        "fields": [QUERY, {"kind": "cookie", "operator": "EQUALS_ANY"}],
    }
    there, elsewhere, xss = made(armor(exclusions=[exclusion]))
    condition = "request.path.matches('^(/v1[.]0/search)(/.*)?$')"
    assert there["match"]["expr"]["expression"].endswith(f" && {condition}")
    assert elsewhere["match"]["expr"]["expression"].endswith(f" && !{condition}")
    assert there["preconfigured_waf_config"]["exclusions"] == [
        {
            "target_rule_set": "sqli-v33-stable",
            "target_rule_ids": ["owasp-crs-v030301-id942421-sqli"],
            "request_query_params": [{"operator": "EQUALS", "value": "q"}],
            "request_cookies": [{"operator": "EQUALS_ANY"}],
        }
    ]
    assert "preconfigured_waf_config" not in elsewhere
    assert "request.path" not in xss["match"]["expr"]["expression"]
    assert there["priority"] < elsewhere["priority"] < xss["priority"]
    assert path_pattern(("/a", "/b")) == "^(/a|/b)(/.*)?$"


@pytest.mark.parametrize(
    ("exclusions", "said"),
    [
        ([{"rule_set": "rce", "fields": [QUERY]}], "exclusions[0].rule_set: rce is not in waf"),
        ([{"rule_set": "sqli", "fields": [{"kind": "uri"}]}], "operator EQUALS needs a value"),
        (
            [{"rule_set": "sqli", "fields": [QUERY], "rule_ids": [XSS_SIGNATURE]}],
            "is no signature of sqli",
        ),
        (
            [{"rule_set": "sqli", "fields": [QUERY], "paths": [p]} for p in ("/a", "/a/b")],
            "/a/b and /a overlap",
        ),
        (
            [{"rule_set": "sqli", "fields": [QUERY], "paths": [f"/{i}"]} for i in range(5)],
            "5 different lists of paths, and a rule takes 4",
        ),
        (
            [{"rule_set": "sqli", "fields": [QUERY], "paths": [f"/{i}" * 9 for i in range(99)]}],
            "exceed 1024 characters",
        ),
    ],
)  # fmt: skip
def test_what_cloud_armor_would_not_take_is_refused(exclusions: Any, said: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        armor(exclusions=exclusions)
    assert said in str(raised.value)


AMOUNTS = {"cpu": "4", "memory": "16Gi"}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"server": "vllm"}, True),
        ({"server": "vllm", "free_text": False}, False),
        ({"server": "triton"}, False),
        ({"server": "triton", "free_text": True}, True),
        ({"server": "custom", "image": "a/b:1", "custom": {
            "rest_port": 8000, "path": "/v1/models", "ready": "/health",
            "also": ["/v1/chat/completions"]}}, True),
    ],
)  # fmt: skip
def test_servers_of_prompts_take_free_text(keys: dict[str, Any], expected: bool) -> None:
    entry = {
        "name": "m1",
        "source": "gs://acme-ml-dev-models/m1",
        "files": {"via": "gcs-fuse"},
        "replicas": {"min": 1, "max": 1},
        "resources": {"requests": AMOUNTS, "limits": AMOUNTS, "gpu": {"type": "nvidia-l4"}},
        "exposure": {"kind": "cluster-ip"},
        **keys,
    }
    model = msgspec.convert(entry, Model)
    assert expanded(model, key="models[0]", namespace="models").takes_free_text is expected


@pytest.fixture(scope="module")
def stage() -> dict[str, Declared]:
    models = json.loads(stack_config("stage")["gke-serving:models"])
    models[0]["free_text"] = True  # it has a canary
    return run_environment("stage", {"gke-serving:models": json.dumps(models)})


def test_models_of_free_text_have_a_policy_of_their_own(stage: dict[str, Declared]) -> None:
    networking = stage["networking"]
    assert set(networking.of(POLICY)) == {"models", FREE_TEXT_ROLE}
    services = networking.of("gcp:compute/backendService:BackendService")
    behind = {name for name, one in services.items() if FREE_TEXT_ROLE in one["securityPolicy"]}
    assert behind == {"resnet", "resnet-canary"}


def rule(expression: str, **exclusion: Any) -> dict[str, Any]:
    config = {"preconfiguredWafConfig": {"exclusions": [exclusion]}} if exclusion else {}
    return {
        "name": "p",
        "rules": [
            {"priority": 1, "action": "deny(403)", "match": {"expr": {"expression": expression}}}
            | config
        ],
    }


SQLI = "evaluatePreconfiguredWaf('sqli-v33-stable', {'sensitivity': 1})"
ANY = [{"op": "EQUALS_ANY"}]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (rule(SQLI, targetRuleSet="sqli-v33-stable", requestBodiesToExclude=ANY), 200),
        (rule(SQLI, targetRuleSet="xss-v33-stable", requestBodiesToExclude=ANY), 400),
        (rule(SQLI, targetRuleSet="sqli-v33-stable"), 400),
        (
            rule(SQLI, targetRuleSet="sqli-v33-stable", requestUrisToExclude=[{"op": "EQUALS"}]),
            400,
        ),
        (rule(" && ".join([SQLI, *["request.path == '/a'"] * 5])), 400),
        (rule(f"request.path.matches('{'a' * 1100}')"), 400),
    ],
)
def test_the_emulated_api_knows_the_limits(body: dict[str, Any], status: int) -> None:
    cloud = Cloud()
    cloud.compute("POST", "global/securityPolicies", body, status=status)
    cloud.close()
