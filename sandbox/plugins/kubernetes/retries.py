"""When to try again: pauses that grow, a limit, and an end as soon as the engine cancels.

A few lines in place of a library, since plugins start often and `Retry-After` counts here.
"""

from __future__ import annotations

import random
import threading
import time

_FIRST, _LONGEST = 0.1, 5.0
_PATIENCE = 30.0
# A server that restarts is back within this; one that is not there at all is said so soon.
_PATIENCE_WHEN_REFUSED = 6.0


class Retries:
    """The pauses of one request."""

    def __init__(self, cancelled: threading.Event, *, is_hopeless: bool = False) -> None:
        self._cancelled = cancelled
        self._begun = time.monotonic()
        self._pause = _FIRST
        self._is_hopeless = is_hopeless

    def wait(self, *, at_least: float = 0.0, refused: bool = False) -> bool:
        """Pause; whether to try again then."""
        if self._is_hopeless:
            return False
        pause = max(at_least, self._pause * random.uniform(0.5, 1))  # noqa: S311 (not a secret)
        self._pause = min(_LONGEST, self._pause * 2)
        patience = _PATIENCE_WHEN_REFUSED if refused else _PATIENCE
        if time.monotonic() + pause - self._begun > patience:
            return False
        return not self._cancelled.wait(pause)
