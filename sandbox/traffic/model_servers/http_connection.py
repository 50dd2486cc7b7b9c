"""A connection of HTTP/1.1: parses requests, sends answers in order, follows its server's life."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

import httptools

from sandbox.traffic.model_servers.load import Load, Ticket
from sandbox.traffic.model_servers.messages import TEXT, Answer, Request

LARGEST_BODY = 64 << 20
_MOST_PIPELINED = 64
_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
_PREFACE = b"PRI "
"""How HTTP/2 begins; no method of HTTP/1.1 does."""
LOAD_BALANCER = b"1.1 google"
"""What the load balancer says of itself in `Via`."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Server(Protocol):
    """What a connection needs of its server."""

    load: Load
    identity: bytes
    """Header lines that say who answers."""

    @property
    def closes(self) -> bool:
        """Whether a connection is closed after its answer."""

    def answer(self, request: Request, port: int) -> Answer:
        """The answer to a request."""

    def speaks_http(self, port: int) -> bool:
        """Whether a container's port takes HTTP/1.1."""

    def connected(self, connection: HttpConnection) -> None:
        """Take note of a connection."""

    def disconnected(self, connection: HttpConnection) -> None:
        """Forget a connection."""


class HttpConnection(asyncio.Protocol):
    """One connection to a port of a server."""

    def __init__(self, server: Server, port: int, upgrade: Callable[[HttpConnection, bytes], None]):
        """`upgrade` takes over a connection that begins with HTTP/2's preface."""
        self._server = server
        self.port = port
        """The container's port."""
        self._upgrade = upgrade
        self._parser = httptools.HttpRequestParser(self)
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Request] = deque()
        self._is_busy = False
        self._ticket: Ticket | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._parts: deque[bytes] = deque()
        """What is left to send of a stream."""
        self._is_paused = False
        self._is_first = True
        self._first = b""
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._size = 0
        self._expects = False
        self._is_ended = False
        self.is_balanced = False
        """Whether its last request came through the load balancer."""

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way."""
        return not self._is_busy and not self._queue and not self._target

    def close_when_idle(self) -> None:
        """Close now if no request is under way; else the next answer closes."""
        if self.is_idle:
            self.transport.close()

    def cut(self) -> None:
        """Reset the connection."""
        self.transport.abort()

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = transport  # type: ignore[assignment]
        self._server.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Give up what is under way."""
        for timer in self._timers:
            timer.cancel()
        self._queue.clear()
        self._is_ended = True
        if self._ticket is not None:
            self._server.load.leave(self._ticket)
            self._ticket = None
        self._server.disconnected(self)

    def data_received(self, data: bytes) -> None:
        """Parse what arrives."""
        if self._is_first:
            data = self._first + data
            if data.startswith(_PREFACE):
                self._upgrade(self, data)
                return
            if _PREFACE.startswith(data):
                self._first = data
                return
            self._is_first = False
            if not self._server.speaks_http(self.port):
                self.transport.abort()
                return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # No protocol is switched to, which is an answer that RFC 9110 allows.
            self._parser = httptools.HttpRequestParser(self)
        except httptools.HttpParserError:
            if not self._is_ended:
                self._refuse(400)

    def eof_received(self) -> bool:
        """Close: a caller that sends no more is taken for gone, as uvicorn does."""
        return False

    # httptools' callbacks

    def on_message_begin(self) -> None:
        """A request begins."""
        self._target, self._headers, self._body, self._size = b"", [], [], 0
        self._expects = False

    def on_url(self, url: bytes) -> None:
        """A part of its target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of its headers."""
        self._headers.append((name, value))
        if len(name) == 6 and name.lower() == b"expect" and value.lower() == b"100-continue":
            self._expects = True
        if len(name) == 3 and name.lower() == b"via":
            self.is_balanced = LOAD_BALANCER in value

    def on_headers_complete(self) -> None:
        """Its body follows."""
        if self._expects and self._parser.get_http_version() == "1.1" and self.transport:
            self.transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """A part of its body."""
        self._size += len(body)
        if self._size > LARGEST_BODY:
            self._refuse(413)
            return
        self._body.append(body)

    def on_message_complete(self) -> None:
        """It is complete: answer it, or let it wait for those before it."""
        if self._is_ended:
            return
        body = self._body
        request = Request(
            self._parser.get_method().decode(),
            self._target,
            self._headers,
            body[0] if len(body) == 1 else b"".join(body),
            keep_alive=self._parser.should_keep_alive(),
        )
        self._target = b""
        if self._is_busy:
            self._queue.append(request)
            if len(self._queue) >= _MOST_PIPELINED and not self._is_paused:
                self._is_paused = True
                self.transport.pause_reading()
        else:
            self._serve(request)

    # answers

    def _serve(self, request: Request) -> None:
        answer = self._server.answer(request, self.port)
        if not answer.verb:
            self._send(request, answer)
            return
        load = self._server.load
        if answer.error is not None and load.fails():
            answer = answer.failed()
        if load.is_instant:
            load.pass_at_once(answer.adapter)
            load.count(answer.model, answer.verb, answer.status, None, answer.tokens)
            load.prefixes.take(answer.model, answer.prompt)
            self._send(request, answer)
            return
        self._is_busy = True

        def begun(seconds: float) -> None:
            if answer.chunks and request.method != "HEAD":
                self._stream(request, answer, seconds)

        def finished() -> None:
            ticket, self._ticket = self._ticket, None
            load.count(answer.model, answer.verb, answer.status, ticket, answer.tokens)
            load.prefixes.take(answer.model, answer.prompt)
            if answer.chunks and request.method != "HEAD":
                self._end(request)
            else:
                self._send(request, answer)
            self._is_busy = False
            self._next()

        ticket = load.enter(finished, begun, adapter=answer.adapter)
        if self._is_busy:
            self._ticket = ticket

    def _next(self) -> None:
        while self._queue and not self._is_busy and not self.transport.is_closing():
            self._serve(self._queue.popleft())
        if self._is_paused and not self._queue:
            self._is_paused = False
            self.transport.resume_reading()

    def _send(self, request: Request, answer: Answer) -> None:
        if answer.chunks and request.method != "HEAD":
            self._stream(request, answer, 0.0)
            self._end(request)
            return
        length = b"content-length: %d\r\n" % len(answer.body)
        body = b"" if request.method == "HEAD" else answer.body
        self.transport.write(self._head(request, answer, length) + body)
        self._close_after(request)

    def _stream(self, request: Request, answer: Answer, seconds: float) -> None:
        self.transport.write(self._head(request, answer, b"transfer-encoding: chunked\r\n"))
        chunks = [b"%x\r\n%b\r\n" % (len(one), one) for one in answer.chunks]
        if not seconds:
            self.transport.write(b"".join(chunks))
            return
        step = seconds / (len(chunks) + 1)
        self._parts.extend(chunks)
        self._timers = [
            self._loop.call_later(step * place, self._send_part) for place in range(len(chunks))
        ]

    def _send_part(self) -> None:
        if self._parts and not self.transport.is_closing():
            self.transport.write(self._parts.popleft())

    def _end(self, request: Request) -> None:
        # Timers may be late, by more than the time between two of them.
        for timer in self._timers:
            timer.cancel()
        self._timers = []
        self.transport.write(b"".join((*self._parts, b"0\r\n\r\n")))
        self._parts.clear()
        self._close_after(request)

    def _head(self, request: Request, answer: Answer, length: bytes) -> bytes:
        server = self._server
        extra = b"".join(b"%b: %b\r\n" % one for one in answer.headers) if answer.headers else b""
        closes = b"connection: close\r\n" if server.closes or not request.keep_alive else b""
        return b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\n%b%bx-served-by-path: %b\r\n%b%b\r\n" % (
            answer.status,
            _REASONS.get(answer.status, b""),
            answer.content_type,
            length,
            server.identity,
            request.target,
            extra,
            closes,
        )

    def _close_after(self, request: Request) -> None:
        if self._server.closes or not request.keep_alive:
            self._is_ended = True
            self._queue.clear()
            self.transport.close()

    def _refuse(self, status: int) -> None:
        """Answer what is no proper request, and close."""
        self._is_ended = True
        request = Request("GET", b"", keep_alive=False)
        self._send(request, Answer(status, _REASONS[status], TEXT))
