"""Notes the course of a load while it runs, second by second."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cli.courses.course import KEPT, RUNNING, Course, Seconds
from cli.courses.record import Keep
from cli.traffic.figures import Result


class Follower:
    """Gets the figures of a load each second, and keeps what has become of it."""

    def __init__(self, begun: Course, keep: Keep) -> None:
        self._begun = begun
        self._keep = keep
        self._seconds = Seconds()

    def note(self, result: Result, *, state: str = RUNNING, **seen: Any) -> None:
        """Keep the course as it is now; `seen` are further fields of it."""
        seconds = self._seconds.of(result, is_over=state != RUNNING)
        first = max(len(seconds) - KEPT, 0)
        self._keep(
            replace(
                self._begun,
                state=state,
                sent=result.sent,
                answered=result.answered,
                lost=result.total_lost,
                first=first,
                seconds=tuple(seconds[first:]),
                **seen,
            )
        )


def now() -> str:
    """The time, as courses have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
