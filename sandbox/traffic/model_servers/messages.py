"""A request as it arrived, and an answer before it is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote

import msgspec

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
EVENTS = b"text/event-stream; charset=utf-8"
_decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode


class Request:
    """An HTTP request."""

    __slots__ = ("body", "headers", "keep_alive", "method", "path", "query", "target")

    def __init__(
        self,
        method: str,
        target: bytes,
        headers: Sequence[tuple[bytes, bytes]] = (),
        body: bytes = b"",
        *,
        keep_alive: bool = True,
    ) -> None:
        self.method = method
        self.target = target
        """As the request line has it: path and query."""
        path, _, query = target.partition(b"?")
        if not path.startswith(b"/") and b"://" in path:
            # The absolute form, which a proxy sends.
            path = b"/" + path.partition(b"://")[2].partition(b"/")[2]
        self.path = path.decode("latin-1")
        if "%" in self.path:
            self.path = unquote(self.path)
        self.query = query.decode("latin-1")
        self.headers = headers
        self.body = body
        self.keep_alive = keep_alive

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header; its name in lower case."""
        for one, value in self.headers:
            if one.lower() == name:
                return value
        return None

    def json(self) -> Any:
        """The body as JSON. Raises msgspec.DecodeError."""
        return _decode(self.body)


class Answer:
    """An HTTP answer. Its body is made before the time that the server takes has passed."""

    __slots__ = (
        "adapter",
        "body",
        "chunks",
        "content_type",
        "error",
        "headers",
        "model",
        "prompt",
        "status",
        "tokens",
        "verb",
    )

    def __init__(  # noqa: PLR0913
        self,
        status: int,
        body: bytes,
        content_type: bytes = JSON,
        *,
        headers: Sequence[tuple[bytes, bytes]] = (),
        chunks: Sequence[bytes] = (),
        verb: str = "",
        model: str = "",
        error: Callable[[int, str], Answer] | None = None,
        tokens: tuple[int, int] = (0, 0),
        prompt: Sequence[str] = (),
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers
        self.chunks = chunks
        """The parts of a stream, sent one after the other; the body is empty then."""
        self.verb = verb
        """What the model did, such as `predict`; empty: the server answered by itself, at once."""
        self.model = model
        self.error = error
        """The answer in its place if the model fails."""
        self.tokens = tokens
        """How many tokens were read and generated."""
        self.prompt = prompt
        """The tokens that were read, for a server that keeps what they begin with."""
        self.adapter = ""
        """The LoRA adapter that was asked for; empty: none."""

    def failed(self) -> Answer:
        """The answer in its place if the model fails; itself where it has none."""
        if self.error is None:
            return self
        found = self.error(500, "the rehearsed error rate")
        found.verb, found.model, found.adapter = self.verb, self.model, self.adapter
        return found

    @classmethod
    def of(cls, value: Any, status: int = 200) -> Answer:
        """An answer in JSON, by the server itself."""
        return cls(status, encode(value))
