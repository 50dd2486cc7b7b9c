"""Property values: their wire format and their form in Python.

In Python they are dicts, lists, strings, numbers, booleans and None, and also `Secret(value)` and
`UNKNOWN` (known only after the update). Assets and archives keep the wire format: dicts with a
signature. The signatures are those of Pulumi's sdk/go/common/resource.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import struct_pb2

Properties = dict[str, Any]

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 (a marker, not a secret)
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# The engine has one marker per type; all mean the same.
_UNKNOWNS = frozenset(
    {
        _UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)


class Unknown:
    """The type of `UNKNOWN`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __deepcopy__(self, memo: dict[int, Any]) -> Unknown:
        return self


UNKNOWN: Final = Unknown()
"""A value that is known only after the update; compare with `is`."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that the engine encrypts in the state and never shows."""

    value: Any

    def __repr__(self) -> str:
        return "Secret(…)"


def reveal(value: Any) -> Any:
    """The value without any `Secret` in it."""
    if isinstance(value, Secret):
        return reveal(value.value)
    if isinstance(value, Mapping):
        return {key: reveal(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [reveal(item) for item in value]
    return value


def has_unknown(value: Any) -> bool:
    """Whether the value contains `UNKNOWN`."""
    if isinstance(value, Secret):
        return has_unknown(value.value)
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(has_unknown(item) for item in value)
    return value is UNKNOWN


def has_secret(value: Any) -> bool:
    """Whether the value contains a `Secret`."""
    if isinstance(value, Mapping):
        return any(has_secret(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(has_secret(item) for item in value)
    return isinstance(value, Secret)


def decode(struct: struct_pb2.Struct) -> Properties:
    """Properties from the wire."""
    return {key: _decode(value) for key, value in struct.fields.items()}


def encode(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """Properties for the wire. Raises TypeError on a value of another type, naming its key."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        _encode(value, struct.fields[key], key)
    return struct


def _decode(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text = value.string_value
        return UNKNOWN if text in _UNKNOWNS else text
    if kind == "struct_value":
        return _decode_struct(value.struct_value)
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    return None


def _decode_struct(struct: struct_pb2.Struct) -> Any:
    mark = struct.fields[_SIGNATURE].string_value if _SIGNATURE in struct.fields else None
    if mark == _SECRET:
        return Secret(_decode(struct.fields["value"]))
    if mark == _OUTPUT:
        inner = _decode(struct.fields["value"]) if "value" in struct.fields else UNKNOWN
        is_secret = "secret" in struct.fields and struct.fields["secret"].bool_value
        return Secret(inner) if is_secret else inner
    return decode(struct)


def _encode(value: Any, target: struct_pb2.Value, place: str) -> None:
    if value is None:
        target.null_value = struct_pb2.NULL_VALUE
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, int | float):
        target.number_value = value
    elif value is UNKNOWN:
        target.string_value = _UNKNOWN
    elif isinstance(value, Secret):
        fields = target.struct_value.fields
        fields[_SIGNATURE].string_value = _SECRET
        _encode(value.value, fields["value"], place)
    elif isinstance(value, Mapping):
        target.struct_value.SetInParent()
        for key, item in value.items():
            _encode(item, target.struct_value.fields[key], f"{place}.{key}")
    elif isinstance(value, Sequence):
        target.list_value.SetInParent()
        for index, item in enumerate(value):
            _encode(item, target.list_value.values.add(), f"{place}[{index}]")
    else:
        raise TypeError(f"{place}: {type(value).__name__} is not a property value")
