"""Conversion of resource properties from the engine's wire format to plain values.

The wire format marks unknown values by reserved strings, and secrets, assets and outputs by a
reserved key. They become `Unknown`, `Secret` and plain values.
"""

import json
from collections.abc import Mapping
from typing import Any

from policies.subjects import Path
from policies.values import MalformedInputError, Props, Secret, Unknown, has_unknown, with_paths

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 (a marker that the engine defines)
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_UNKNOWN = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)


def from_struct(struct: Any, owner: str = "") -> Props:
    """Convert a protobuf Struct. `owner` is the root of the path of unknown values."""
    props = {key: _value(value) for key, value in struct.fields.items()}
    return with_paths(props, owner) if has_unknown(props) else props


def from_json(value: Any, owner: str) -> Props:
    """Convert properties from a stack's state. `owner` is the root of unknown values' paths."""
    props: Props = {key: _from_json(item) for key, item in value.items()}
    return with_paths(props, owner) if has_unknown(props) else props


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _SECRET and "plaintext" not in value and "value" not in value:
            return Secret("")  # encrypted: the content is not available
        if "plaintext" in value and value.get(_SIGNATURE) == _SECRET:
            return _secret(json.loads(value["plaintext"]))
        return _unwrapped({key: _from_json(item) for key, item in value.items()})
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    return Unknown() if isinstance(value, str) and value in _UNKNOWN else value


def set_value(struct: Any, path: Path, value: Any) -> None:
    """Set a value in a protobuf Struct, inside secrets and outputs if necessary.

    Missing mappings on the path are created. Everything else is unchanged, so secrets stay secret.
    Raises MalformedInputError if the properties do not match the path.
    """
    *parents, last = path
    holder = struct
    for step in parents:
        holder = _child(holder, step)
    _write(_slot(holder, last), value)


def path_text(path: Path) -> str:
    """Return a path as text: `spec.containers[0].image`."""
    if len(path) == 1:
        return str(path[0]) if isinstance(path[0], str) else f"[{path[0]}]"
    parts = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in path]
    return "".join(parts).removeprefix(".")


def _slot(holder: Any, step: str | int) -> Any:
    """Return the protobuf Value at a key of a Struct or an index of a ListValue."""
    if isinstance(step, str) != hasattr(holder, "fields"):
        wanted = "a mapping" if isinstance(step, str) else "a list"
        raise MalformedInputError(f"the parent of {step} is not {wanted}")
    if isinstance(step, str):
        return holder.fields[step]
    if step == len(holder.values):
        return holder.values.add()
    if step > len(holder.values):
        raise MalformedInputError(f"index {step} is out of range in a list of {len(holder.values)}")
    return holder.values[step]


def _child(holder: Any, step: str | int) -> Any:
    """Return the Struct or ListValue at a step; a missing one is created as a Struct."""
    value = _slot(holder, step)
    while value.WhichOneof("kind") == "struct_value" and _SIGNATURE in value.struct_value.fields:
        value = value.struct_value.fields["value"]
    kind = value.WhichOneof("kind")
    if kind == "list_value":
        return value.list_value
    if kind not in ("struct_value", "null_value", None):
        raise MalformedInputError(f"{step} is neither a mapping nor a list")
    return value.struct_value


def _write(slot: Any, value: Any) -> None:
    if isinstance(value, bool):
        slot.bool_value = value
    elif isinstance(value, int | float):
        slot.number_value = value
    elif isinstance(value, str):
        slot.string_value = value
    elif isinstance(value, list):
        slot.list_value.Clear()
        for item in value:
            _write(slot.list_value.values.add(), item)
    elif isinstance(value, dict):
        slot.struct_value.Clear()
        for key, item in value.items():
            _write(slot.struct_value.fields[key], item)
    else:
        slot.null_value = 0


def _value(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        found = value.string_value
        return Unknown() if found in _UNKNOWN else found
    if kind == "struct_value":
        return _unwrapped({k: _value(v) for k, v in value.struct_value.fields.items()})
    if kind == "list_value":
        return [_value(item) for item in value.list_value.values]
    if kind == "number_value":
        found = value.number_value
        return int(found) if found.is_integer() else found
    return value.bool_value if kind == "bool_value" else None


def _unwrapped(entries: dict[str, Any]) -> Any:
    signature = entries.get(_SIGNATURE)
    if signature is None:
        return entries
    if type(signature) is Unknown:
        return Unknown()  # the kind of value is unknown
    if signature == _SECRET:
        return _secret(entries.get("value"))
    if signature == _OUTPUT:
        if "value" not in entries:
            return Unknown()
        return _secret(entries["value"]) if entries.get("secret") is True else entries["value"]
    del entries[_SIGNATURE]
    return entries


def _secret(value: Any) -> Any:
    if isinstance(value, str):
        return Secret(value)
    if isinstance(value, Mapping):
        return {key: _secret(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_secret(item) for item in value]
    return value
