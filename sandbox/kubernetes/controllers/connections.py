"""The open connections of a small server: stopping the server ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sandbox import tasks

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Connections:
    """The connections that a server has accepted. `asyncio.Server.close` leaves them open."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def tracked(self, serve: Serve) -> Serve:
        """`serve`, for `asyncio.start_server`, with its connections recorded."""

        async def recorded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 (a coroutine runs in a task)
            self._tasks.add(task)
            try:
                await serve(reader, writer)
            except asyncio.CancelledError:
                writer.transport.abort()
            finally:
                self._tasks.discard(task)

        return recorded

    async def close(self) -> None:
        """Cut all connections, and return once their sockets are closed."""
        await tasks.end(self._tasks)
        # Transports close their sockets in the loop's next rounds, TLS in the second.
        for _ in range(3):
            await asyncio.sleep(0)
