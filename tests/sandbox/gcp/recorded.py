"""Recordings of the real Google Cloud API: a log of exchanges. Not a test.

An exchange is a request line, headers, a JSON body, a status line, headers and a JSON body; `---`
stands between exchanges. Calls over gRPC are left out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_STATUS = re.compile(r"(\d{3}) [A-Z]")


@dataclass(frozen=True)
class Exchange:
    """One request and the answer that Google gave."""

    verb: str
    url: str
    body: Any
    status: int
    answer: Any

    @property
    def is_poll(self) -> bool:
        """Whether it asks how an operation stands."""
        return "/operations/" in self.url


def parse(text: str) -> list[Exchange]:
    """The exchanges of a log."""
    parts = (part.strip("\n") for part in re.split(r"(?m)^---$", text))
    return [_exchange(part) for part in parts if part and not part.startswith("GRPC ")]


def _exchange(part: str) -> Exchange:
    lines = part.split("\n")
    # Lines of a JSON document never begin with a status.
    at = next(i for i, line in enumerate(lines) if i and _STATUS.match(line))
    verb, url = lines[0].split(" ", 1)
    return Exchange(
        verb, url, _document(lines[1:at]), int(lines[at][:3]), _document(lines[at + 1 :])
    )


def _document(lines: list[str]) -> Any:
    if "" not in lines:
        return None
    text = "\n".join(lines[lines.index("") + 1 :]).strip()
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
