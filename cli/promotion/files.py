"""The files of an environment as text: its stack file and its folder of models.

A path such as `gke-serving:models[resnet].source` is found in the file that states it. Files are
replaced at once, so that a process that is killed leaves the old file or the new one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.comparison.differences import ABSENT, entry_name, shown
from cli.comparison.differences import Path as Key
from cli.errors import CliError
from cli.promotion import yaml_text
from gkeplatform import catalog_files, stack_values, yaml_files
from gkeplatform.environment import file_of

_MODELS = (catalog_files.MODELS,)


@dataclass
class Files:
    """The texts of one environment's files, and edits of them that are not written yet."""

    environment: str
    root: Path
    texts: dict[str, str] = field(default_factory=dict)
    """By path below `root`."""
    _read: dict[str, str] = field(default_factory=dict)
    _before: dict[str, str] | None = None
    """What was on disk before `save`; None where it has not begun."""

    @classmethod
    def of(cls, environment: str, root: Path) -> Files:
        """The files below the repository `root`. Raises `PlatformError` where one is not YAML."""
        made = cls(environment, root)
        file = file_of(environment)
        stack_values.of_document(yaml_files.read(root / file, file).value, file)
        made._take(file)
        for entry in made.entries():
            made._take(entry.file)
        return made

    @property
    def file(self) -> str:
        """The stack file."""
        return file_of(self.environment)

    @property
    def folder(self) -> str:
        """The folder of models below `stacks/`; empty where there is none."""
        value = (self._value(self.file) or {}).get("config", {}).get(catalog_files.FOLDER)
        return value if isinstance(value, str) else ""

    def entries(self) -> list[catalog_files.Entry]:
        """The models of the folder as they are on disk."""
        folder = self.folder
        return catalog_files.read(folder, root=self.root, file=self.file) if folder else []

    def stated(self, path: Key) -> Any:
        """The value that a file states at `path`; ABSENT where none does."""
        file, steps = self.place(path)
        value = self._value(file)
        for step in steps:
            value = _below(value, step)
            if value is ABSENT:
                return ABSENT
        return value

    def place(self, path: Key) -> tuple[str, yaml_text.Steps]:
        """The file that states `path`, or is to state it, and where in it."""
        if path[:1] == _MODELS and len(path) > 1:
            name = path[1][1:-1]
            for file in self.texts:
                if file != self.file and (found := self._entry(file, name)) is not None:
                    return file, (*found, *_steps(_at(self._value(file), found), path[2:]))
        value = self._value(self.file)
        return self.file, ("config", *_steps((value or {}).get("config"), path))

    def block(self, path: Key) -> str | None:
        """The text of the value at `path`, moved to the first column; None if it cannot be."""
        file, steps = self.place(path)
        return yaml_text.block(self.texts[file], steps)

    def write(self, path: Key, value: Any, source: str | None = None) -> None:
        """Set the value at `path`. Raises CliError where the YAML does not allow it."""
        file, steps = self.place(path)
        if isinstance(self.stated(path[:1]), str) and len(path) > 1:
            raise self._unfit(path, file, "its value is JSON in one text; write it as YAML")
        try:
            self.texts[file] = yaml_text.written(self.texts[file], steps, value, source)
        except yaml_text.UnfitError as error:
            raise self._unfit(path, file, str(error)) from None

    def remove(self, path: Key) -> None:
        """Remove what a file states at `path`. Raises CliError."""
        file, steps = self.place(path)
        if not steps:
            raise self._unfit(path, file, "it is the whole file; delete it by hand")
        try:
            self.texts[file] = yaml_text.removed(self.texts[file], steps)
        except yaml_text.UnfitError as error:
            raise self._unfit(path, file, str(error)) from None

    def add_file(self, file: str, text: str) -> None:
        """A new file of models."""
        self.texts[file] = text

    def delete(self, file: str) -> None:
        """Delete a file of models, unless `add_file` brings it again."""
        del self.texts[file]

    @property
    def deleted(self) -> list[str]:
        """The files that are to be deleted."""
        return [file for file in self._read if file not in self.texts]

    @property
    def changed(self) -> list[str]:
        """The files whose text differs from what is on disk."""
        return [file for file, text in self.texts.items() if self._read.get(file) != text]

    @contextmanager
    def staged(self) -> Iterator[Path]:
        """A folder with the edited files in the repository's layout, to check them there."""
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for file, text in self.texts.items():
                self._put(root / file, text)
            yield root

    def save(self) -> None:
        """Replace the changed files, each at once; where it is interrupted, none is replaced.

        Raises CliError where one has changed since it was read.
        """
        for file in self.changed:
            path = (self.root / file).resolve()
            before = self._read.get(file)
            if (path.exists() and _text(path)) != (before or False):
                raise CliError(f"{file}: has been changed meanwhile", "run the command again")
        self._before = dict(self._read)
        try:
            for file in self.changed:
                path = (self.root / file).resolve()
                path.parent.mkdir(parents=True, exist_ok=True)
                replace(path, self.texts[file])
                self._read[file] = self.texts[file]
            for file in self.deleted:
                (self.root / file).unlink(missing_ok=True)
                del self._read[file]
        except BaseException:
            self.undo()
            raise

    def undo(self) -> None:
        """Put back what `save` replaced or deleted; nothing where it has not begun."""
        if self._before is None:
            return
        for file in {*self.texts, *self._before}:
            path, before = (self.root / file).resolve(), self._before.get(file)
            # By the file itself: Ctrl-C may have come between its replacement and our note of it.
            present = _text(path) if path.exists() else None
            if present == before or present not in (None, self.texts.get(file)):
                continue
            if before is None:
                path.unlink()
            else:
                replace(path, before)
        self._read = dict(self._before)

    def _take(self, file: str) -> None:
        self.texts[file] = self._read[file] = _text(self.root / file)

    def _value(self, file: str) -> Any:
        return yaml_text.parsed(self.texts[file])

    def _entry(self, file: str, name: str) -> yaml_text.Steps | None:
        """Where a file of models has the entry `name`."""
        value = self._value(file)
        if entry_name(value) == name:
            return ()
        items = value if isinstance(value, list) else []
        return next(((i,) for i, item in enumerate(items) if entry_name(item) == name), None)

    def _unfit(self, path: Key, file: str, reason: str) -> CliError:
        return CliError(f"{file}: {shown(path)}: {reason}", "no file has been changed")

    @staticmethod
    def _put(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


def replace(path: Path, text: str) -> None:
    """Replace a file at once; a process that is killed leaves a hidden file beside it, at most."""
    for left in path.parent.glob(f".{path.name}.*.partial"):
        with suppress(OSError):
            left.unlink()
    descriptor, name = tempfile.mkstemp(".partial", f".{path.name}.", path.parent)
    made = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, made)
        else:
            made.chmod(0o644)
        made.replace(path)
    except BaseException:
        made.unlink(missing_ok=True)
        raise


def _text(path: Path) -> str:
    return path.read_bytes().decode()


def _steps(value: Any, path: Key) -> yaml_text.Steps:
    """`path` with the places of named entries; an entry that is not there comes last."""
    steps: list[str | int] = []
    for step in path:
        found: str | int = step
        if step.startswith("[") and not isinstance(value, Mapping):
            items = value if isinstance(value, list) else []
            names = [entry_name(item) for item in items]
            found = names.index(step[1:-1]) if step[1:-1] in names else len(items)
        steps.append(found)
        value = _below(value, found)
    return tuple(steps)


def _below(value: Any, step: str | int) -> Any:
    if isinstance(value, list) and isinstance(step, int):
        return value[step] if step < len(value) else ABSENT
    return value.get(step, ABSENT) if isinstance(value, Mapping) else ABSENT


def _at(value: Any, steps: yaml_text.Steps) -> Any:
    for step in steps:
        value = _below(value, step)
    return value
