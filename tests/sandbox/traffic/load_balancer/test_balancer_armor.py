"""Security policies refuse, redirect, throttle and note what Cloud Armor would."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.traffic.load_balancer.configuration import Configuration
from tests.sandbox.traffic.load_balancer.rig import Rig, link

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load_balancer")]


def when(expression: str) -> Any:
    return {"expr": {"expression": expression}}


def ranges(*given: str) -> Any:
    return {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": list(given)}}


def guarded(rig: Rig, *rules: tuple[str, Any], field: str = "securityPolicy") -> Configuration:
    """A service with a policy: action and match by turn, the default allows."""
    found: list[Any] = [
        {"priority": turn, "action": action, "match": match}
        for turn, (action, match) in enumerate(rules)
    ]
    found.append({"priority": 2147483647, "action": "allow", "match": ranges("*")})
    return install(rig, found, field)


def install(rig: Rig, rules: list[Any], field: str = "securityPolicy") -> Configuration:
    rig.put("global/securityPolicies/armor", {"type": "CLOUD_ARMOR", "rules": rules})
    policy = {field: link("global/securityPolicies/armor")}
    return rig.url_map(defaultService=rig.service("guarded", 0, **policy))


def status(rig: Rig, path: str = "/", ip: str = "198.51.100.1", **kwargs: Any) -> int:
    headers = {"x-sandbox-client-ip": ip, **kwargs.pop("headers", {})}
    return rig.get(path, headers=headers, **kwargs).status_code


def test_the_first_rule_by_priority_decides(rig: Rig) -> None:
    guarded(
        rig,
        ("allow", ranges("198.51.100.7")),
        ("deny(404)", ranges("198.51.100.0/28", "2001:db8::/32")),
        ("deny(502)", when("inIpRange(origin.ip, '192.0.2.0/24')")),
        ("deny(403)", when("origin.region_code == 'XX'")),
    )
    found = [status(rig, ip=ip) for ip in ("198.51.100.7", "198.51.100.8", "192.0.2.1", "8.8.8.8")]
    assert found == [200, 404, 502, 200]
    assert status(rig, ip="2001:db8::1") == 404
    answer = rig.get("/", headers={"x-sandbox-client-region": "XX"})
    assert [answer.status_code, answer.text[-13:]] == [403, "403 Forbidden"]


@pytest.mark.parametrize(
    ("expression", "refused", "passed"),
    [
        ("request.path.matches('/admin')", "/x/admin/y?q", "/x?/admin"),
        ("request.path.startsWith('/a.b') && request.query.contains('z')", "/a.b/c?xyz", "/a.b/z"),
        ("request.path == '/q' || request.path.endsWith('.php')", "/x.php?y", "/x.phpx"),
        ("request.path.lower().contains('secret')", "/SeCrEt", "/secre"),
        ("!(request.path.matches('^/ok$'))", "/okay", "/ok?x"),
        ("request.path.matches('^/a$|/b$|[$]x')", "/c/b?q", "/bb?x/b"),
        ("request.path.matches('(^/a/|[.]php$)')", "/x.php", "/b/a/.phpx?.php"),
        ("request.query.matches('z$')", "/?xyz", "/z?zy"),
        ("request.headers['host'] == 'bad.example'", "bad.example/", "/"),
        ("request.method != 'GET' || request.query == 'x=1'", "/?x=1", "/?x=2"),
        ("origin.region_code in ['NL', 'DE']", "NL/", "FR/"),
    ],
)
def test_expressions_read_the_request(rig: Rig, expression: str, refused: str, passed: str) -> None:
    guarded(rig, ("deny(403)", when(expression)))

    def ask(what: str) -> int:
        before, _, path = what.partition("/")
        if "." in before:
            return rig.get(f"/{path}", host=before).status_code
        return status(rig, f"/{path}", headers={"x-sandbox-client-region": before or "US"})

    assert [ask(refused), ask(passed)] == [403, 200]


def test_an_expression_on_a_missing_header_matches_nothing(rig: Rig) -> None:
    guarded(rig, ("deny(403)", when("!request.headers['x-key'].matches('good')")))
    assert status(rig) == 200
    assert status(rig, headers={"x-key": "bad"}) == 403
    guarded(rig, ("deny(403)", when("!has(request.headers['x-key'])")))
    assert [status(rig), status(rig, headers={"x-key": "1"})] == [403, 200]


def test_redirects_and_unknown_expressions(rig: Rig) -> None:
    rules = [
        {"priority": 1, "action": "redirect", "match": when("request.path == '/old'"),
         "redirectOptions": {"type": "EXTERNAL_302", "target": "https://x.example/100%"}},
        {"priority": 2, "action": "deny(403)",
         "match": when("evaluateThreatIntelligence('iplist-tor-exit-nodes')")},
        {"priority": 3, "action": "allow", "match": ranges("*")},
    ]  # fmt: skip
    found = install(rig, rules)
    rig.until(lambda: "location" in rig.get("/old").headers)
    answer = rig.get("/old")
    assert [answer.status_code, answer.headers["location"]] == [302, "https://x.example/100%"]
    assert status(rig) == 200
    (unsupported,) = [one for one in found.unsupported if "armor" in one.resource]
    assert unsupported.field == "rules[1].match.expr.expression"
    assert "evaluateThreatIntelligence" in unsupported.why


def test_throttling_counts_by_key(rig: Rig) -> None:
    guarded(rig)  # if this changes the listener, its counts begin anew here
    options = {
        "conformAction": "allow", "exceedAction": "deny(429)", "enforceOnKey": "IP",
        "rateLimitThreshold": {"count": 3, "intervalSec": 600},
    }  # fmt: skip
    rules = [
        {"priority": 1, "action": "throttle", "match": when("request.path == '/x'"),
         "rateLimitOptions": options},
        {"priority": 2, "action": "throttle", "match": when("request.path == '/all'"),
         "rateLimitOptions": options | {"enforceOnKey": "ALL", "exceedAction": "deny(403)"}},
        {"priority": 3, "action": "allow", "match": ranges("*")},
    ]  # fmt: skip
    install(rig, rules)
    for ip in ("198.51.100.1", "198.51.100.2"):
        assert [status(rig, "/x", ip=ip) for _ in range(4)] == [200, 200, 200, 429]
    found = [status(rig, "/all", ip=f"198.51.100.{i}") for i in range(5)]
    assert found == [200, 200, 200, 403, 403]
    assert [status(rig, "/other") for _ in range(5)] == [200] * 5


priorities = itertools.count(100)
INTERVAL = 2


def limited(
    rig: Rig, action: str, options: Any, count: int = 2, seconds: int = INTERVAL
) -> Configuration:
    """A policy that limits each client."""
    threshold = {"count": count, "intervalSec": seconds}
    every = {"conformAction": "allow", "exceedAction": "deny(429)", "rateLimitThreshold": threshold}
    # A rule of its own: the counts of earlier ones are still there.
    rule = {"priority": next(priorities), "action": action, "match": ranges("*")}
    guarded(rig)
    rule["rateLimitOptions"] = every | {"enforceOnKey": "IP"} | options
    return install(rig, [rule, {"priority": 9999, "action": "allow", "match": ranges("*")}])


class Late(Exception):  # noqa: N818 - a reason to try again
    """The requests of a client did not fall into one interval."""


def in_time(test: Callable[[str], None]) -> None:
    """Run a test with a client of its own, and again with others while the machine is too busy."""
    for host in range(100, 255):
        with contextlib.suppress(Late):
            return test(f"192.0.2.{host}")
    raise AssertionError(f"requests never fell into one interval of {INTERVAL} s")


def asked(rig: Rig, ip: str, times: int) -> list[int]:
    """The statuses of requests within one interval, which begins with the first of them."""
    began = time.monotonic()
    found = [status(rig, ip=ip) for _ in range(times)]
    if time.monotonic() - began >= INTERVAL:
        raise Late
    return found


def test_a_throttled_client_is_served_again_in_the_next_interval(rig: Rig) -> None:
    limited(rig, "throttle", {})

    def test(ip: str) -> None:
        assert asked(rig, ip, 3) == [200, 200, 429]
        rig.until(lambda: status(rig, ip=ip) == 200)

    in_time(test)


def test_a_banned_client_is_refused_in_later_intervals(rig: Rig) -> None:
    """Unlike a throttled one; another client is served all the time."""
    configuration = limited(rig, "rate_based_ban", {"banDurationSec": 3600})
    assert not [one for one in configuration.unsupported if "securityPolicies" in one.resource]

    def test(ip: str) -> None:
        assert asked(rig, ip, 3) == [200, 200, 429]
        time.sleep(INTERVAL + 0.1)
        assert [status(rig, ip=one) for one in (ip, "192.0.2.11")] == [429, 200]

    in_time(test)


def test_a_ban_ends(rig: Rig) -> None:
    limited(rig, "rate_based_ban", {"banDurationSec": 1})

    def test(ip: str) -> None:
        assert asked(rig, ip, 3) == [200, 200, 429]
        rig.until(lambda: status(rig, ip=ip) == 200)

    in_time(test)


def test_a_ban_threshold_counts_what_exceeds_the_first(rig: Rig) -> None:
    ban = {"banDurationSec": 3600, "banThreshold": {"count": 2, "intervalSec": 600}}
    limited(rig, "rate_based_ban", ban)

    def test(ip: str) -> None:
        assert asked(rig, ip, 4) == [200, 200, 429, 429]
        time.sleep(INTERVAL + 0.1)
        assert asked(rig, ip, 3) == [200, 200, 429]  # the third beyond: banned from here on
        time.sleep(INTERVAL + 0.1)
        assert asked(rig, ip, 1) == [429]

    in_time(test)


@pytest.mark.parametrize(
    ("keys", "first", "second"),
    [
        (["HTTP_HEADER X-Key"], {"x-key": "a"}, {"x-key": "b"}),
        (["HTTP_COOKIE id"], {"cookie": "x=1; id=a"}, {"cookie": "id=b"}),
        (["XFF_IP"], {"x-forwarded-for": "192.0.2.20"}, {"x-forwarded-for": "192.0.2.21"}),
        (["REGION_CODE"], {"x-sandbox-client-region": "NL"}, {"x-sandbox-client-region": "DE"}),
        (["IP", "HTTP_PATH"], {"path": "/a?y"}, {"path": "/b?x"}),
    ],
)
def test_keys_are_counted_for_themselves(
    rig: Rig, keys: list[str], first: dict[str, str], second: dict[str, str]
) -> None:
    kinds = [key.partition(" ") for key in keys]
    configs = [{"enforceOnKeyType": kind, "enforceOnKeyName": name} for kind, _, name in kinds]
    options = {"enforceOnKey": "", "enforceOnKeyConfigs": configs}
    limited(rig, "throttle", options, count=1, seconds=600)

    def ask(headers: dict[str, str]) -> int:
        rest = {name: value for name, value in headers.items() if name != "path"}
        return status(rig, headers.get("path", "/a"), headers=rest)

    assert [ask(first), ask(first), ask(second)] == [200, 429, 200]


def test_waf_rule_sets_find_their_signatures_but_for_exclusions(rig: Rig) -> None:
    attack = "/?id=1%27%20or%20%271%27=%271&name=x"
    expression = "evaluatePreconfiguredWaf('sqli-v33-stable', {'sensitivity': 1})"
    rule = {"priority": 1, "action": "deny(403)", "match": when(expression)}
    default = {"priority": 9, "action": "allow", "match": ranges("*")}
    install(rig, [rule, default])
    assert [status(rig, attack), status(rig, "/?id=1&name=or")] == [403, 200]
    assert status(rig, headers={"user-agent": "x' or 1=1"}) == 403
    query = {"requestQueryParamsToExclude": [{"op": "EQUALS", "val": "id"}]}
    exclusion = {"targetRuleSet": "sqli-v33-stable", **query}
    install(rig, [rule | {"preconfiguredWafConfig": {"exclusions": [exclusion]}}, default])
    assert status(rig, attack) == 200
    assert [status(rig, attack.replace("id", key)) for key in ("i", "idx", "x")] == [403] * 3


SQLI = "evaluatePreconfiguredWaf('sqli-v33-stable', {'sensitivity': 1})"
INJECTION = "1' or '1'='1"


def inspecting(rig: Rig, options: Any = None, **exclusion: Any) -> Configuration:
    """A policy that refuses an injection, with advanced options and an exclusion."""
    rule: dict[str, Any] = {"priority": 1, "action": "deny(403)", "match": when(SQLI)}
    if exclusion:
        found = [{"targetRuleSet": "sqli-v33-stable", **exclusion}]
        rule["preconfiguredWafConfig"] = {"exclusions": found}
    rules = [rule, {"priority": 9, "action": "allow", "match": ranges("*")}]
    rig.put("global/securityPolicies/armor", {
        "type": "CLOUD_ARMOR", "rules": rules, "advancedOptionsConfig": options or {},
    })  # fmt: skip
    policy = {"securityPolicy": link("global/securityPolicies/armor")}
    return rig.url_map(defaultService=rig.service("guarded", 0, **policy))


def posted(rig: Rig, content: str, kind: str = "application/json") -> int:
    return rig.send("POST", "/", content=content, headers={"content-type": kind}).status_code


def test_waf_rules_inspect_the_beginning_of_bodies(rig: Rig) -> None:
    inspecting(rig)
    attack = json.dumps({"text": INJECTION})
    assert [posted(rig, attack), posted(rig, '{"text": "one or two"}')] == [403, 200]
    assert posted(rig, "text=1%27+or+%271%27%3d%271", "application/x-www-form-urlencoded") == 403
    # Google inspects 8 KiB, and takes bodies of any size.
    assert [posted(rig, " " * 7000 + attack), posted(rig, " " * 8190 + attack)] == [403, 200]
    assert posted(rig, " " * (3 << 20)) == 200
    # A header of that name from the caller is none of the body's.
    headers = {"x-sandbox-body": INJECTION}
    answer = rig.get("/", headers=headers)
    assert answer.status_code == 200
    assert "x-sandbox-body" not in answer.text.lower()
    inspecting(rig, {"requestBodyInspectionSize": "64KB"})
    rig.until(lambda: posted(rig, " " * 8190 + attack) == 403)
    inspecting(rig, requestBodiesToExclude=[{"op": "EQUALS_ANY"}])
    rig.until(lambda: posted(rig, attack) == 200)


def test_the_keys_of_json_are_inspected_only_where_it_is_not_parsed(rig: Rig) -> None:
    keyed, escaped = json.dumps({INJECTION: 1}), '{"a": ["b", "1\\u0027 or \\u00271\\u0027=1"]}'
    inspecting(rig)
    assert [posted(rig, keyed), posted(rig, escaped)] == [403, 200]
    inspecting(rig, {"jsonParsing": "STANDARD"})
    rig.until(lambda: posted(rig, keyed) == 200)
    assert posted(rig, escaped) == 403
    assert posted(rig, keyed, "text/plain") == 403


def test_a_rule_in_preview_refuses_nobody(rig: Rig) -> None:
    install(rig, [
        {"priority": 1, "action": "deny(403)", "match": ranges("*"), "preview": True},
        {"priority": 2, "action": "allow", "match": ranges("*")},
    ])  # fmt: skip
    assert status(rig) == 200


def test_a_policy_of_one_version_does_not_refuse_the_other(rig: Rig) -> None:
    guarded(rig, ("deny(403)", ranges("*")))
    weights = [
        {"backendService": link("global/backendServices/guarded"), "weight": 1},
        {"backendService": rig.service("open", 1), "weight": 1},
    ]
    rig.url_map(defaultRouteAction={"weightedBackendServices": weights})
    assert {status(rig) for _ in range(40)} == {200, 403}
    assert rig.echo.requests[0] <= 1


def test_an_edge_policy_guards_a_bucket(rig: Rig) -> None:
    guarded(rig, ("deny(403)", ranges("198.51.100.9")), field="edgeSecurityPolicy")
    assert [status(rig, ip="198.51.100.9"), status(rig)] == [403, 200]


def test_a_policy_of_the_region_guards_a_regional_load_balancer(rig: Rig) -> None:
    region = "regions/europe-west4"
    rules = [
        {"priority": 1, "action": "deny(403)", "match": ranges("198.51.100.0/24")},
        {
            "priority": 2,
            "action": "throttle",
            "match": ranges("*"),
            "rateLimitOptions": {
                "conformAction": "allow",
                "exceedAction": "deny(429)",
                "enforceOnKey": "IP",
                "rateLimitThreshold": {"count": 2, "intervalSec": 3600},
            },
        },
        {"priority": 2147483647, "action": "allow", "match": ranges("*")},
    ]
    rig.put(f"{region}/securityPolicies/llm", {"type": "CLOUD_ARMOR", "rules": rules})
    # A global one of the same name does not apply.
    everyone = {"priority": 2147483647, "action": "deny(404)", "match": ranges("*")}
    rig.put("global/securityPolicies/llm", {"type": "CLOUD_ARMOR", "rules": [everyone]})
    rig.service("pool", 0)
    service = rig.documents.pop("compute/projects/p/global/backendServices/pool")
    policy = {"securityPolicy": link(f"{region}/securityPolicies/llm")}
    rig.put(f"{region}/backendServices/pool", {**service, **policy})
    found = rig.url_map(defaultService=link(f"{region}/backendServices/pool"))
    assert not found.unsupported
    assert status(rig, ip="198.51.100.8") == 403
    assert [status(rig, ip="203.0.113.7") for _ in range(3)] == [200, 200, 429]
