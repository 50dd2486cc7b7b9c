"""Courses: what is made of a load's figures, what is kept of them, and how they are drawn."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cli.courses import drawing, record
from cli.courses.course import (
    ENDED,
    FAILED,
    KEPT,
    KILLED,
    LOAD,
    RUNNING,
    Course,
    Sample,
    Seconds,
    changes,
)
from cli.courses.following import Follower
from cli.errors import CliError
from cli.pictures.chart import svg
from cli.traffic.connection import Answer, Loss
from cli.traffic.figures import Figures, Result
from tests.cli.courses import ended, running

BEGUN = Course(
    name=LOAD, environment="dev", model="resnet", url="http://m", rate=2, began="2026-11-27T08:00Z"
)


def figures(*seconds: tuple[int, int, int]) -> Result:
    """A load that sent, has answers to, and has lost so many requests in each second."""
    result = Result()
    for sent, answered, lost in seconds:
        one = Figures(sent=sent)
        for outcome in [Answer(200, {})] * answered + [Loss.RESET] * lost:
            one.add(outcome, 0.01)
        result.per_second.append(one)
        result.include(one)
    return result


def test_the_second_that_is_being_sent_is_not_told_yet() -> None:
    result = figures((2, 2, 0), (2, 0, 2), (1, 1, 0))
    found = Seconds().of(result, is_over=False)
    assert [(one.answered, one.lost) for one in found] == [(2, 0), (0, 2)]
    assert found[0].p99 == pytest.approx(10, rel=0.02)
    assert found[1].p99 is None
    assert len(Seconds().of(result, is_over=True)) == 3


def test_an_answer_that_comes_late_is_still_counted_in_its_second() -> None:
    result, seconds = figures((2, 2, 0), (2, 1, 0), (2, 2, 0), (0, 0, 0)), Seconds()
    assert [one.answered for one in seconds.of(result, is_over=False)] == [2, 1, 2]
    result.per_second[1].add(Answer(200, {}), 3.0)
    assert [one.answered for one in seconds.of(result, is_over=False)] == [2, 2, 2]


def test_replicas_are_kept_where_they_change() -> None:
    looks = [Sample(at / 10, 2 if 20 < at < 40 else 3, 2) for at in range(100)]
    assert [one.at for one in changes(looks)] == [0.0, 2.1, 4.0, 9.9]
    assert changes([]) == ()


def test_a_course_is_read_as_it_was_kept(tmp_path: Path) -> None:
    variables = {"PULUMI_HOME": str(tmp_path)}
    with record.kept("dev", variables) as keep:
        assert record.read("dev", variables) == ()
        keep(running())
        assert record.read("dev", variables) == (running(),)
        assert record.read("stage", variables) == ()
        keep(ended())
    assert record.read("dev", variables) == (ended(),)


def test_the_next_course_takes_the_place_of_those_that_have_ended(tmp_path: Path) -> None:
    variables = {"PULUMI_HOME": str(tmp_path)}
    with record.kept("dev", variables) as keep:
        keep(ended())
    with record.kept("dev", variables) as first, record.kept("dev", variables) as second:
        first(replace(running(), name="first"))
        second(replace(running(), name="second", began="2026-11-27T09:00:00+00:00"))
        assert [one.name for one in record.read("dev", variables)] == ["second", "first"]


def test_a_course_that_ends_with_an_error_has_failed(tmp_path: Path) -> None:
    variables = {"PULUMI_HOME": str(tmp_path)}
    with contextlib.suppress(CliError), record.kept("dev", variables) as keep:
        keep(running())
        raise CliError("after 300 s a pod is ready is not reached")
    (found,) = record.read("dev", variables)
    assert (found.state, found.problems) == (
        FAILED,
        ("after 300 s a pod is ready is not reached",),
    )


def test_a_course_whose_process_was_killed_does_not_run(tmp_path: Path) -> None:
    killed = """
import os, signal
from cli.courses import record
from tests.cli.courses import running
with record.kept("dev", os.environ) as keep:
    keep(running())
    os.kill(os.getpid(), signal.SIGKILL)
"""
    variables = {**os.environ, "PULUMI_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", killed], env=variables, check=False)
    (found,) = record.read("dev", variables)
    assert found.state == KILLED


def test_without_a_place_nothing_is_kept_and_nothing_fails(tmp_path: Path) -> None:
    (tmp_path / "platform-runs").touch()
    for variables in (None, {"PULUMI_HOME": str(tmp_path)}):
        with record.kept("dev", variables) as keep:
            keep(running())
    assert record.read("dev", {"PULUMI_HOME": str(tmp_path)}) == ()


def test_a_long_load_keeps_its_last_seconds() -> None:
    told: list[Course] = []
    follower = Follower(BEGUN, told.append)
    follower.note(figures(*[(2, 2, 0)] * (KEPT + 100)), state=ENDED)
    (course,) = told
    assert (course.first, len(course.seconds), course.sent) == (100, KEPT, 2 * KEPT + 200)
    text = svg(drawing.chart(course))
    times = re.findall(r'class="soft middle"[^>]*>([\d,]+)', text)
    assert times[0] == "100"
    assert f"in {KEPT + 100} seconds" in text


def test_a_course_that_runs_says_so_and_its_shade_ends_now() -> None:
    text = svg(drawing.chart(running()))
    assert "480 requests were sent so far at 20 a second, 476 answered and 4 lost" in text
    assert "from 5.0 to 24.0 s" in text
    assert "so far" not in svg(drawing.chart(ended()))


def test_a_course_is_plain_data() -> None:
    assert json.loads(json.dumps(asdict(running())))["state"] == RUNNING
