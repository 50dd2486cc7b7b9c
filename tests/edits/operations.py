"""What an update does with each resource, as the preview predicts it and as the events tell it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

At = tuple[str, str, str]
"""Layer, type token and name."""
Operations = dict[At, str]
"""What happens to the resources that do not stay as they are: create, update, replace, delete."""

_NOT_COUNTED = ("gkeplatform:", "pulumi:")
"""Components and providers, which the preview does not list."""
_GRAVITY = ("update", "create", "delete", "replace")
_OF = {
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "discard-replaced": "replace",
    "delete": "delete",
    "create": "create",
    "import": "create",
    "update": "update",
}


def performed(lines: Iterable[Mapping[str, Any]]) -> Operations:
    """The operations in the lines of `platformctl rehearse --events`; the gravest of each."""
    return _gravest(
        ((one["layer"], one["type"], one["name"]), _OF.get(one["op"], "update"))
        for one in lines
        if one.get("event") == "step" and one["state"] == "done"
    )


def predicted(document: Mapping[str, Any]) -> Operations:
    """The operations in the document of `platformctl preview --json`."""
    return _gravest(
        ((one["layer"], one["type"], one["name"]), one["operation"])
        for one in (*document["changes"], *document["replaced_or_deleted"])
    )


def _gravest(found: Iterable[tuple[At, str]]) -> Operations:
    result: Operations = {}
    for at, operation in found:
        if at[1].startswith(_NOT_COUNTED):
            continue
        known = result.get(at)
        if known is None or _GRAVITY.index(operation) > _GRAVITY.index(known):
            result[at] = operation
    return result
