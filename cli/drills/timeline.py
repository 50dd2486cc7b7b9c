"""What happened during a drill, and when."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cli.courses.course import Event


class CancelledError(Exception):
    """The drill was interrupted; what it has done is to be taken back."""


@dataclass
class Timeline:
    """The events, and the clock that they are told by. It may be used by several threads."""

    say: Callable[[str], None]
    """Gets each event as it happens."""
    events: list[Event] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)
    _began: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """Start the clock: the load begins."""
        self._began = time.monotonic()

    @property
    def now(self) -> float:
        """Seconds since the load began."""
        return time.monotonic() - self._began

    def note(self, text: str) -> float:
        """Add an event; returns its time."""
        event = Event(self.now, text)
        self.events.append(event)
        self.say(f"{event.at:>6.1f} s  {text}")
        return event.at

    def sleep(self, seconds: float) -> None:
        """Wait. Raises CancelledError once the drill is interrupted."""
        if self.cancelled.wait(seconds):
            raise CancelledError
