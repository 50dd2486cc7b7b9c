"""One request and its answer, by HTTP/2 where it is offered.

Answers that are streamed are shown as they arrive.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from cli.errors import CliError
from cli.traffic.target import Target

_SERVED_BY = "x-served-by-"
SHOWN = 2000
"""Characters of a body that are shown."""
Show = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: str
    """The beginning of it."""
    size: int
    """Bytes of the whole body."""
    milliseconds: float
    """To the end of the answer."""
    first_byte_ms: float
    http_version: str = ""
    """`HTTP/1.1` or `HTTP/2`."""
    served_by: dict[str, str] = field(default_factory=dict)
    """Pod, version, zone and so on; empty for a real server, which does not say."""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "status": self.status,
            "milliseconds": round(self.milliseconds, 2),
            "first_byte_ms": round(self.first_byte_ms, 2),
            "http_version": self.http_version,
            "served_by": self.served_by,
            "bytes": self.size,
            "body": self.body,
        }


def served_by(headers: dict[str, str]) -> dict[str, str]:
    """What the headers or metadata `x-served-by-*` say, without that prefix."""
    return {
        name.lower().removeprefix(_SERVED_BY): value
        for name, value in headers.items()
        if name.lower().startswith(_SERVED_BY)
    }


class Caller:
    """A client with a connection of its own, which it keeps."""

    def __init__(self, target: Target, timeout: float) -> None:
        """Raises CliError where an authority cannot be read."""
        self._target = target
        try:
            verify: Any = target.tls() or True
        except OSError as error:
            raise CliError(f"{target.cacert}: cannot be read: {error}") from None
        except ValueError as error:
            raise CliError(str(error)) from None
        transport = httpx.HTTPTransport(
            verify=verify,
            trust_env=False,
            local_address=target.caller or None,
            http2=target.encrypted,
        )
        self._client = httpx.Client(
            transport=transport, timeout=timeout, trust_env=False, follow_redirects=False
        )

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def call(self, show: Show) -> Received:
        """Send the request once; `show` gets the text of a streamed answer. Raises CliError."""
        target = self._target
        scheme = "https" if target.encrypted else "http"
        at = f"[{target.address}]" if ":" in target.address else target.address
        started = time.perf_counter()
        try:
            with self._client.stream(
                target.method,
                f"{scheme}://{at}:{target.port}{target.path}",
                content=target.body or None,
                headers={"Host": target.authority, "User-Agent": "platformctl", **target.headers},
                extensions={"sni_hostname": target.host},
            ) as answer:
                first = time.perf_counter()
                body, size = _read(answer, show)
        except httpx.HTTPError as error:
            raise failure(error, target) from None
        headers = dict(answer.headers)
        return Received(
            status=answer.status_code,
            headers=headers,
            body=body,
            size=size,
            milliseconds=(time.perf_counter() - started) * 1000,
            first_byte_ms=(first - started) * 1000,
            http_version=answer.http_version,
            served_by=served_by(headers),
        )


def _read(answer: httpx.Response, show: Show) -> tuple[str, int]:
    """The beginning of the body as text, and its size."""
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        return _read_events(answer, show)
    kept, size = bytearray(), 0
    for part in answer.iter_bytes():
        size += len(part)
        kept += part[: max(0, 4 * SHOWN - len(kept))]
    text = kept.decode(errors="replace")[:SHOWN]
    return text, size


def _read_events(answer: httpx.Response, show: Show) -> tuple[str, int]:
    """The text of a stream of server-sent events, shown while it arrives."""
    shown, size = [], 0
    for line in answer.iter_lines():
        size += len(line.encode()) + 1
        if line.startswith("data:") and (text := event_text(line.removeprefix("data:").strip())):
            shown.append(text)
            show(text)
    return "".join(shown)[:SHOWN], size


def event_text(data: str) -> str:
    """The new text in an event of OpenAI's API; an event of another kind as it is."""
    if data == "[DONE]":
        return ""
    try:
        choices = json.loads(data)["choices"]
        return "".join(
            str((one.get("delta") or {}).get("content") or one.get("text") or "") for one in choices
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return data


def failure(error: httpx.HTTPError, target: Target) -> CliError:
    """The CliError of a request without an answer."""
    reason = " ".join(str(error).split()) or type(error).__name__
    where = f"{target.url} at {target.address}:{target.port}"
    if isinstance(error, httpx.TimeoutException):
        return CliError(
            f"{where}: no answer in time", "is the model ready? --timeout SECONDS waits longer"
        )
    if "certificate verify failed" in reason.lower():
        return CliError(
            f"{where}: the certificate is not valid: {reason}",
            "trusted are the self-managed certificates of the stack file, and "
            + ("the sandbox's authority" if target.cacert else "the authorities of this machine")
            + "; Google issues a certificate once its domain resolves to the address",
        )
    if isinstance(error, httpx.ConnectError):
        return CliError(f"{where}: no connection: {reason}", "`./platformctl sandbox status`")
    return CliError(f"{where}: {reason}", "the connection ended before the whole answer")
