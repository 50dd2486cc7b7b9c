"""What an environment's files declare: typed values with defaults, and where secrets are.

It is read from files alone, those of the repository or others of the same layout. It is not what
is deployed, and it decrypts nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from gkeplatform import positions, stack_values, yaml_files
from gkeplatform.config import Settings
from gkeplatform.environment import file_of
from gkeplatform.errors import PlatformError
from infra import stack_file

SECRET = "[secret]"  # noqa: S105 (it stands for a value that is not shown)
"""Stands for an encrypted value, so that two that are set are equal, and neither is shown."""
_ENCRYPTED = "secure"
"""Pulumi's key of an encrypted value: `password: {secure: …}`."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """One environment as its files declare it."""

    environment: str
    values: Mapping[str, Any]
    """`namespace:key` to a plain value, with defaults; the models of a folder are included."""

    def text(self, key: str) -> str:
        """The text at `key`; empty where there is none."""
        value = self.values.get(key)
        return value if isinstance(value, str) else ""


def read(environment: str, root: Path) -> Declaration:
    """The declaration of an environment of the repository at `root`.

    Raises `PlatformError`, with file, line and key, where its files would be refused.
    """
    file = file_of(environment)
    document = yaml_files.read(root / file, file)
    try:
        return declared(environment, stack_values.of_document(document.value, file), root)
    except PlatformError as error:
        located = positions.located(str(error), root=root, environment=environment)
        raise PlatformError(located) from None


def declared(environment: str, values: Mapping[str, str], root: Path) -> Declaration:
    """The declaration with the keys `values`; `root` holds the folder of models, if one is named.

    Raises `PlatformError` for the first mistake.
    """
    given = {key: _decoded(value) for key, value in values.items()}
    hidden = {key for key, value in given.items() if is_encrypted(value)}
    shown = {key: _masked(value) for key, value in given.items()}
    whole = stack_file.read(
        {key: _encoded(value) for key, value in shown.items() if key not in hidden},
        file=file_of(environment),
        root=root,
    )
    typed: dict[str, Any] = {}
    for model, namespace in stack_file.NAMESPACES.items():
        settings = whole.of(model) or _defaults(model)
        for key, value in (msgspec.to_builtins(settings) if settings else {}).items():
            typed[f"{namespace}:{key}"] = value
    plain = {key: value for key, value in shown.items() if key not in typed}
    return Declaration(environment, {**typed, **plain, **dict.fromkeys(hidden, SECRET)})


def is_encrypted(value: object) -> bool:
    """Whether a value of a stack file is one that Pulumi encrypted."""
    return isinstance(value, dict) and set(value) == {_ENCRYPTED}


def has_encrypted(value: object) -> bool:
    """Whether there is an encrypted value in `value`."""
    return is_encrypted(value) or any(has_encrypted(part) for part in _parts(value))


def _parts(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _masked(value: Any) -> Any:
    if is_encrypted(value):
        return SECRET
    if isinstance(value, dict):
        return {key: _masked(part) for key, part in value.items()}
    return [_masked(part) for part in value] if isinstance(value, list) else value


def _decoded(text: str) -> Any:
    """A list or mapping as such; all else stays the text that the engine hands over."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, list | dict) else text


def _encoded(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _defaults(model: type[Settings]) -> Settings | None:
    """The settings of a namespace without keys; None where it has a key without a default."""
    try:
        return model()
    except TypeError:
        return None
