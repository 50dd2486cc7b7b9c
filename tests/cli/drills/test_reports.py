"""What a drill reports: phases, the disruption budget, and whether it has passed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cli.courses.course import Event, Sample
from cli.drills import catalog
from cli.drills.budget import seconds_below
from cli.drills.report import Report, hint
from cli.traffic.connection import Answer, Loss
from cli.traffic.figures import Figures, Result


def figures(seconds: list[list[float | Loss]]) -> Result:
    """A load's figures: by second the latencies of its requests, or how they were lost."""
    result = Result(seconds=len(seconds))
    for second in seconds:
        one = Figures(sent=len(second))
        for outcome in second:
            for each in (one, result):
                if isinstance(outcome, Loss):
                    each.add(outcome, 0.0)
                else:
                    each.add(Answer(200, {"workload": "resnet"}), outcome)
        result.sent += one.sent
        result.per_second.append(one)
    return result


def report(result: Result, drill: str = "rolling-update", **changes: Any) -> Report:
    made = Report(
        drill=catalog.find(drill),
        result=result,
        events=(Event(2.04, "another pod template"),),
        acted=2.04,
        restored=4.5,
        below_budget=0.0,
        fewest=2,
        desired=2,
    )
    return replace(made, **changes)


QUIET: list[list[float | Loss]] = [[0.01, 0.01] for _ in range(8)]


def test_a_second_that_the_event_touches_is_during() -> None:
    slow: list[list[float | Loss]] = [*QUIET[:3], [0.5, 0.5], *QUIET[:4]]
    found = report(figures(slow)).document()["phases"]
    assert {name: one["sent"] for name, one in found.items()} == {
        "before": 4,
        "during": 6,
        "after": 6,
    }
    p99 = {name: one["latencies_ms"]["p99"] for name, one in found.items()}
    assert p99["during"] == pytest.approx(500, rel=0.02)
    assert p99["before"] == p99["after"] == pytest.approx(10, rel=0.02)


def test_lost_requests_are_reported_by_kind_and_phase() -> None:
    lost: list[list[float | Loss]] = [*QUIET[:3], [0.01, Loss.RESET, Loss.SERVER_ERROR], *QUIET]
    found = report(figures(lost))
    assert found.problems == ("2 requests were lost",)
    document = found.document()
    assert document["lost"] == {"connect": 0, "reset": 1, "cut": 0, "timeout": 0, "5xx": 1}
    assert [one["lost"] for one in document["phases"].values()] == [0, 2, 0]
    assert "lost 2 (1 5xx, 1 reset)" in found.text()


def test_callers_that_keep_connections_to_pods_are_told_why_they_lost_requests() -> None:
    reset = report(figures([*QUIET[:3], [0.01, Loss.RESET]]))
    failed = report(figures([*QUIET[:3], [0.01, Loss.SERVER_ERROR]]))
    assert "docs/guides/ending-pods.md" in hint(reset, "load-balancer")
    assert hint(reset, "http-load-balancer") == hint(failed, "load-balancer") == ""


@pytest.mark.parametrize(("drill", "passes"), [("rolling-update", False), ("pod-crash", True)])
def test_what_a_drill_may_lose(drill: str, passes: bool) -> None:
    lost: list[list[float | Loss]] = [*QUIET, [Loss.RESET]]
    found = report(figures(lost), drill, below_budget=1.5, fewest=1)
    assert found.document()["passed"] is passes
    assert len(found.problems) == (0 if passes else 2)


def test_refused_requests_never_pass() -> None:
    result = figures(QUIET)
    result.add(Answer(429), 0.01)
    found = report(result, "zone-lost")
    assert found.problems == ("1 requests were refused with 429",)
    assert found.document()["by_status"] == {"200": 16, "429": 1}


def test_a_load_without_an_answer_never_passes() -> None:
    nobody: list[list[float | Loss]] = [[Loss.CONNECT] for _ in range(8)]
    assert "no request was answered" in report(figures(nobody), "zone-lost").problems


def test_the_shares_of_versions_by_step() -> None:
    result = figures([[0.01] * 10 for _ in range(10)])
    for second in (4, 5):
        result.per_second[second].versions["resnet-canary"] += 10
    events = (Event(2.1, "the canary gets 5 %"), Event(3.6, "it gets 50 %"), Event(6.2, "back"))
    found = report(result, "canary", events=events)
    shares = [one["until_next"]["by_version"] for one in found.document()["events"]]
    assert shares == [{}, {"resnet": 20, "resnet-canary": 20}, {"resnet": 30}]
    assert "  it gets 50 %: resnet 50.0%, resnet-canary 50.0%" in found.text()


def test_a_model_without_a_budget() -> None:
    found = report(figures(QUIET), below_budget=None, fewest=None, desired=None)
    assert found.document()["budget"] is None
    assert "no disruption budget" in found.text()


@pytest.mark.parametrize(
    ("healthy", "seconds"), [((3, 3, 3), 0.0), ((3, 1, 3), 1.0), ((1, 1, 3), 2.0), ((3, 3, 1), 0.0)]
)
def test_seconds_below_the_budget(healthy: tuple[int, ...], seconds: float) -> None:
    samples = [Sample(at=float(at), healthy=one, desired=2) for at, one in enumerate(healthy)]
    assert seconds_below(samples) == seconds
