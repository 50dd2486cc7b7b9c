"""What was true of each layer after its last update from this machine, in PULUMI_HOME.

A record that is lost or wrong in its form is none: the layer is then updated as ever. It holds
digests only.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from cli import journal
from gkeplatform.layers import Layer

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Record:
    """The digests of a layer's update."""

    inputs: str
    """Of what its program was and read on this machine (`cli.updates.inputs`)."""
    resources: str
    """Of its stack's resources afterwards."""
    contracts: Mapping[str, str]
    """Of the other layers' outputs while it was updated; a layer without a stack is left out."""


class Records:
    """The records of the stacks of one environment in one backend."""

    def __init__(self, environment: str, variables: Mapping[str, str]) -> None:
        self._folder = journal.folder(variables) / "updates" / environment

    def read(self, layer: Layer) -> Record | None:
        """The layer's record, if there is one that can be read."""
        try:
            content = json.loads(self._file(layer).read_bytes())
            if content.pop("version") != _VERSION:
                return None
            return Record(**content)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, layer: Layer, record: Record) -> None:
        """Keep a record; where there is no room for it, the next update is slower."""
        file = self._file(layer)
        partial = file.with_name(f".{file.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial.write_text(json.dumps({"version": _VERSION, **asdict(record)}))
            partial.replace(file)

    def _file(self, layer: Layer) -> Path:
        return self._folder / f"{layer.project}.json"
