"""What sends one request at a time: a connection of HTTP/1.1, or a place on a shared one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

from cli.traffic.connection import Answer, Connection, Loss
from cli.traffic.target import Target

if TYPE_CHECKING:
    from cli.traffic.grpc_connection import GrpcConnection
    from cli.traffic.http2_connection import Http2Place

Place: TypeAlias = "Connection | GrpcConnection | Http2Place"
Done = Callable[[Place, Answer | Loss], None]
Closed = Callable[[Place], None]
TLS_SECONDS = 10.0


class Places(Protocol):
    """Where places come from, for one target."""

    @property
    def reason(self) -> str:
        """Why there was no connection the last time, if the protocol's own client knows."""

    @property
    def request(self) -> bytes:
        """What each place sends."""

    async def open(self, done: Done, closed: Closed) -> Place:
        """A place that is open. Raises OSError."""

    async def close(self) -> None:
        """Close what the places share."""


def of(target: Target) -> Places:
    """The places of a target's protocol. Raises `OSError` and `ValueError` for bad authorities."""
    if target.is_grpc:
        from cli.traffic.grpc_connection import GrpcChannel  # noqa: PLC0415 (only for gRPC)

        return GrpcChannel(target)
    if target.is_http2:
        from cli.traffic.http2_connection import Http2Channel  # noqa: PLC0415 (only for HTTP/2)

        return Http2Channel(target)
    return Connections(target)


class Connections:
    """Connections of HTTP/1.1."""

    reason = ""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._tls = target.tls()
        self.request = target.request()

    async def open(self, done: Done, closed: Closed) -> Connection:
        """Connect. Raises OSError."""
        target, last = self._target, self._target.last_event
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(done, closed, is_head=target.method == "HEAD", last_event=last),
            target.address,
            target.port,
            ssl=self._tls,
            local_addr=(target.caller, 0) if target.caller else None,
            server_hostname=target.host if self._tls else None,
            ssl_handshake_timeout=TLS_SECONDS if self._tls else None,
        )
        return connection

    async def close(self) -> None:
        """Nothing is shared."""
