"""The security policy, cache and resilience of the networking layer."""

import json
from typing import Any

import pytest

from declared import ROOT, stack_config
from gkeplatform.armor.rules import DEFAULT_PRIORITY, RateLimit, rules
from gkeplatform.environment import environments
from gkeplatform.layers import LAYERS, NETWORKING
from infra.networking.armor import Armor
from infra.networking.backends import headers, resilience
from infra.networking.config import BackendArgs, Cache, OutlierDetection
from infra.networking.static_files import cdn_policy
from tests.contracts.refusals import refusal
from tests.environment_runs import environment_run


def test_rules_stand_in_the_order_that_is_told() -> None:
    args = Armor(
        deny=("198.51.100.0/24",),
        allow=("203.0.113.0/24",),
        waf=("sqli",),
        sensitivity=2,
        rate_limit=RateLimit(requests=60, ban_seconds=600),
        others="deny",
    )
    made: list[Any] = rules(args)
    assert [rule["action"] for rule in made] == [
        "deny(403)",
        "allow",
        "deny(403)",
        "rate_based_ban",
        "deny(403)",
    ]
    priorities = [rule["priority"] for rule in made]
    assert priorities == sorted(set(priorities))
    assert priorities[-1] == DEFAULT_PRIORITY
    expression = made[2]["match"]["expr"]["expression"]
    assert expression == "evaluatePreconfiguredWaf('sqli-v33-stable', {'sensitivity': 2})"
    assert made[3]["rate_limit_options"]["ban_duration_sec"] == 600


def test_a_rule_names_ten_ranges_at_most() -> None:
    many = tuple(f"198.51.100.{i}/32" for i in range(23))
    parts: list[Any] = rules(Armor(deny=many, waf=()))[:-1]
    sizes = [len(rule["match"]["config"]["src_ip_ranges"]) for rule in parts]
    assert sizes == [10, 10, 3]
    assert len({rule["priority"] for rule in parts}) == 3


def test_a_dry_run_refuses_nobody() -> None:
    made: list[Any] = rules(Armor(rate_limit=RateLimit(requests=60), dry_run=True))
    assert all(rule["preview"] for rule in made[:-1])
    assert made[-1]["action"] == "allow"


def test_a_limit_that_bans_no_more_is_another_rule() -> None:
    # Google does not turn a rule that bans into one that throttles.
    made: list[Any] = [
        next(rule for rule in rules(Armor(rate_limit=limit)) if "rate_limit_options" in rule)
        for limit in (RateLimit(requests=60), RateLimit(requests=60, ban_seconds=60))
    ]
    assert [rule["action"] for rule in made] == ["throttle", "rate_based_ban"]
    assert made[0]["priority"] != made[1]["priority"]


def test_times_are_compared_as_the_cache_mode_uses_them() -> None:
    with pytest.raises(ValueError, match="client_seconds 100000 exceeds max_seconds 86400"):
        Cache(client_seconds=100_000)
    Cache(mode="FORCE_CACHE_ALL", default_seconds=100_000, client_seconds=100_000)


def test_headers_and_ejection_are_what_was_asked_for() -> None:
    assert headers({"X-B": "2", "X-A": "1"}) == ["X-A: 1", "X-B: 2"]
    quiet = resilience(BackendArgs())
    assert quiet == {"session_affinity": "NONE"}
    made = resilience(BackendArgs(outlier_detection=OutlierDetection(ejection_seconds=45)))
    assert made["outlier_detection"]["base_ejection_time"] == {"seconds": 45}


def test_times_are_left_out_where_files_say_their_own() -> None:
    assert cdn_policy(Cache())["max_ttl"] == 86400
    assert "default_ttl" not in cdn_policy(Cache(mode="USE_ORIGIN_HEADERS"))


@pytest.mark.parametrize(
    ("key", "change", "said"),
    [
        ("armor", {"deny": ["10.0.0.0/33"]}, "gke-networking:armor: deny: '10.0.0.0/33'"),
        (
            "armor",
            {"deny": ["10.0.0.0/8"], "allow": ["10.0.0.0/8"]},
            "allow and deny both list 10.0.0.0/8",
        ),
        ("armor", {"others": "deny"}, "others: deny with an empty allow list denies every request"),
        ("armor", {"waf": ["sql"]}, "gke-networking:armor.waf[0]"),
        (
            "armor",
            {"rate_limit": {"requests": 10_001, "ban_seconds": 60}},
            "gke-networking:armor.rate_limit: requests 10001",
        ),
        (
            "static_files",
            {"cache": {"default_seconds": 9, "max_seconds": 8}},
            "default_seconds 9 exceeds max_seconds 8",
        ),
    ],
)
def test_what_cannot_be_is_refused(key: str, change: Any, said: str) -> None:
    declared = environment_run("dev")
    upstream = {f"organization/{one.project}/dev": declared[one.name].outputs for one in LAYERS}
    config = stack_config("dev")
    name = f"gke-networking:{key}"
    config |= {name: json.dumps(json.loads(config.get(name, "{}")) | change)}
    assert said in refusal(NETWORKING, upstream, config)


@pytest.mark.parametrize("environment", environments(ROOT))
def test_every_backend_is_behind_the_policy_where_there_is_one(environment: str) -> None:
    declared = environment_run(environment)["networking"]
    policies = declared.of("gcp:compute/securityPolicy:SecurityPolicy")
    services = declared.of("gcp:compute/backendService:BackendService").values()
    assert bool(policies) == (environment != "dev")
    assert all(bool(service.get("securityPolicy")) == bool(policies) for service in services)
