"""One request to the emulated API, and its path, parsed once."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from sandbox.gcp.discovery import Json, Method

_NOTHING: Json = {}


@dataclass(frozen=True, slots=True)
class RequestPath:
    """The part of a URL's path that names the method, below the service's host.

    Percent-encoded as it came; a project's number is replaced by its id, and a version that has
    no document by the one that answers for it.
    """

    service: str
    segments: tuple[str, ...]
    """`("v1", "projects", "p:getIamPolicy")`; of uploads, without `upload`."""
    version_at: int
    """The segment that is the version."""
    is_upload: bool = False

    @property
    def text(self) -> str:
        """The path as one string, which begins with a slash."""
        return "/" + "/".join(self.segments)

    @property
    def below_version(self) -> str:
        """The decoded path below the version: `projects/p/locations/l/…`."""
        return unquote("/".join(self.segments[self.version_at + 1 :]))


@dataclass(slots=True)
class Request:
    """What came over HTTP, and what the handlers have found out about it so far."""

    verb: str
    url_path: str
    """As it came."""
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    path: RequestPath = field(default=RequestPath("", (), 0))
    method: Method = field(init=False)
    parameters: Mapping[str, str] = field(init=False)
    """Path parameters, decoded."""
    document: Json = field(default_factory=_NOTHING.copy)
    """The body as JSON; empty for uploads."""

    @classmethod
    def of(cls, scope: MutableMapping[str, Any], body: bytes) -> Request:
        """From an ASGI scope."""
        headers = {k.decode().lower(): v.decode("latin-1") for k, v in scope["headers"]}
        raw_path = scope.get("raw_path") or scope["path"].encode()
        query = scope["query_string"].decode("latin-1")
        return cls(
            verb=headers.get("x-http-method-override", scope["method"]),
            url_path=raw_path.decode("ascii", "replace").partition("?")[0],
            query=parse_qs(query, keep_blank_values=True) if query else {},
            headers=headers,
            body=body,
        )

    @property
    def host(self) -> str:
        """The Host header without its port."""
        return self.headers.get("host", "").partition(":")[0]

    @property
    def alt(self) -> str:
        """The query parameter `alt`: the format that the client asks for."""
        return (self.query.get("alt") or self.query.get("$alt") or [""])[-1]
