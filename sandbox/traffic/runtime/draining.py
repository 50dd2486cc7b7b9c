"""Connection draining: what an endpoint has not answered when its time is over is cut.

Envoy lets requests to an endpoint that has left end, however long they take. Google's load
balancer cuts them after the backend service's draining timeout:
https://docs.cloud.google.com/load-balancing/docs/enabling-connection-draining
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from sandbox import tasks

_log = logging.getLogger("sandbox.traffic")
_PATIENCE = 2.0  # seconds
Endpoints = Mapping[str, Iterable[int]]
"""Backend service → loopback ports of its endpoints."""


class Draining:
    """Follows the endpoints of the backend services."""

    def __init__(self, record: Path) -> None:
        """`record` is the file in which the model servers say where their control is."""
        self._record = record
        self._known: dict[int, int] = {}
        """Port → the longest draining timeout of the services that have it, in seconds."""
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(self, endpoints: Endpoints, timeouts: Mapping[str, int]) -> None:
        """Take over the endpoints as they are now; `timeouts` are in seconds, by service."""
        present: dict[int, int] = {}
        for service, timeout in timeouts.items():
            for port in endpoints.get(service, ()):
                present[port] = max(timeout, present.get(port, 0))
        loop = asyncio.get_running_loop()
        for port in self._timers.keys() & present.keys():
            self._timers.pop(port).cancel()
        for port in self._known.keys() - present.keys():
            self._timers[port] = loop.call_later(self._known[port], self._end, port)
        self._known = present

    async def close(self) -> None:
        """Cut nothing more."""
        for timer in self._timers.values():
            timer.cancel()
        await tasks.end(self._tasks)

    def _end(self, port: int) -> None:
        self._timers.pop(port, None)
        task = asyncio.get_running_loop().create_task(self._cut(port))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _cut(self, port: int) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                control = int(json.loads(self._record.read_bytes())["port"])
                reader, writer = await asyncio.open_connection("127.0.0.1", control)
                try:
                    writer.write(_request(port))
                    await reader.readuntil(b"\r\n\r\n")
                finally:
                    writer.close()
        except (OSError, ValueError, KeyError, TimeoutError, asyncio.IncompleteReadError) as error:
            _log.debug("nothing is cut on port %d: %r", port, error)  # its server has ended


def _request(port: int) -> bytes:
    body = json.dumps({"port": port}).encode()
    head = f"POST /cut HTTP/1.1\r\nhost: control\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"connection: close\r\n\r\n" + body
