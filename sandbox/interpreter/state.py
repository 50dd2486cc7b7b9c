"""What the preloaded interpreter has imported, and which orders it must refuse for that."""

from __future__ import annotations

import gc
import importlib
import json
import os
import site
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.interpreter import modules

# Variables that no Python code reads, but the interpreter, the C libraries and gRPC's core do.
_READ_BY_LIBRARIES = (
    "GRPC_", "LANG", "LC_", "LD_", "MALLOC_", "OPENSSL_", "PYTHON", "SSL_", "TZ",
)  # fmt: skip
# The value that is the same as none.
_DEFAULTS = {"GRPC_ENABLE_FORK_SUPPORT": "0"}
_PATH = "PYTHONPATH"


class _Recorded(os._Environ[str]):
    """The environment, noting which variables are read."""

    names: set[str]

    def __getitem__(self, key: str) -> str:
        self.names.add(key)
        return str(super().__getitem__(key))


@dataclass(frozen=True, slots=True)
class Order:
    """What a child has to run."""

    python: str
    folder: str
    kind: str
    name: str
    arguments: list[str]
    environment: dict[str, str]
    streams: list[int]

    @classmethod
    def of(cls, data: bytes, streams: list[int]) -> Order:
        """Read an order. Raises ValueError."""
        python, folder, kind, name, count, *rest = data.decode(errors="surrogateescape").split("\0")
        arguments, variables = rest[: int(count)], rest[int(count) :]
        pairs = (variable.partition("=") for variable in variables)
        environment = {key: value for key, _, value in pairs}
        return cls(python, folder, kind, name, arguments, environment, streams)


@dataclass(slots=True)
class State:
    """What the modules were imported from: the variables that were read, and the files."""

    environment: dict[str, str]
    read: set[str]
    files: dict[str, tuple[int, int, int]]
    path: list[str]
    """`sys.path`, and below that of a Python without PYTHONPATH."""
    plain_path: list[str]

    def refusal(self, order: Order) -> str | None:
        """Why an order's child would not be as a fresh Python; None if it would be."""
        if order.python != sys.executable:
            return f"the Python is {order.python}"
        if _paths(order.environment) not in ([], _paths(self.environment)):
            return f"{_PATH} differs"
        every = {*self.environment, *order.environment}
        names = self.read | {name for name in every if name.startswith(_READ_BY_LIBRARIES)}
        for name in names - {_PATH}:
            default = _DEFAULTS.get(name)
            if order.environment.get(name, default) != self.environment.get(name, default):
                return f"{name} differs"
        return None if Path(order.folder).is_dir() else f"there is no {order.folder}"

    def path_for(self, order: Order) -> list[str]:
        """`sys.path` of a fresh Python with an order's variables."""
        return list(self.path if _paths(order.environment) else self.plain_path)

    @property
    def is_stale(self) -> bool:
        """Whether a file that was imported has changed since, or a package was installed."""
        return any(_stamp(path) != stamp for path, stamp in self.files.items())


def load() -> State:
    """Import the modules."""
    environment = dict(os.environ)
    code = "import json, sys; print(json.dumps(sys.path[1:]))"
    without = {name: value for name, value in environment.items() if name != _PATH}
    plain = subprocess.run(
        [sys.executable, "-c", code], env=without, capture_output=True, text=True, check=True
    )
    gc.disable()
    _Recorded.names = set()
    os.environ.__class__ = _Recorded
    try:
        for name in modules.PRELOADED:
            _import(name)
    finally:
        os.environ.__class__ = os._Environ
    # The children share the memory of what the collector never visits.
    gc.freeze()
    gc.enable()
    return State(environment, _Recorded.names, _files(), list(sys.path), json.loads(plain.stdout))


def _import(name: str) -> None:
    """Import a module and its packages, those too that an SDK imports at their first use."""
    words = name.split(".")
    for end in range(1, len(words) + 1):
        module = importlib.import_module(".".join(words[:end]))
        # The first attribute that is not one of every module loads it.
        hasattr(module, "__all__")


def _files() -> dict[str, tuple[int, int, int]]:
    """The files of the imported packages, and the folders into which packages are installed."""
    paths = {*site.getsitepackages(), f"{sys.prefix}/pyvenv.cfg", os.path.realpath(sys.executable)}
    for module in list(sys.modules.values()):
        # Not `module.__spec__`: that would import what is registered only.
        spec = object.__getattribute__(module, "__dict__").get("__spec__")
        if spec is not None and spec.has_location and spec.origin:
            paths.add(spec.origin)
    return {path: _stamp(path) for path in sorted(paths)}


def _stamp(path: str) -> tuple[int, int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116 (of two thousand files for each child)
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _paths(environment: Mapping[str, str]) -> list[str]:
    return list(dict.fromkeys(filter(None, environment.get(_PATH, "").split(os.pathsep))))
