"""A connection of HTTP/2 without TLS: requests side by side, each answered when it is ready.

Only servers that are not recognised have such ports. gRPC calls on them are passed on one by one
(`grpc_bridge`), since a caller may mix both on one connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError

from sandbox.traffic.model_servers.http2_sender import Headers, Http2Sender
from sandbox.traffic.model_servers.http_connection import LARGEST_BODY, LOAD_BALANCER, Server
from sandbox.traffic.model_servers.load import Ticket
from sandbox.traffic.model_servers.messages import TEXT, Answer, Request

if TYPE_CHECKING:
    from sandbox.traffic.model_servers.grpc_bridge import GrpcBridge

_CONFIGURATION = H2Configuration(client_side=False, header_encoding=None)
_LOOK = 0.1
"""Seconds between looks whether a connection that is to end has answered everything."""
_HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"upgrade"})


class _Stream:
    """One request, and its answer under way."""

    __slots__ = ("body", "call", "headers", "request", "size", "ticket", "timers")

    def __init__(self, headers: Headers) -> None:
        self.headers = headers
        self.body: list[bytes] = []
        self.size = 0
        self.request: Request | None = None
        self.ticket: Ticket | None = None
        self.timers: list[asyncio.TimerHandle] = []
        self.call: GrpcBridge | None = None


class Http2Connection(asyncio.Protocol):
    """One connection to a port of a server, from HTTP/2's preface on."""

    def __init__(
        self,
        server: Server,
        port: int,
        closed: Callable[[Http2Connection], None],
        bridge: Callable[[Http2Connection, int, Headers], Awaitable[GrpcBridge]],
    ) -> None:
        """`bridge` opens the gRPC server's side of a call."""
        self._server = server
        self.port = port
        """The container's port."""
        self._closed = closed
        self._bridge = bridge
        self._loop = asyncio.get_running_loop()
        self._h2 = H2Connection(_CONFIGURATION)
        self._sender = Http2Sender(self._h2, self._sent)
        self._streams: dict[int, _Stream] = {}
        self._is_ending = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self.is_balanced = False
        """Whether its last request came through the load balancer."""

    def take_over(self, transport: asyncio.Transport, data: bytes) -> None:
        """Go on with a connection of which `data` was read."""
        self.transport = self._sender.transport = transport
        transport.set_protocol(self)
        self._h2.initiate_connection()
        self.data_received(data)

    def close_when_idle(self) -> None:
        """Ask the caller for no more requests, and close once all are answered."""
        if self._is_ending or self.transport.is_closing():
            return
        self._is_ending = True
        self._sender.announce_end()
        self._loop.call_later(_LOOK, self._end_if_idle)

    def _end_if_idle(self) -> None:
        if self.transport.is_closing():
            return
        if self._streams:
            self._loop.call_later(_LOOK, self._end_if_idle)
            return
        self._h2.close_connection()
        self._sender.flush()
        self.transport.close()

    def cut(self) -> None:
        """Reset the connection."""
        self.transport.abort()

    # asyncio's callbacks

    def data_received(self, data: bytes) -> None:
        """Parse what arrives."""
        try:
            events = self._h2.receive_data(data)
        except ProtocolError:
            self._sender.flush()  # which says what was wrong
            self.transport.close()
            return
        for event in events:
            self._take(event)
        self._sender.flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Give up what is under way."""
        for number in [*self._streams]:
            self._forget(number)
        for task in self._tasks:
            task.cancel()
        self._closed(self)

    # requests

    def _take(self, event: Event) -> None:
        match event:
            case RequestReceived():
                self._begin(event.stream_id, list(event.headers), is_whole=bool(event.stream_ended))
            case DataReceived():
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self._add(event.stream_id, event.data)
            case StreamEnded():
                self._complete(event.stream_id)
            case StreamReset():
                self._forget(event.stream_id)
            case WindowUpdated():
                self._sender.push(event.stream_id)
            case ConnectionTerminated():
                self.transport.close()  # h2 sends nothing after it

    def _begin(self, number: int, headers: Headers, *, is_whole: bool) -> None:
        stream = self._streams[number] = _Stream(headers)
        self._sender.open(number)
        named = dict(headers)
        if b"via" in named:
            self.is_balanced = LOAD_BALANCER in named[b"via"]
        if named.get(b"content-type", b"").startswith(b"application/grpc"):
            self._spawn(self._open(number, stream))
        elif not is_whole and named.get(b"expect", b"").lower() == b"100-continue":
            self._h2.send_headers(number, [(b":status", b"100")])

    async def _open(self, number: int, stream: _Stream) -> None:
        stream.call = await self._bridge(self, number, stream.headers)
        for part in stream.body:
            stream.call.add(part)
        if stream.request is not None:
            stream.call.end()

    def _add(self, number: int, data: bytes) -> None:
        if (stream := self._streams.get(number)) is None:
            return
        if stream.call is not None:
            stream.call.add(data)
            return
        stream.size += len(data)
        if stream.size > LARGEST_BODY:
            self._send(number, stream, Answer(413, b"Content Too Large", TEXT))
            return
        stream.body.append(data)

    def _complete(self, number: int) -> None:
        stream = self._streams.get(number)
        if stream is None or stream.request is not None:
            return
        named = dict(stream.headers)
        headers = [(name, value) for name, value in stream.headers if not name.startswith(b":")]
        headers.append((b"host", named.get(b":authority", b"")))
        method, target = named.get(b":method", b"GET"), named.get(b":path", b"/")
        stream.request = Request(method.decode("latin-1"), target, headers, b"".join(stream.body))
        if named.get(b"content-type", b"").startswith(b"application/grpc"):
            if stream.call is not None:
                stream.call.end()
            return
        self._serve(number, stream, stream.request)

    # answers

    def _serve(self, number: int, stream: _Stream, request: Request) -> None:
        answer = self._server.answer(request, self.port)
        load = self._server.load
        if not answer.verb:
            self._send(number, stream, answer)
            return
        if answer.error is not None and load.fails():
            answer = answer.failed()
        if load.is_instant:
            load.pass_at_once(answer.adapter)
            load.count(answer.model, answer.verb, answer.status, None, answer.tokens)
            self._send(number, stream, answer)
            return

        def begun(seconds: float) -> None:
            if answer.chunks:
                self._stream(number, stream, answer, seconds)

        def finished() -> None:
            ticket, stream.ticket = stream.ticket, None
            load.count(answer.model, answer.verb, answer.status, ticket, answer.tokens)
            if answer.chunks:
                self._end(number, stream)
            else:
                self._send(number, stream, answer)
            self._sender.flush()

        stream.ticket = load.enter(finished, begun, adapter=answer.adapter)

    def _send(self, number: int, stream: _Stream, answer: Answer) -> None:
        body = b"".join(answer.chunks) or answer.body
        length = [] if answer.chunks else [(b"content-length", b"%d" % len(answer.body))]
        self._sender.head(number, [*self._head(stream, answer), *length])
        is_head = stream.request is not None and stream.request.method == "HEAD"
        self._sender.rest(number, *([None] if is_head or not body else [body, None]))

    def _stream(self, number: int, stream: _Stream, answer: Answer, seconds: float) -> None:
        self.send_head(number, self._head(stream, answer))
        stream.body = list(answer.chunks)
        step = seconds / (len(answer.chunks) + 1)
        stream.timers = [
            self._loop.call_later(step * place, self._send_part, number, stream)
            for place in range(len(answer.chunks))
        ]

    def _send_part(self, number: int, stream: _Stream) -> None:
        if stream.body:
            self.send_rest(number, stream.body.pop(0))

    def _end(self, number: int, stream: _Stream) -> None:
        for timer in stream.timers:
            timer.cancel()
        self._sender.rest(number, *stream.body, None)

    def _head(self, stream: _Stream, answer: Answer) -> Headers:
        found = [(b":status", b"%d" % answer.status), (b"content-type", answer.content_type)]
        found += _pairs(self._server.identity)
        if stream.request is not None:
            found.append((b"x-served-by-path", stream.request.target))
        found += [(name.lower(), value) for name, value in answer.headers]
        return [one for one in found if one[0] not in _HOP_BY_HOP]

    def send_head(self, number: int, headers: Headers) -> None:
        """Send an answer's headers, unless its caller has gone."""
        self._sender.head(number, headers)
        self._sender.flush()

    def send_rest(self, number: int, *parts: bytes | Headers | None) -> None:
        """Send parts of a body; then None, or headers that are trailers."""
        self._sender.rest(number, *parts)
        self._sender.flush()

    def _sent(self, number: int) -> None:
        stream = self._streams[number]
        if stream.request is None:  # answered before it was read: the rest is not wanted
            self._h2.reset_stream(number, ErrorCodes.NO_ERROR)
        self._forget(number)

    def _forget(self, number: int) -> None:
        stream = self._streams.pop(number, None)
        self._sender.forget(number)
        if stream is None:
            return
        for timer in stream.timers:
            timer.cancel()
        if stream.ticket is not None:
            self._server.load.leave(stream.ticket)
        if stream.call is not None:
            stream.call.cancel()

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _pairs(lines: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in lines.split(b"\r\n"):
        name, colon, value = line.partition(b": ")
        if colon:
            yield name.lower(), value
