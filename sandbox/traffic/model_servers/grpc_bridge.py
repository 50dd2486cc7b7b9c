"""One gRPC call that arrived beside requests of HTTP/2: passed on to the server's gRPC side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from sandbox.traffic.model_servers.http2_connection import Http2Connection
from sandbox.traffic.model_servers.http2_sender import Headers

_FRAME = 5
"""Bytes before a message: a flag, and its length."""
_OWN = frozenset({"te", "user-agent", "content-type", "grpc-accept-encoding", "grpc-encoding"})


class GrpcBridge:
    """A call: messages in by `add`, the answer out to its stream."""

    def __init__(
        self, channel: grpc.aio.Channel, near: Http2Connection, number: int, headers: Headers
    ) -> None:
        """Begin the call. `headers` are the caller's."""
        self._near, self._number = near, number
        self._messages: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._read = bytearray()
        given = [(name.decode("latin-1"), value) for name, value in headers]
        path = next(value.decode("latin-1") for name, value in given if name == ":path")
        metadata = [
            (name, value if name.endswith("-bin") else value.decode("latin-1"))
            for name, value in given
            if not name.startswith((":", "grpc-")) and name not in _OWN
        ]
        method: Any = channel.stream_stream(path, bytes, bytes)
        self._call: Any = method(self._sent(), metadata=metadata)
        self._task = asyncio.create_task(self._answer())

    def add(self, data: bytes) -> None:
        """Take a part of the caller's messages."""
        self._read += data
        while len(self._read) >= _FRAME:
            end = _FRAME + int.from_bytes(self._read[1:_FRAME], "big")
            if len(self._read) < end:
                return
            self._messages.put_nowait(bytes(self._read[_FRAME:end]))
            del self._read[:end]

    def end(self) -> None:
        """The caller has sent all."""
        self._messages.put_nowait(None)

    def cancel(self) -> None:
        """Give the call up; nothing where it has ended."""
        self._call.cancel()

    async def _sent(self) -> AsyncIterator[bytes]:
        while (message := await self._messages.get()) is not None:
            yield message

    async def _answer(self) -> None:
        near, number, call = self._near, self._number, self._call
        head: Headers = [(b":status", b"200"), (b"content-type", b"application/grpc")]
        try:
            near.send_head(number, head + _encoded(await call.initial_metadata()))
            async for message in call:
                near.send_rest(number, b"\0" + len(message).to_bytes(4, "big") + message)
        except grpc.aio.AioRpcError:
            pass  # its status follows
        except asyncio.CancelledError:
            return  # by the caller, who is gone
        status = str((await call.code()).value[0]).encode()
        words = (await call.details() or "").encode().replace(b"%", b"%25").replace(b"\n", b"%0A")
        trailers = [(b"grpc-status", status), *([(b"grpc-message", words)] if words else [])]
        near.send_rest(number, trailers + _encoded(await call.trailing_metadata()))


def _encoded(metadata: Any) -> Headers:
    return [
        (str(name).encode(), value if isinstance(value, bytes) else str(value).encode())
        for name, value in metadata or ()
    ]
