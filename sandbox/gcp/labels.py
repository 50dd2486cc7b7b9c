"""Labels of Google Cloud resources: their form.

https://docs.cloud.google.com/resource-manager/docs/labels-overview#requirements
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sandbox.gcp.errors import ApiError

_MOST = 64
_LONGEST = 63
_FORBIDDEN = re.compile(r"[^\w-]")


def check(labels: Mapping[str, object], field: str = "resource.labels") -> None:
    """Raise ApiError 400 for a key or a value that no label can have."""
    if len(labels) > _MOST:
        raise ApiError(400, f"Invalid value for field '{field}': '{len(labels)}'. At most {_MOST}.")
    for key, value in labels.items():
        if not _fits(key) or not key[:1].isalpha() or not _fits(str(value)):
            raise ApiError(
                400,
                f"Invalid value for field '{field}': ''. Label key or value violates format "
                f"constraints ('{key}': '{value}'). The key must start with a lowercase character, "
                "can only contain lowercase letters, numeric characters, underscores and dashes, "
                "and can be at most 63 characters long. The value can only contain lowercase "
                "letters, numeric characters, underscores and dashes, and can be at most 63 "
                "characters long. International characters are allowed.",
            )


def _fits(text: str) -> bool:
    return len(text) <= _LONGEST and not _FORBIDDEN.search(text) and text == text.lower()
