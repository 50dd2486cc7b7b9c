"""Typed configuration: the keys of one namespace become one frozen Struct, or one error message.

The Structs define types, ranges, patterns and descriptions; the errors here, the JSON Schema and
the reference page are derived from them. This module neither talks to Pulumi nor reads files.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from gkeplatform.errors import PlatformError
from gkeplatform.explanation import explain, suggestion
from gkeplatform.struct import Frozen

__all__ = ["Settings", "load", "suggestion"]


class Settings(Frozen, forbid_unknown_fields=True):
    """The base of all configuration: frozen, and an unknown key is an error."""


SettingsT = TypeVar("SettingsT", bound=Settings)


def load(
    model: type[SettingsT],
    *,
    namespace: str,
    values: Mapping[str, Any],
    file: str,
    secret: Iterable[str] = (),
) -> SettingsT:
    """The keys of `namespace` in `values` as a `model`; `PlatformError` names the key at fault.

    `values` maps `namespace:key` to a string as the engine has it (text, or JSON for a list, a
    mapping, a number or a boolean) or to a value that is decoded already. `secret` lists the keys
    whose values no message may show.
    """
    prefix = f"{namespace}:"
    given = {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}
    hidden = {k.removeprefix(prefix) for k in secret if k.startswith(prefix)}
    types = _types(model)
    decoded = {key: _decoded(value, types.get(key)) for key, value in given.items()}
    try:
        return msgspec.convert(decoded, model)
    except msgspec.ValidationError as error:
        message = explain(str(error), model, decoded, namespace=namespace, hidden=hidden)
        raise PlatformError(f"{file}: {message}") from None


def _decoded(text: object, expected: inspect.Type | None) -> object:
    """A top-level value: JSON is decoded, except where the model expects text."""
    if isinstance(expected, inspect.StrType) or not isinstance(text, str):
        return text
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


@cache  # a program reads the whole stack file several times, and the walk takes milliseconds
def _types(model: type[Settings]) -> Mapping[str, inspect.Type]:
    """The type of each key."""
    info = inspect.type_info(model)
    fields = info.fields if isinstance(info, inspect.StructType) else ()
    return {field.encode_name: field.type for field in fields}
