"""Retries: exponential backoff, a deadline, and cancellation by the engine.

Not a library: plugins start often, and `Retry-After` must be honoured.
"""

from __future__ import annotations

import random
import threading
import time

_FIRST, _LONGEST = 0.1, 5.0
_PATIENCE = 30.0
# Long enough for a restart of the server, short enough to report a missing one.
_PATIENCE_WHEN_REFUSED = 6.0


class Retries:
    """The backoff of one request."""

    def __init__(self, cancelled: threading.Event, *, is_hopeless: bool = False) -> None:
        self._cancelled = cancelled
        self._begun = time.monotonic()
        self._pause = _FIRST
        self._is_hopeless = is_hopeless

    def wait(self, *, at_least: float = 0.0, refused: bool = False) -> bool:
        """Pause; returns whether to retry."""
        if self._is_hopeless:
            return False
        pause = max(at_least, self._pause * random.uniform(0.5, 1))  # noqa: S311 (not a secret)
        self._pause = min(_LONGEST, self._pause * 2)
        patience = _PATIENCE_WHEN_REFUSED if refused else _PATIENCE
        if time.monotonic() + pause - self._begun > patience:
            return False
        return not self._cancelled.wait(pause)
