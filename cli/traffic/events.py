"""An answer of server-sent events, and whether all of it has arrived.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

TYPE = b"text/event-stream"
DONE = b"data: [DONE]"
"""The last event of OpenAI's API: without it the stream ended early, however cleanly."""


class Events:
    """What has arrived of a stream. It keeps the end only."""

    def __init__(self, last: bytes) -> None:
        """`last` is the event that ends it; empty: the end of the answer does."""
        self._last = last
        self._tail = b""

    def add(self, data: bytes) -> None:
        """A part has arrived."""
        if self._last:
            self._tail = (self._tail + data)[-len(self._last) - 4 :]

    @property
    def is_whole(self) -> bool:
        """Whether the last event has arrived."""
        return self._tail.rstrip(b"\r\n").endswith(self._last)


def begun(kind: bytes, last: bytes) -> Events | None:
    """The events of an answer of this content type; None if it has another."""
    return Events(last) if kind.partition(b";")[0].strip().lower() == TYPE else None
