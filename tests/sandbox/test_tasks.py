"""Tasks end, even one that has lost its cancellation."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from sandbox import tasks


def test_a_task_that_has_lost_its_cancellation_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_PATIENCE", 0.01)

    async def deaf() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(60)

    async def run() -> asyncio.Task[None]:
        task = asyncio.create_task(deaf())
        await asyncio.sleep(0)
        await tasks.end([task, None])
        return task

    assert asyncio.run(run()).cancelled()


def test_what_a_task_raised_is_dropped() -> None:
    async def failed() -> None:
        raise OSError("gone")

    async def run() -> bool:
        task = asyncio.create_task(failed())
        await asyncio.sleep(0)
        await tasks.end([task])
        return task.done()

    assert asyncio.run(run())
