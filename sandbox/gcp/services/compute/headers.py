"""Custom request and response headers that load balancers refuse.

https://docs.cloud.google.com/load-balancing/docs/https/custom-headers#limitations: neither Host
nor any header that Google or the proxies set themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_RESERVED = frozenset(
    {
        "authority",
        "cdn-loop",
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-user-ip",
    }
)
_PREFIXES = ("x-google", "x-goog-", "x-gfe", "x-amz-")


def problems(lines: Iterable[str], field: str) -> Iterator[ApiError]:
    """The errors in a list of `Name: value` lines."""
    seen: set[str] = set()
    for index, line in enumerate(lines):
        name, colon, _ = line.partition(":")
        at = f"{field}[{index}]"
        if not colon:
            yield invalid(at, line, "A header must have the form 'name:value'.")
        yield from _name_problems(name.strip(), at, line)
        if name.strip().lower() in seen:
            yield invalid(at, line, "The header is given twice.")
        seen.add(name.strip().lower())


def action_problems(action: Json, field: str) -> Iterator[ApiError]:
    """The errors in a `headerAction` of a URL map."""
    for kind in ("request", "response"):
        for index, one in enumerate(action.get(f"{kind}HeadersToAdd") or ()):
            at = f"{field}.{kind}HeadersToAdd[{index}].headerName"
            yield from _name_problems(one.get("headerName", ""), at, one.get("headerName", ""))
        for index, name in enumerate(action.get(f"{kind}HeadersToRemove") or ()):
            yield from _name_problems(name, f"{field}.{kind}HeadersToRemove[{index}]", name)


def _name_problems(name: str, field: str, shown: str) -> Iterator[ApiError]:
    if not _NAME.fullmatch(name):
        yield invalid(field, shown, "Invalid header name.")
    elif name.lower() in _RESERVED or name.lower().startswith(_PREFIXES):
        yield invalid(field, shown, f"The header '{name}' cannot be modified.")
