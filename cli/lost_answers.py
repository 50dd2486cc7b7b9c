"""Creations that failed without an answer, so that the resource may exist all the same.

A plugin that is killed or crashes takes its answers with it. The engine then takes a creation for
one that failed, and forgets it: the next would be refused, because the resource exists, or make a
second one. So it is taken for an operation in progress, as a killed engine leaves it, and settled
(`cli.settling`).

What an answer refused does not exist, or is somebody else's, and is left alone.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]
CREATIONS = frozenset({"create", "create-replacement"})
_KEPT = ("urn", "type", "custom", "provider", "parent", "protect", "retainOnDelete", "inputs")
# The words of gRPC (the plugin ended), and of Go and Python for a broken connection to an API.
_PLUGIN_ENDED = (
    r"error reading from server|transport is closing|client connection is closing"
    r"|transport: Error while dialing"
)
_BROKEN = (
    r"\bEOF$|connection reset by peer|broken pipe|i/o timeout|context deadline exceeded"
    r"|Client\.Timeout exceeded|Server disconnected|cannot reach https?:"
)
_ENDED = re.compile(f"{_PLUGIN_ENDED}|could not read plugin .*: exit status")
_TAKEN = re.compile(r"\balready ?exists\b", re.IGNORECASE)
_LOST = re.compile(f"{_PLUGIN_ENDED}|{_BROKEN}", re.MULTILINE)


def is_lost(error: str) -> bool:
    """Whether the error says that no answer came."""
    return bool(_LOST.search(error))


def is_taken(error: str) -> bool:
    """Whether the error says that a resource of the name exists."""
    return bool(_TAKEN.search(error))


def plugin_ended(error: str) -> bool:
    """Whether the error says that the plugin ended in the midst of an operation."""
    return bool(_ENDED.search(error))


def noted(export: Json, creations: Iterable[Mapping[str, Any]]) -> Json:
    """The state with the creations as operations in progress; each is of an engine's event.

    A resource that has meanwhile got into the state is left out. Secret inputs are masked in
    events, and stay so: the next update gives the resource its own again.
    """
    result = copy.deepcopy(export)
    deployment = result["deployment"]
    pending = deployment.get("pending_operations") or []
    known = {one["resource"]["urn"] for one in pending}
    deployment["pending_operations"] = pending + [
        {"type": "creating", "resource": {k: one[k] for k in _KEPT if one.get(k)}}
        for one in creations
        if one["urn"] not in known
    ]
    return result
