"""Progress of layers on a terminal: a line a layer, rewritten in place while its engine runs.

Without a terminal, in CI and with `--events` there is none; the engine's steps are plain lines
then.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from cli import colors, event_stream, urns
from cli.events import VERBS

if TYPE_CHECKING:
    from rich.live import Live

Json = Mapping[str, Any]
_STACK = "pulumi:pulumi:Stack"
_ENDED = ("resOutputsEvent", "resOpFailedEvent")
_SHOWN = 3
"""Resources in progress that are named."""


class Phase(IntEnum):
    """What the engine does with all resources before it begins the next."""

    READ = 0
    PLAN = 1
    UPDATE = 2


_WORDS = {Phase.READ: "read", Phase.PLAN: "planned", Phase.UPDATE: "up to date"}


@dataclass(slots=True, eq=False)
class Progress:
    """How far the engine is with one layer, by its events. Nothing is printed here."""

    layer: str
    total: int = 0
    """How many resources there are, as far as is known: of the state, or of the plan."""
    phase: Phase = Phase.READ
    done: set[str] = field(default_factory=set)
    doing: dict[str, str] = field(default_factory=dict)

    def take(self, event: Json) -> None:
        """Record an event of the engine."""
        for key in ("resourcePreEvent", *_ENDED):
            if key in event:
                self._step(event[key]["metadata"], key, is_planned=bool(event[key].get("planning")))

    def _step(self, metadata: Json, key: str, *, is_planned: bool) -> None:
        op, urn = metadata["op"], metadata["urn"]
        phase = Phase.READ if op == "refresh" else Phase.PLAN if is_planned else Phase.UPDATE
        if phase > self.phase:
            self.total = max(self.total, len(self.done))
            self.phase, self.done, self.doing = phase, set(), {}
        if metadata["type"] == _STACK:
            return
        if key in _ENDED:
            self.doing.pop(urn, None)
            self.done.add(urn)
        elif op in VERBS and phase is Phase.UPDATE:
            kind = urns.kind(metadata["type"])
            self.doing[urn] = f"{VERBS[op][0]} {kind} {urn.rpartition('::')[2]}"

    @property
    def text(self) -> str:
        """The line, without the time."""
        total = max(self.total, len(self.done) + len(self.doing))
        count = f"{len(self.done)} of {total}" if self.total else str(len(self.done))
        doing = list(self.doing.values())
        more = f" and {len(doing) - _SHOWN} more" if len(doing) > _SHOWN else ""
        shown = ", ".join(doing[:_SHOWN]) + more or _WORDS[self.phase]
        return f"{self.layer:<12} {count:>9}  {shown}"


class Board:
    """The lines of the layers whose engines run now, on stderr."""

    def __init__(self) -> None:
        self._running: dict[Progress, float] = {}
        self._display: Live | None = None
        self._lock = threading.RLock()

    @contextlib.contextmanager
    def shows(self, layer: str, total: Callable[[], int]) -> Iterator[Progress | None]:
        """Show a layer's line meanwhile; None where nothing is shown."""
        if not is_wanted():
            yield None
            return
        progress = Progress(layer, total())
        with self._lock:
            self._running[progress] = time.monotonic()
            self._begin()
        try:
            yield progress
        finally:
            with self._lock:
                started = self._running.pop(progress)
                self._end()
                _say(f"{progress.text}  {time.monotonic() - started:.1f} s")

    def _begin(self) -> None:
        if self._display is None:
            from rich.console import Console  # noqa: PLC0415 (0.1 s, and only on a terminal)
            from rich.live import Live  # noqa: PLC0415

            self._display = Live(
                console=Console(stderr=True, highlight=False),
                get_renderable=self._lines,
                transient=True,
                redirect_stdout=False,  # a document is not part of the display
            )
            self._display.start()

    def _end(self) -> None:
        if not self._running and self._display is not None:
            self._display.stop()
            self._display = None

    def _lines(self) -> Any:
        from rich.text import Text  # noqa: PLC0415 (as above)

        now = time.monotonic()
        with self._lock:
            lines = [f"{one.text}  {now - at:.0f} s" for one, at in self._running.items()]
        return Text("\n".join(lines), no_wrap=True, overflow="ellipsis")


BOARD = Board()
"""The board of this process: there is one terminal."""


def is_wanted() -> bool:
    """Whether lines are rewritten in place."""
    is_quiet = bool(os.environ.get("CI")) or event_stream.is_open()
    return colors.is_terminal(sys.stderr) and not is_quiet


def _say(line: str) -> None:
    print(f"{line.rstrip()}\n", end="", file=sys.stderr, flush=True)
