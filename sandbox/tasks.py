"""The end of asyncio tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

_PATIENCE = 30.0  # seconds for what a task does before it ends


async def end(tasks: Iterable[asyncio.Task[Any] | None]) -> None:
    """Cancel tasks and wait until they have ended; what they raise is dropped.

    A task that has lost its cancellation, as `asyncio.wait_for` of Python 3.11 may where its result
    comes at the same moment, is told again.
    """
    running = {task for task in tasks if task is not None}
    while running:
        for task in running:
            task.cancel()
        done, running = await asyncio.wait(running, timeout=_PATIENCE)
        for task in done:
            if not task.cancelled():
                task.exception()  # or asyncio logs it as never retrieved
