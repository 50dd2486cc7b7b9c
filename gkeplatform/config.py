"""Typed configuration: a layer's keys of the stack file become one frozen Struct, or one message.

The Structs say what is allowed (types, ranges, patterns, descriptions); from them come the errors
here, the JSON Schema and the reference page. Nothing in this module talks to Pulumi or reads a
file: it is given the values as the engine hands them over, every top-level value a string.
"""

import json
from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec
from msgspec import inspect

from gkeplatform.errors import PlatformError
from gkeplatform.explanation import explain, suggestion
from gkeplatform.struct import Frozen

__all__ = ["Settings", "load", "suggestion"]


class Settings(Frozen, forbid_unknown_fields=True):
    """The base of everything that is read from a stack file: frozen, and strict about its keys."""


SettingsT = TypeVar("SettingsT", bound=Settings)


def load(
    model: type[SettingsT],
    *,
    namespace: str,
    values: Mapping[str, str],
    file: str,
    secret: Iterable[str] = (),
) -> SettingsT:
    """The keys of `namespace` in `values` as a `model`; `PlatformError` names the key if not.

    `values` maps `namespace:key` to the string the engine gives: plain text, or JSON where the
    stack file holds a list, a mapping, a number or a boolean.
    """
    prefix = f"{namespace}:"
    given = {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}
    hidden = {k.removeprefix(prefix) for k in secret if k.startswith(prefix)}
    types = {field.encode_name: field.type for field in _fields(inspect.type_info(model))}
    decoded = {key: _decoded(value, types.get(key)) for key, value in given.items()}
    try:
        return msgspec.convert(decoded, model)
    except msgspec.ValidationError as error:
        message = explain(str(error), model, decoded, namespace=namespace, hidden=hidden)
        raise PlatformError(f"{file}: {message}") from None


def _decoded(text: str, expected: inspect.Type | None) -> object:
    """A top-level value: text stays text where text is wanted, all else is JSON."""
    if isinstance(expected, inspect.StrType) or not isinstance(text, str):
        return text
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _fields(info: inspect.Type) -> tuple[inspect.Field, ...]:
    return info.fields if isinstance(info, inspect.StructType) else ()
