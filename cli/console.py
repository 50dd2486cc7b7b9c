"""Output: messages on stderr, JSON documents on stdout, and errors in one form."""

from __future__ import annotations

import json
import sys
from typing import Any

from cli import colors, event_stream
from cli.errors import CliError

SCHEMA_VERSION = 1


def say(text: str = "", layer: str = "") -> None:
    """Print a line on stderr, after the layer's name if there is one."""
    prefix = f"{layer:<12} " if layer else ""
    # In one call: layers that run side by side would mix their lines.
    print(f"{prefix}{colors.painted(text)}\n", end="", file=sys.stderr, flush=True)


def document(content: dict[str, Any]) -> None:
    """Print the JSON document of a `--json` run on stdout."""
    _print({"schemaVersion": SCHEMA_VERSION, "ok": True, **content})


def failure(error: CliError, *, as_json: bool) -> None:
    """Report a failure; with `--json` also as the document on stdout."""
    if as_json:
        described = {"code": error.code.name, "message": str(error), "hint": error.hint}
        failed = {"schemaVersion": SCHEMA_VERSION, "ok": False, "error": described}
        _print(failed)
    say(f"error: {error}")
    if error.hint:
        say(f"hint: {error.hint}")


def _print(content: dict[str, Any]) -> None:
    if event_stream.is_open():
        event_stream.write({"event": "end", **content})
    else:
        print(json.dumps(content, indent=2))
