"""The sending side of a connection of HTTP/2: answers wait here for their callers' windows."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from h2.connection import H2Connection
from hyperframe.frame import GoAwayFrame

Headers = list[tuple[bytes, bytes]]
_ANY_STREAM = 2**31 - 1


class Http2Sender:
    """What is to be sent on the streams of one connection."""

    def __init__(self, connection: H2Connection, sent: Callable[[int], None]) -> None:
        """`sent` is called with a stream whose answer is complete."""
        self._h2 = connection
        self._sent = sent
        self._pending: dict[int, deque[bytes | Headers | None]] = {}
        """By stream: parts of the body; headers, which are trailers; None: the end."""
        self.transport: asyncio.Transport | None = None

    def open(self, number: int) -> None:
        """Let a stream be answered."""
        self._pending[number] = deque()

    def forget(self, number: int) -> None:
        """Send nothing more on a stream."""
        self._pending.pop(number, None)

    def head(self, number: int, headers: Headers) -> None:
        """Send an answer's headers, unless its caller has gone."""
        if number in self._pending:
            self._h2.send_headers(number, headers)

    def rest(self, number: int, *parts: bytes | Headers | None) -> None:
        """Send what follows an answer's headers, as the caller's window allows."""
        if (pending := self._pending.get(number)) is not None:
            pending.extend(parts)
            self.push(number)

    def push(self, number: int) -> None:
        """Send as much of what is pending as the caller's window allows; 0: of all streams."""
        for one in [number] if number else [*self._pending]:
            if one in self._pending and self._push(one, self._pending[one]):
                del self._pending[one]
                self._sent(one)

    def _push(self, number: int, pending: deque[bytes | Headers | None]) -> bool:
        """Whether all was sent."""
        h2 = self._h2
        while pending:
            part = pending.popleft()
            if part is None:
                h2.end_stream(number)
                return True
            if not isinstance(part, bytes):
                h2.send_headers(number, part, end_stream=True)
                return True
            room = min(h2.local_flow_control_window(number), h2.max_outbound_frame_size)
            if room <= 0 and part:
                pending.appendleft(part)
                return False
            h2.send_data(number, part[:room])
            if len(part) > room:
                pending.appendleft(part[room:])
        return False

    def announce_end(self) -> None:
        """Ask for no more requests. h2's own way would end what is under way."""
        if self.transport is not None:
            self.transport.write(GoAwayFrame(last_stream_id=_ANY_STREAM).serialize())

    def flush(self) -> None:
        """Write what was made ready."""
        data = self._h2.data_to_send()
        if data and self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)
