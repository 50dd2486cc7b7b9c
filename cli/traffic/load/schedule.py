"""When requests are due: a thread wakes the loop, whose own timers count whole milliseconds."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from time import perf_counter  # uvloop's own clock counts whole milliseconds

_LEAST_PAUSE = 0.0002
"""Seconds between two wakings: requests that are due in between are sent together."""


class Schedule:
    """The times of `count` requests at `rate` a second, from now on."""

    def __init__(self, rate: float, count: int, due: Callable[[int], None]) -> None:
        """`due` is called in the running loop with how many requests are due so far."""
        self.started = perf_counter()
        self._rate, self._count, self._due = rate, count, due
        self._loop = asyncio.get_running_loop()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def offset(self, number: int) -> float:
        """Seconds from the start to a request."""
        return number / self._rate

    def end(self) -> None:
        """Call `due` no more."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        reached = 0
        while reached < self._count:
            pause = self.started + self.offset(reached) - perf_counter()
            if self._ended.wait(max(pause, _LEAST_PAUSE)):
                return
            passed = perf_counter() - self.started
            reached = min(self._count, int(passed * self._rate) + 1)
            self._loop.call_soon_threadsafe(self._due, reached)
