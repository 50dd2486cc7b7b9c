"""The event stream of `--events`: one JSON document a line on stdout, as things happen.

Each line has `event` and `layer`. `step` lines have `op`, `type`, `name` and `state` (begun, done,
failed); `policy` and `message` lines have `severity` and `text`. The last line is `end`, with the
document of `--json`. It is not the engine's own event log, which also holds inputs and outputs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from cli import urns
from cli.events import plain

Json = Mapping[str, Any]
FLAG = "--events"
_STATES = {"resourcePreEvent": "begun", "resOutputsEvent": "done", "resOpFailedEvent": "failed"}
_QUIET = ("same", "read", "refresh")


def is_open() -> bool:
    """Whether this process was asked for the stream."""
    return FLAG in sys.argv


def emit(layer: str, event: Json) -> None:
    """Write what an event of the engine says, where the stream is open."""
    if is_open() and (line := described(layer, event)):
        write(line)


def write(content: Json) -> None:
    """Write one line."""
    # In one piece: previews that run side by side write lines at the same time.
    sys.stdout.write(f"{json.dumps(content)}\n")
    sys.stdout.flush()


def described(layer: str, event: Json) -> Json | None:
    """An event of the engine as a line of the stream; None for one that tells nothing new."""
    for key, state in _STATES.items():
        if key in event:
            metadata = event[key]["metadata"]
            if metadata["op"] in _QUIET or event[key].get("planning"):
                return None
            name = urns.name(metadata["urn"])
            step = {"op": metadata["op"], "type": metadata["type"], "name": name}
            return {"event": "step", "layer": layer, **step, "state": state}
    if "policyEvent" in event:
        said = event["policyEvent"]
        named = {"policy": said["policyName"], "severity": said.get("enforcementLevel", "")}
        return {"event": "policy", "layer": layer, **named, "text": _text(said)}
    if "diagnosticEvent" in event:
        said = event["diagnosticEvent"]
        severity = said.get("severity", "info")
        if said.get("ephemeral") or severity == "debug" or not _text(said):
            return None
        return {"event": "message", "layer": layer, "severity": severity, "text": _text(said)}
    return None


def _text(said: Json) -> str:
    return plain(said.get("message", "")).strip()
