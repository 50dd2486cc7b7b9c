"""The course of a drill or a load as plain data, made of a load's figures while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cli.traffic.figures import Figures, Result

RUNNING, PASSED, FAILED, ENDED, KILLED = "running", "passed", "failed", "ended", "killed"
"""States. A load without a verdict has `ended`; `killed` is what is left by a process that died."""
LOAD = "load"
KEPT = 600
"""Seconds of a course that are kept, the last ones: a load may run for hours."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was done or seen, in seconds since the load began."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A look at the disruption budget: healthy pods, and how many it demands."""

    at: float
    healthy: int
    desired: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """What became of the requests that were to be sent in one second."""

    answered: int
    lost: int
    """Without an answer, or with a 5xx."""
    p50: float | None
    p99: float | None
    """Milliseconds; None where nothing was answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One drill or load, as far as it has come."""

    name: str
    """The drill's, or `load`."""
    environment: str
    model: str
    url: str
    rate: float
    """Requests a second that were to be sent."""
    began: str
    """In RFC 3339."""
    state: str = RUNNING
    sent: int = 0
    answered: int = 0
    lost: int = 0
    first: int = 0
    """Seconds before those of `seconds`, which are not kept."""
    seconds: tuple[Second, ...] = ()
    replicas: tuple[Sample, ...] = ()
    """Of the model's disruption budget, where it changes; empty without one."""
    events: tuple[Event, ...] = ()
    acted: float | None = None
    restored: float | None = None
    """When the drill was done and taken back, in seconds since the load began."""
    problems: tuple[str, ...] = ()
    """What should not have happened."""


class Seconds:
    """A load's figures by second. Those of a second whose requests have ended are made once."""

    def __init__(self) -> None:
        self._settled: list[Second] = []

    def of(self, result: Result, *, is_over: bool) -> list[Second]:
        """Every second; without the last one while it is still being sent."""
        figures = result.per_second if is_over else result.per_second[:-1]
        for one in figures[len(self._settled) :]:
            if one.sent != one.answered + one.total_lost:
                break
            self._settled.append(_second(one))
        return [*self._settled, *map(_second, figures[len(self._settled) :])]


def _second(one: Figures) -> Second:
    shown = one.latencies.milliseconds()
    return Second(answered=one.answered, lost=one.total_lost, p50=shown["p50"], p99=shown["p99"])


def changes(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """The first look, those that differ from the one before, and the last."""
    differ = (
        two
        for one, two in pairwise(samples)
        if (one.healthy, one.desired) != (two.healthy, two.desired)
    )
    return tuple(dict.fromkeys([*samples[:1], *differ, *samples[-1:]]))
