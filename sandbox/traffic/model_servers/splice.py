"""Passes the bytes of a connection on to a Unix socket and back, with each side's back pressure."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable


class Splice(asyncio.Protocol):
    """The caller's side of a connection that is passed on."""

    def __init__(
        self,
        transport: asyncio.Transport,
        data: bytes,
        port: int,
        closed: Callable[[Splice], None],
    ) -> None:
        """`data` was read already. Reading stops until the other side is there."""
        self.transport = transport
        self.port = port
        """The container's port."""
        self._data = data
        self._closed = closed
        self._far: asyncio.Transport | None = None
        transport.pause_reading()
        transport.set_protocol(self)

    async def open(self, path: str) -> None:
        """Connect to the socket. A refusal ends the connection."""
        loop = asyncio.get_running_loop()
        # uvloop takes an abstract address as a connected socket only.
        one = socket.socket(socket.AF_UNIX)
        one.setblocking(False)
        try:
            await loop.sock_connect(one, path)
            far, _ = await loop.create_unix_connection(lambda: _Far(self.transport), sock=one)
        except OSError:
            one.close()
            self.transport.abort()
            return
        if self.transport.is_closing():
            far.abort()
            return
        self._far = far
        far.write(self._data)
        self.transport.resume_reading()

    def cut(self) -> None:
        """Reset the connection."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Pass on what arrives."""
        if self._far is not None:
            self._far.write(data)

    def pause_writing(self) -> None:
        """Let the other side wait."""
        if self._far is not None:
            self._far.pause_reading()

    def resume_writing(self) -> None:
        """Let the other side go on."""
        if self._far is not None and not self._far.is_closing():
            self._far.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """End the other side."""
        if self._far is not None:
            self._far.close()
        self._closed(self)


class _Far(asyncio.Protocol):
    """The Unix socket's side."""

    def __init__(self, near: asyncio.Transport) -> None:
        self._near = near

    def data_received(self, data: bytes) -> None:
        """Pass on what arrives."""
        self._near.write(data)

    def pause_writing(self) -> None:
        """Let the other side wait."""
        self._near.pause_reading()

    def resume_writing(self) -> None:
        """Let the other side go on."""
        if not self._near.is_closing():
            self._near.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """End the other side."""
        self._near.close()
