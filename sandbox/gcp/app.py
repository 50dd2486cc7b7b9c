"""The emulated API as an ASGI application: its start and end, and bytes in and out.

What happens to a request between the two is in `request_handlers`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from sandbox.gcp.control import Control
from sandbox.gcp.request import Request
from sandbox.gcp.request_handlers import Emulator, answer
from sandbox.gcp.router import Router
from sandbox.gcp.service import Raw, Service, State
from sandbox.gcp.services import all_services
from sandbox.gcp.store import Store

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class App:
    """The application. `state` is public for tests and the daemon."""

    def __init__(
        self,
        state_path: Path | None,
        control_planes: Any = None,
        *,
        services: Mapping[str, Service] | None = None,
    ) -> None:
        self.state = State(Store(state_path), control_planes)
        self._emulator = Emulator(
            services=all_services() if services is None else dict(services),
            router=Router(self.state.store.projects()),
            control=Control(self.state),
            state=self.state,
        )

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """ASGI's entry point."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            request = Request.of(scope, await _read(receive))
            await _send(await answer(self._emulator, request), send)

    async def start(self) -> None:
        """Start what services do beside requests, such as bringing clusters back."""
        for service in self._emulator.services.values():
            if service.on_start is not None:
                await service.on_start(self.state)

    async def stop(self) -> None:
        """Stop that, and close the store."""
        for service in self._emulator.services.values():
            if service.on_stop is not None:
                await service.on_stop(self.state)
        for task in list(self.state.tasks):
            task.cancel()
        await asyncio.gather(*self.state.tasks, return_exceptions=True)
        self.state.store.close()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def create_app(state_path: Path | None, control_planes: Any = None) -> App:
    """The application with all services; without `control_planes`, clusters are not booted."""
    return App(state_path, control_planes)


async def _read(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


async def _send(answer: Raw, send: Send) -> None:
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.content)).encode()),
        *((k.lower().encode(), v.encode()) for k, v in answer.headers.items()),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content})
