"""The last comparison of each layer, kept on the machine that made it: `show` tells it.

It has names of resources, and none of their values.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from cli import journal
from cli.drift.findings import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What the last comparison of a layer found."""

    at: str
    """In RFC 3339."""
    changed: tuple[str, ...] = ()
    """Resources that were changed or deleted outside Pulumi."""
    pending: tuple[str, ...] = ()
    """Resources that are declared otherwise than they were deployed."""
    failed: bool = False
    """Whether the layer could not be compared whole."""


def of_layer(layer: Layer, at: datetime) -> Compared:
    """The record of what was found."""
    return Compared(
        at=at.isoformat(timespec="seconds"),
        changed=tuple(sorted(one.name for one in layer.findings)),
        pending=tuple(sorted(one.name for one in layer.pending)),
        failed=bool(layer.errors),
    )


def read(environment: str, variables: Mapping[str, str]) -> dict[str, Compared]:
    """The last comparison of each layer that has been compared on this machine."""
    try:
        text = _file(environment, variables).read_bytes()
        return msgspec.json.decode(text, type=dict[str, Compared])
    except (OSError, msgspec.MsgspecError):
        return {}


def keep(environment: str, found: Mapping[str, Compared], variables: Mapping[str, str]) -> None:
    """Note the comparisons, beside those of other layers. A disk that is full loses them."""
    file = _file(environment, variables)
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=file.parent)
        with os.fdopen(handle, "wb") as written:
            written.write(msgspec.json.encode({**read(environment, variables), **found}))
        Path(name).replace(file)


def _file(environment: str, variables: Mapping[str, str]) -> Path:
    return journal.folder(variables) / "drift" / f"{environment}.json"
