"""Figures of a load while it runs: a table on a terminal, a line without one."""

from __future__ import annotations

import time
from collections import Counter
from types import TracebackType

from rich.console import Console
from rich.live import Live as Display
from rich.table import Table

from cli import console
from cli.traffic.connection import Loss
from cli.traffic.figures import Result

_ROWS = 8


class Live:
    """A table on the terminal, rewritten in place."""

    def __init__(self, rate: float, seconds: float) -> None:
        self._rate, self._seconds = rate, seconds
        self._started = time.monotonic()
        self._display = Display(console=Console(stderr=True), auto_refresh=False, transient=True)

    def __enter__(self) -> Live:
        self._display.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._display.__exit__(kind, error, trace)

    def update(self, result: Result) -> None:
        """Show the figures so far."""
        passed = time.monotonic() - self._started
        self._display.update(table(result, passed, self._rate, self._seconds), refresh=True)


def table(result: Result, passed: float, rate: float, seconds: float) -> Table:
    """The figures so far: those of the whole load, and of the last full second."""
    shown = Table(box=None, pad_edge=False)
    for heading in ("", "sent", "answered", *(one.value for one in Loss), "p50", "p90", "p99"):
        shown.add_column(heading, justify="right" if heading else "left")
    # The last second whose requests have had a second for their answers.
    last = result.per_second[-3] if len(result.per_second) > 2 else None
    for name, one in (("all", result), ("last second", last)):
        if one is not None:
            latencies = one.latencies.milliseconds()
            shown.add_row(
                name,
                str(one.sent),
                str(one.answered),
                *(str(one.lost[kind]) for kind in Loss),
                *(_ms(latencies[key]) for key in ("p50", "p90", "p99")),
            )
    shown.caption = f"{min(passed, seconds):.0f} of {seconds:g} s at {rate:g} requests/s"
    if last is not None and (last.pods or last.versions):
        told = [f"{len(last.pods)} pods", _shares(last.versions)]
        shown.caption += "\n" + ", ".join(one for one in told if one)
    return shown


def plain(result: Result) -> None:
    """Print the figures so far in one line."""
    latencies = result.latencies.milliseconds()
    recent: Counter[str] = sum((one.versions for one in result.per_second[-6:-1]), Counter())
    versions = f"  {_shares(recent)}" if recent else ""
    quantiles = f"p50 {_ms(latencies['p50'])}  p99 {_ms(latencies['p99'])} ms"
    console.say(
        f"{len(result.per_second):>5} s  sent {result.sent}  answered {result.answered}  lost "
        f"{result.total_lost}  {quantiles}{versions}"
    )


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _shares(counts: Counter[str]) -> str:
    total = counts.total()
    return ", ".join(f"{name} {count / total:.0%}" for name, count in counts.most_common(_ROWS))
