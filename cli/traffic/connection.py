"""One keep-alive connection of HTTP/1.1: a request at a time, an answer or a loss for each."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import httptools

from cli.traffic.events import Events, begun

_SERVED_BY = b"x-served-by-"
_OK = 200
_FRAMING = (b"content-length", b"transfer-encoding")


class Loss(StrEnum):
    """Why a request has no answer that a caller can use."""

    CONNECT = "connect"
    """No connection: refused, no such host, or a certificate that does not fit."""
    RESET = "reset"
    """The connection ended before the whole answer."""
    CUT = "cut"
    """A stream of events has begun, and ended before its last one."""
    TIMEOUT = "timeout"
    SERVER_ERROR = "5xx"


@dataclass(slots=True)
class Answer:
    """One answer, without its body."""

    status: int = 0
    """0 until the headers have arrived."""
    served_by: dict[str, str] = field(default_factory=dict)
    """The headers `x-served-by-*` without that prefix; a real server has none."""


class Connection(asyncio.Protocol):
    """A connection. `done` is called once for each request that `send` was given.

    `asyncio.Protocol` with a parser in C: streams cost several times as much a request.
    """

    def __init__(
        self,
        done: Callable[[Connection, Answer | Loss], None],
        closed: Callable[[Connection], None],
        *,
        is_head: bool = False,
        last_event: bytes = b"",
    ) -> None:
        """`last_event` is what ends a stream of events; empty: the end of the answer."""
        self._done = done
        self._closed = closed
        self._is_head = is_head
        self._last_event = last_event
        self._events: Events | None = None
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: Answer | None = None
        self._has_length = False
        self._is_connected = False
        self._arrived = select.poll()

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent: nothing has arrived unasked, above all no end.

        The socket is asked, not the event loop, which may be late: a server's end that this machine
        has already received costs no request, as with httpx, urllib3 and what is built on them.
        """
        if not self._is_connected or self._transport is None or self._transport.is_closing():
            return False
        return self._answer is not None or not self._arrived.poll(0)

    def send(self, request: bytes) -> None:
        """Send a request; the connection must be open, and idle."""
        if self._transport is None or self._answer is not None:
            raise RuntimeError("the connection is not open and idle")
        self._answer = Answer()
        self._events = None
        self._has_length = False
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(request)

    def close(self, why: Loss = Loss.RESET) -> None:
        """Close at once; a request under way is lost, and this is why.

        A stream that has begun is cut instead, except by a timeout.
        """
        self._is_connected = False
        if self._transport is not None:
            self._transport.abort()
        self._finish(why)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio's interface."""
        self._transport = transport  # type: ignore[assignment]  # a stream's transport
        self._is_connected = True
        self._arrived.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio's interface."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio's interface."""
        self._is_connected = False
        answer = self._answer
        if exc is None and answer is not None and answer.status and not self._has_length:
            self._complete(answer)  # an answer without a length ends with its connection
        self._finish(Loss.RESET)
        self._closed(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Part of the parser's interface."""
        lower = name.lower()
        if lower in _FRAMING:
            self._has_length = True
        elif lower == b"content-type":
            self._events = begun(value, self._last_event)
        elif lower.startswith(_SERVED_BY) and self._answer is not None:
            served = lower[len(_SERVED_BY) :].decode("latin-1")
            self._answer.served_by[served] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Part of the parser's interface."""
        status = self._parser.get_status_code()
        if self._answer is None or status < 200:
            return  # 100 Continue comes before the answer
        self._answer.status = status
        if not self._parser.should_keep_alive():
            self._is_connected = False
        if self._is_head:
            self._finish(self._answer)

    def on_body(self, body: bytes) -> None:
        """Part of the parser's interface."""
        if self._events is not None:
            self._events.add(body)

    def on_message_complete(self) -> None:
        """Part of the parser's interface."""
        if self._answer is not None and self._answer.status:
            self._complete(self._answer)

    def _complete(self, answer: Answer) -> None:
        is_cut = self._events is not None and answer.status == _OK and not self._events.is_whole
        self._finish(Loss.CUT if is_cut else answer)

    def _finish(self, result: Answer | Loss) -> None:
        if self._answer is not None:
            if result is Loss.RESET and self._events is not None and self._answer.status:
                result = Loss.CUT
            self._answer = None
            self._done(self, result)
