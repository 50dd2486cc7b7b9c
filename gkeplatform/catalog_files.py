"""The model catalog as a folder: files of entries beside `gke-serving:models`.

`gke-serving:catalogue: models/dev` names a folder below `stacks/`. Each `.yaml` file in it or below
it holds one entry (a mapping) or several (a list), so that a team can own its models' files. The
entries follow those of `gke-serving:models`, in the order of the files' paths, and are the same in
every other way. This module reads them; `infra.stack_file` checks them.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gkeplatform import yaml_files
from gkeplatform.errors import PlatformError

MODELS = "gke-serving:models"
FOLDER = "gke-serving:catalogue"
SUFFIXES = (".yaml", ".yml")

FOLDER_PATTERN = r"^[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*$"
"""A path below `stacks/`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a catalog file, as YAML has it, and where it is."""

    value: Any
    file: str
    line: int
    index: int | None
    """Its place in the file's list; None where the file is one entry."""

    @property
    def place(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}"


def merged(values: Mapping[str, Any], *, root: Path, file: str) -> dict[str, Any]:
    """`values` with the folder's entries after those of `gke-serving:models`.

    `root` is the repository and `file` the stack file. Raises `PlatformError` where the folder or
    one of its files cannot be read, or where two models have one name.
    """
    if FOLDER not in values:
        return dict(values)
    entries = read(values[FOLDER], root=root, file=file)
    own = own_models(values)
    _refuse_shared_names(own, entries, file=file)
    return {**values, MODELS: [*own, *(entry.value for entry in entries)]}


def own_models(values: Mapping[str, Any]) -> Sequence[Any]:
    """The entries of `gke-serving:models` itself; empty where it is no list."""
    value = values.get(MODELS, ())
    try:
        decoded = json.loads(value) if isinstance(value, str) else value
    except json.JSONDecodeError:
        return ()
    return decoded if isinstance(decoded, list | tuple) else ()


def read(folder: object, *, root: Path, file: str) -> list[Entry]:
    """The entries of all files of the folder that the key names. Raises `PlatformError`."""
    key = f"{file}: {FOLDER}"
    if not isinstance(folder, str) or not re.fullmatch(FOLDER_PATTERN, folder):
        raise PlatformError(
            f"{key}: expected a folder below stacks/, such as models/dev, got {json.dumps(folder)}"
        )
    top = root / "stacks" / folder
    if not top.is_dir():
        raise PlatformError(
            f"{key}: there is no folder stacks/{folder}; create it with a file of models, or "
            "remove the key"
        )
    entries = [entry for path in _files(top, root) for entry in _entries(path, root)]
    if not entries:
        raise PlatformError(
            f"{key}: stacks/{folder} holds no model; add a .yaml file, or remove the key"
        )
    return entries


def _files(top: Path, root: Path) -> Iterator[Path]:
    """The catalog's files by path. Any other file is refused: a misnamed one would be lost."""
    for path in sorted(top.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(top).parts)
        if path.is_dir() or hidden or path.name == "README.md":
            continue
        if path.suffix not in SUFFIXES:
            raise PlatformError(
                f"{path.relative_to(root).as_posix()}: not a .yaml file; a catalog folder holds "
                "files of models and README.md"
            )
        yield path


def _entries(path: Path, root: Path) -> Iterator[Entry]:
    shown = path.relative_to(root).as_posix()
    document = yaml_files.read(path, shown)
    value = document.value
    if value in (None, []):
        raise PlatformError(f"{shown}: holds no model; add an entry, or delete the file")
    if isinstance(value, dict):
        yield Entry(value, shown, document.line(next(iter(value))), None)
        return
    if not isinstance(value, list):
        raise PlatformError(
            f"{shown}: expected a model or a list of models, got {_shortened(value)}"
        )
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise PlatformError(
                f"{shown}:{document.line(index)}: expected a model, got {_shortened(item)}"
            )
        yield Entry(item, shown, document.line(index), index)


def _refuse_shared_names(own: Sequence[Any], entries: Sequence[Entry], *, file: str) -> None:
    places = {
        model["name"]: f"{MODELS}[{index}] of {file}"
        for index, model in enumerate(own)
        if isinstance(model, dict) and isinstance(model.get("name"), str)
    }
    for entry in entries:
        name = entry.value.get("name")
        if not isinstance(name, str):
            continue  # the check of the entry says so
        if name in places:
            raise PlatformError(
                f'{entry.place}: model "{name}": {places[name]} has this name too; rename one'
            )
        places[name] = entry.place


def _shortened(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
