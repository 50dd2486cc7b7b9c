"""The URL map of many models: what fits, how it is said, and where requests go."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import url_map as many
from facts.url_map_routing import Request, route
from gkeplatform import routes, url_map_limits
from gkeplatform.url_map_limits import MOST, MOST_TESTS, Claim
from infra.networking.url_map.matchers import Matcher, matchers
from infra.serving.config import ServingConfig


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return many.declared(many.models(many.catalog(500)))


def answer(document: dict[str, Any], host: str, path: str) -> str:
    (service,) = route(document, Request(host, path, {})).services[:1]
    return service.rpartition("/")[2].removeprefix("acme-ml-dev-")


def test_the_url_map_of_500_models_is_one_that_google_takes(document: dict[str, Any]) -> None:
    many.judged(document)
    assert len(document["tests"]) == MOST_TESTS
    first = document["pathMatchers"][0]
    assert "pathRules" not in first
    priorities = [rule["priority"] for rule in first["routeRules"]]
    assert priorities == sorted(set(priorities))
    assert len(priorities) == 495


@pytest.mark.parametrize("verb", ["", ":predict", ":anything", "/versions/3:predict", "/metadata"])
def test_each_of_500_models_gets_its_own_requests(document: dict[str, Any], verb: str) -> None:
    for number in range(500):
        name = f"model-{number:03}"
        host = f"{name}.acme.example" if number % 100 == 99 else "any.example"
        assert answer(document, host, f"/v1/models/{name}{verb}") == name
    assert answer(document, "any.example", "/v1/other") == "static"


def test_few_models_are_said_pattern_by_pattern() -> None:
    few = many.declared(many.models(many.catalog(200)))
    assert all("routeRules" not in matcher for matcher in few["pathMatchers"])


def planned(names: list[str], *, dense: bool, monkeypatch: pytest.MonkeyPatch) -> Matcher:
    entries = [
        {
            **many.entries(1)[0],
            "name": name,
            "canary": None,
            "exposure": {"kind": "http-load-balancer", "paths": [f"/v1/models/{name}"]},
        }
        for name in names
    ]
    config = msgspec.convert({"models": entries}, ServingConfig)
    monkeypatch.setattr(url_map_limits, "MOST", 0 if dense else MOST)
    (matcher,) = matchers(many.models(config))
    return matcher


@settings(max_examples=40)
@given(st.lists(st.from_regex(r"[a-z][a-z0-9]{0,3}", fullmatch=True), min_size=1, unique=True))
def test_prefixes_lead_where_patterns_do(names: list[str]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        exact = planned(names, dense=False, monkeypatch=monkeypatch)
        dense = planned(names, dense=True, monkeypatch=monkeypatch)
    assert (exact.is_dense, dense.is_dense) == (False, True)
    for rule in exact.rules:
        for pattern in rule.patterns:
            asked = str(pattern).replace("*", "versions/3")
            first = next(one for one in dense.rules if asked.startswith(one.patterns[0].path))
            assert first.model == rule.model


def claims(count: int, *, hosts: int = 0, own: bool = False, versions: int = 1) -> list[Claim]:
    return [
        Claim(
            hosts=[f"h{number}.example"] if own or number < hosts else [],
            paths=[f"/v1/models/m{number}"],
            patterns=[f"/v1/models/m{number}", f"/v1/models/m{number}/*"],
            versions=versions,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        (claims(1001), "on every host they claim 1001 paths, and a path matcher holds 1000 rules"),
        (
            claims(1000, own=True),
            "1000 hosts and the rule for all others need 1001 host rules, and a URL map holds 1000",
        ),
        (
            [Claim(hosts=["a.example"], paths=["/a"], patterns=["/a"], versions=2)] * 1250,
            "on host a.example they claim 1250 paths",
        ),
        (
            [
                Claim(hosts=[f"h{n % 3}.example"], paths=["/a"], patterns=["/a"], versions=2)
                for n in range(1250)
            ],
            "the load balancer would lead to 2501 backends, and a URL map to 2500 at most",
        ),
        (
            claims(500, hosts=50),
            "the URL map would take about 4203 kB, and it may take 1000",
        ),
    ],
)
def test_what_no_url_map_holds_is_said_with_the_arithmetic(given_: list[Claim], said: str) -> None:
    found = url_map_limits.excess(given_)
    assert found is not None
    assert said in found


@pytest.mark.parametrize("given_", [[], claims(1000), claims(999, own=True), claims(500, hosts=5)])
def test_what_fits_is_taken(given_: list[Claim]) -> None:
    assert url_map_limits.excess(given_) is None


def test_the_size_is_told_about_right(document: dict[str, Any]) -> None:
    config = many.catalog(500)
    told = [
        Claim(
            hosts=model.route.hosts,
            paths=model.route.paths,
            patterns=routes.patterns(model.route.paths, model.route.verbs),
            versions=2 if model.route.canary else 1,
        )
        for model in many.models(config)
        if model.route
    ]
    real = len(json.dumps(document, separators=(",", ":")))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(url_map_limits, "MOST_BYTES", real * 0.8)
        assert url_map_limits.excess(told) is not None
        monkeypatch.setattr(url_map_limits, "MOST_BYTES", real * 1.2)
        assert url_map_limits.excess(told) is None


def test_a_catalog_that_no_url_map_holds_is_refused_by_its_key() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"^models: on every host they claim 1188 "):
        many.catalog(1200)
