"""Frames of HTTP/2 as they arrive, without GOAWAY.

The h2 library takes GOAWAY for the end of a connection. It is not: streams up to the one that it
names go on (https://www.rfc-editor.org/rfc/rfc9113#section-6.8).
"""

from __future__ import annotations

_HEAD = 9
_GOAWAY = 7


class Frames:
    """The bytes that one side of a connection sends."""

    def __init__(self) -> None:
        self._rest = b""
        self.last_stream: int | None = None
        """The last stream that the sender will answer; None until it says so."""

    def add(self, data: bytes) -> bytes:
        """The frames that are whole by now, without GOAWAY."""
        data = self._rest + data
        found, begin, place = [], 0, 0
        while len(data) - place >= _HEAD:
            end = place + _HEAD + int.from_bytes(data[place : place + 3], "big")
            if end > len(data):
                break
            if data[place + 3] == _GOAWAY:
                last = int.from_bytes(data[place + _HEAD : place + _HEAD + 4], "big")
                self.last_stream = last & 0x7FFFFFFF
                found.append(data[begin:place])
                begin = end
            place = end
        self._rest = data[place:]
        return b"".join((*found, data[begin:place]))
