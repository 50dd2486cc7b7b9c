"""gRPC calls of a load: a call at a time, all of them on one channel, as a client has it.

It stands where `connection.Connection` does for HTTP/1.1. A call that the server has answered with
another status than OK is an answer with the HTTP status that a gateway would make of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio

from cli.traffic import grpc_call, relay
from cli.traffic.connection import Answer, Loss
from cli.traffic.exchange import served_by
from cli.traffic.target import Target

_NO_CONNECTION = "failed to connect to all addresses"
"""How gRPC's details begin where no connection could be made."""
_CUT = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN})
"""Statuses that a client gives to a call whose connection or stream ended without one."""


class GrpcChannel:
    """The channel of a load, in the loop that runs. Close it at the end."""

    def __init__(self, target: Target) -> None:
        """Raises `OSError` and `ValueError` for authorities that cannot be read."""
        self._relay = relay.of(target)
        at = self._relay.address if self._relay else grpc_call.address(target)
        options = grpc_call.options(target)
        credentials = grpc_call.credentials(target)
        self._channel = (
            grpc.aio.secure_channel(at, credentials, options)
            if credentials
            else grpc.aio.insecure_channel(at, options)
        )
        self._metadata = grpc_call.metadata(target)
        self._method = self._channel.unary_unary(
            target.path,
            request_serializer=lambda content: content,
            response_deserializer=lambda content: content,
        )
        self.request = target.body
        self._failed_with = ""

    @property
    def reason(self) -> str:
        """Why there was no connection the last time; empty if there always was one."""
        return (self._relay.reason if self._relay else "") or self._failed_with

    async def open(
        self,
        done: Callable[[GrpcConnection, Answer | Loss], None],
        closed: Callable[[GrpcConnection], None],
    ) -> GrpcConnection:
        """A place on it."""
        return GrpcConnection(self, done, closed)

    async def call(self, message: bytes) -> Answer | Loss:
        """Make one call."""
        call = self._method(message, metadata=self._metadata)
        try:
            await call
            pairs = (
                *(await call.initial_metadata() or ()),
                *(await call.trailing_metadata() or ()),
            )
        except grpc.aio.AioRpcError as error:
            return self._failed(error)
        return Answer(200, served_by(_texts(pairs)))

    def _failed(self, error: grpc.aio.AioRpcError) -> Answer | Loss:
        code, details = error.code(), " ".join((error.details() or "").split())
        if details.startswith(_NO_CONNECTION):
            self._failed_with = details
            return Loss.CONNECT
        pairs = (*(error.initial_metadata() or ()), *(error.trailing_metadata() or ()))
        # The load cancels a call by its task. A status CANCELLED is the server's, which has cut it.
        if code is grpc.StatusCode.CANCELLED or (code in _CUT and not pairs):
            return Loss.RESET
        return Answer(grpc_call.http_status(code), served_by(_texts(pairs)))

    async def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        await self._channel.close(None)
        if self._relay is not None:
            await asyncio.to_thread(self._relay.close)


class GrpcConnection:
    """A place for one call at a time. `done` is called once for each message sent."""

    def __init__(
        self,
        channel: GrpcChannel,
        done: Callable[[GrpcConnection, Answer | Loss], None],
        closed: Callable[[GrpcConnection], None],
    ) -> None:
        self._channel = channel
        self._done = done
        self._closed = closed
        self._task: asyncio.Task[None] | None = None
        self.is_open = True

    def send(self, message: bytes) -> None:
        """Make a call; the one before must have ended."""
        if not self.is_open or self._task is not None:
            raise RuntimeError("the connection is not open and idle")
        self._task = asyncio.create_task(self._call(message))

    async def _call(self, message: bytes) -> None:
        result = await self._channel.call(message)
        self._task = None
        self._done(self, result)

    def close(self, why: Loss = Loss.RESET) -> None:
        """Take no more calls; one under way is cancelled and lost, and this is why."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        if self.is_open:
            self.is_open = False
            asyncio.get_running_loop().call_soon(self._closed, self)
        if task is not None:
            self._done(self, why)


def _texts(pairs: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in pairs}
