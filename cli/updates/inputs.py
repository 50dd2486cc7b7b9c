"""A digest of everything on this machine that decides what a layer's program declares.

Programs, policies, packages, plugins, the layer's keys, the engine's variables and the day. What a
program asks of the account or of another stack is not in it. When in doubt a thing is part of it:
a digest that changes for no reason costs time only.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gkeplatform import catalog_files, stack_values
from gkeplatform.environment import file_of
from gkeplatform.errors import PlatformError
from gkeplatform.layers import CLUSTER, LAYERS, NETWORKING, Layer

READ_TOO: Mapping[str, tuple[str, ...]] = {NETWORKING.name: (CLUSTER.project,)}
"""The namespaces of other layers that a layer's program reads (`stack_file.declared_pools`).

It checks all others and refuses mistakes in them, as does the program that they belong to.
"""
_UNREAD = frozenset({"benchmarks", "cli", "docs", "sandbox", "tests"})
"""Folders at the root that no program and no policy reads. `sandbox` is the account's other side:
what its plugins make of a program, the preview shows."""
_UNREAD_ENDS = (".pyc", ".md", ".html")
"""Ends of files that none reads either: bytecode, documentation, and the pages of `show`."""
_ENGINES = ("PULUMI_", "GOOGLE_", "CLOUDSDK_", "KUBE", "PLATFORM_", "PYTHON", "HTTP", "NO_PROXY")
_RENEWED = frozenset({"GOOGLE_OAUTH_ACCESS_TOKEN"})
"""Credentials that are new at each login; no program reads them."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the programs are and run: the repository, the engine's variables, and the day (UTC)."""

    root: Path
    variables: Mapping[str, str]
    day: str

    @classmethod
    def present(cls, root: Path, variables: Mapping[str, str]) -> Machine:
        """The present machine, today. The day counts because waivers end."""
        return cls(root, variables, datetime.now(UTC).date().isoformat())


def digests(environment: str, machine: Machine) -> dict[str, str]:
    """Each layer's digest; empty where the stack file cannot be read, which the programs report."""
    try:
        values = stack_values.read(environment, root=machine.root)
        whole = catalog_files.merged(values, root=machine.root, file=file_of(environment))
        shared = [_files(machine.root, values), _python(), _engine(machine.variables), machine.day]
    except (PlatformError, OSError):
        return {}
    return {layer.name: _digest([*shared, keys(whole, layer)]) for layer in LAYERS}


def keys(values: Mapping[str, object], layer: Layer) -> dict[str, object]:
    """The keys that a layer's program or a policy may read, by all that is known of them."""
    others = {other.project for other in LAYERS if other is not layer}
    foreign = others.difference(READ_TOO.get(layer.name, ()))
    return {key: value for key, value in values.items() if key.partition(":")[0] not in foreign}


def _files(root: Path, values: Mapping[str, str]) -> dict[str, str]:
    """The content of the repository's files, but for those whose keys are in `values`."""
    stacks = root / "stacks"
    folder = values.get(catalog_files.FOLDER)
    catalogue = stacks / folder if folder else None
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in _walk(root)
        if not (path.parent == stacks and path.name.startswith("Pulumi."))
        and (catalogue is None or catalogue not in path.parents)
    }


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = [
            name
            for name in sorted(folders)
            if not name.startswith(".")
            and name != "__pycache__"
            and not (here == root and name in _UNREAD)
        ]
        yield from (here / name for name in sorted(names) if not name.endswith(_UNREAD_ENDS))


def _python() -> list[str]:
    packages = Path(sysconfig.get_path("purelib"))
    return [sys.version, *sorted(path.name for path in packages.glob("*.dist-info"))]


def _engine(variables: Mapping[str, str]) -> dict[str, object]:
    home = Path(variables.get("PULUMI_HOME") or Path.home() / ".pulumi")
    chosen = {
        name: value
        for name, value in variables.items()
        if name.startswith(_ENGINES) and name not in _RENEWED
    }
    plugins = sorted(path.name for path in home.glob("plugins/*") if path.is_dir())
    return {"variables": chosen, "plugins": plugins, "path": variables.get("PATH")}


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
