"""Settings that are text, but for which YAML may also hold a number or a boolean."""

import math
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    Text = str
else:
    Text = str | int | float | bool
"""Text, or a scalar that means its text: `8080`, `0.5`, `true`.

A type of settings with such a field converts it when it is created (`texts`), so that all readers
see `str`.
"""


def text(value: object) -> object:
    """The text of a number or boolean as YAML and JSON write it; other values unchanged."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a number that a server could read; quote it as text")
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else repr(value)
    return value


def texts(settings: msgspec.Struct, *fields: str) -> None:
    """Converts fields of new settings: scalars, and those in lists and mappings."""
    for field in fields:
        value = getattr(settings, field)
        converted: object
        if isinstance(value, tuple):
            converted = tuple(text(one) for one in value)
        elif isinstance(value, dict):
            converted = {key: text(one) for key, one in value.items()}
        else:
            converted = text(value)
        msgspec.structs.force_setattr(settings, field, converted)
