"""What is asked of the front ends covers every rule, and an answer that is not right is found."""

from __future__ import annotations

import dataclasses

import pytest

from cli import routing
from declared import ROOT
from gkeplatform.environment import environments
from infra.networking.url_map import review
from infra.networking.url_map.lookup import Found
from tests.rehearsal.asking import Seen, wrong
from tests.rehearsal.claims import Ask, asks, unclaimed

MINE = Found(
    url="https://a.example/m:predict", model="m", shares=(("m", 95), ("next", 5), ("off", 0)),
    path="/v1/m:predict",
)  # fmt: skip
CLAIM = Ask("http-load-balancer", "POST", MINE.url, MINE, is_claimed=True)


@pytest.mark.parametrize("environment", environments(ROOT))
def test_every_rule_of_every_host_is_asked(environment: str) -> None:
    plan = routing.plan(environment)
    wanted = asks(plan)
    assert unclaimed(plan, wanted) == []
    for kind, front in plan.front_ends.items():
        asked = {(one.expected.matcher, one.expected.rule) for one in wanted if one.kind == kind}
        rules = {(row.matcher, row.pattern) for row in review.rows(front.url_map)}
        assert rules - asked == set()


def served(workload: str, path: str, status: int = 200) -> Seen:
    return Seen(status, {"x-served-by-workload": workload, "x-served-by-path": path})


@pytest.mark.parametrize("version", ["m", "next"])
def test_any_version_with_a_weight_may_answer(version: str) -> None:
    assert wrong(CLAIM, served(version, "/v1/m:predict")) is None


@pytest.mark.parametrize(
    "seen",
    [
        served("neighbour", "/v1/m:predict"),
        served("off", "/v1/m:predict"),
        served("m", "/m:predict"),
        served("m", "/v1/m:predict", 404),
        Seen(200, {}),
        Seen(503, {}),
    ],
)
def test_a_wrong_answer_to_a_claim_is_found(seen: Seen) -> None:
    assert wrong(CLAIM, seen)


def test_a_refusal_and_a_redirect_have_to_be_those_that_are_expected() -> None:
    nobody = dataclasses.replace(CLAIM, expected=Found(url=MINE.url), is_claimed=False)
    assert wrong(nobody, Seen(404, {})) is None
    assert wrong(nobody, served("m", "/m:predict", 404))
    assert wrong(nobody, Seen(200, {}))
    refused = dataclasses.replace(CLAIM, statuses=(403,))
    assert wrong(refused, Seen(403, {})) is None
    assert wrong(refused, served("m", "/v1/m:predict"))
    found = Found(url="http://a.example/m", redirect="https://a.example/m", code=301)
    moved = dataclasses.replace(CLAIM, expected=found)
    assert wrong(moved, Seen(301, {"location": "https://a.example:443/m"})) is None
    assert wrong(moved, Seen(302, {"location": "https://a.example/m"}))
    assert wrong(moved, Seen(301, {"location": "https://b.example/m"}))
