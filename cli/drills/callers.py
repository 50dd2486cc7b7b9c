"""Where the callers of a drill send their requests, which the drill may change under load."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cli.traffic.target import Target


class Callers:
    """The load's target. It is changed by the drill's thread, and obeyed by the load's loop."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._obey: Callable[[Target], None] | None = None

    def bind(self, obey: Callable[[Target], None]) -> None:
        """Let `obey` be called in the loop that runs now, whenever the target changes."""
        loop = asyncio.get_running_loop()
        self._obey = lambda target: _soon(loop, obey, target)
        obey(self.target)

    def move_to(self, target: Target) -> None:
        """Send further requests elsewhere; those under way are answered where they were sent."""
        self.target = target
        if self._obey is not None:
            self._obey(target)


def _soon(loop: asyncio.AbstractEventLoop, obey: Callable[[Target], None], target: Target) -> None:
    loop.call_soon_threadsafe(obey, target)
