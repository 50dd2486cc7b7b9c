"""Runs a load from the command line: live figures, Ctrl-C, and the summary."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from cli.errors import CliError
from cli.traffic import load
from cli.traffic.figures import Result
from cli.traffic.live import Live, plain
from cli.traffic.target import Target

_PLAIN_SECONDS = 5
_A_SECOND = 2
"""Ticks."""


def summary(result: Result) -> str:
    """The figures of a load that has ended, as text."""
    lost = ", ".join(f"{count} {kind}" for kind, count in sorted(result.lost.items()) if count)
    shown = {key: "-" if ms is None else f"{ms:g}" for key, ms in _latencies(result).items()}
    lines = [
        f"sent {result.sent} in {result.seconds:.1f} s, answered {result.answered}, lost "
        f"{result.total_lost}{f' ({lost})' if lost else ''}",
        f"latency p50 {shown['p50']}, p90 {shown['p90']}, p99 {shown['p99']}, longest "
        f"{shown['max']} ms",
    ]
    if result.unfinished:
        lines.append(f"{result.unfinished} were under way when it was stopped")
    if result.reason:
        lines.append(f"no connection: {result.reason}")
    refused = {code: count for code, count in sorted(result.statuses.items()) if code >= 300}
    if refused:
        lines.append("statuses " + ", ".join(f"{code}: {n}" for code, n in refused.items()))
    for name, counts in (("versions", result.versions), ("pods", result.pods)):
        total = counts.total()
        shares = [f"{key} {count / total:.1%}" for key, count in counts.most_common(20)]
        if shares:
            lines.append(f"{name} {', '.join(shares)}")
    return "\n".join(lines)


def _latencies(result: Result) -> dict[str, float | None]:
    return result.latencies.milliseconds()


def run(
    target: Target,
    *,
    rate: float,
    seconds: float,
    connections: int,
    timeout: float,
    live: bool,
    note: load.OnTick,
) -> Result:
    """Run the load to its end, or until Ctrl-C; `live` shows figures. Raises CliError.

    `note` gets the figures so far each second.
    """

    async def main(show: load.OnTick | None, every: int) -> Result:
        """`show` gets the figures every so many ticks."""
        ticks = itertools.count(1)

        def told(result: Result) -> None:
            tick = next(ticks)
            if show is not None and tick % every == 0:
                show(result)
            if tick % _A_SECOND == 0:
                note(result)

        stop = asyncio.Event()
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
        return await load.run(
            target,
            rate=rate,
            seconds=seconds,
            on_tick=told,
            tick=1 / _A_SECOND,
            connections=connections,
            timeout=timeout,
            stop=stop,
        )

    try:
        if live and sys.stderr.isatty():
            with Live(rate, seconds) as shown:
                return _loop(main(shown.update, 1))
        return _loop(main(plain if live else None, _PLAIN_SECONDS * _A_SECOND))
    except (OSError, ValueError) as error:
        raise CliError(f"{target.url}: {error}") from None


def _loop(main: Coroutine[Any, Any, Result]) -> Result:
    """Run in uvloop, where there is one: it takes half of the processor time."""
    try:
        import uvloop  # noqa: PLC0415 (not on Windows)
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
