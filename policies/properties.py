"""A resource's properties as the engine sends them, as plain values for rules.

The wire form marks what JSON cannot say: unknown values by reserved texts, secrets, assets and
outputs by a reserved key. Here they become `Unknown`, `Secret` text and plain values.
"""

import json
from collections.abc import Mapping
from typing import Any

from policies.subjects import Path
from policies.values import OddInputError, Props, Secret, Unknown, has_unknown, located

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


def plain(struct: Any, owner: str = "") -> Props:
    """The properties of a protobuf Struct; `owner` is named where a value is unknown."""
    props = {key: _value(value) for key, value in struct.fields.items()}
    return located(props, owner) if has_unknown(props) else props


def from_json(value: Any, owner: str) -> Props:
    """The properties of a resource in a stack's state; `owner` is named where one is unknown."""
    props: Props = {key: _from_json(item) for key, item in value.items()}
    return located(props, owner) if has_unknown(props) else props


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _SECRET and "plaintext" not in value and "value" not in value:
            return Secret("")  # encrypted: that there is a text is all that can be told
        if "plaintext" in value and value.get(_SIGNATURE) == _SECRET:
            return _secret(json.loads(value["plaintext"]))
        return _marked({key: _from_json(item) for key, item in value.items()})
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    return Unknown() if isinstance(value, str) and value in _UNKNOWN else value


def put(struct: Any, path: Path, value: Any) -> None:
    """Write a value into a protobuf Struct, through the marks of secrets and outputs.

    What is on the way and not there is made; all else keeps its wire form, so that a secret stays
    one. Raises OddInputError where the properties do not have the shape that the path supposes.
    """
    *way, last = path
    holder = struct
    for step in way:
        holder = _entered(holder, step)
    _write(_slot(holder, last), value)


def shown(path: Path) -> str:
    """A path as text: `spec.containers[0].image`."""
    parts = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(parts).lstrip(".")


def _slot(holder: Any, step: str | int) -> Any:
    """The protobuf Value at a key of a Struct or a place of a ListValue."""
    if isinstance(step, str) != hasattr(holder, "fields"):
        wanted = "a mapping" if isinstance(step, str) else "a list"
        raise OddInputError(f"{step} is looked for in what is not {wanted}")
    if isinstance(step, str):
        return holder.fields[step]
    if step == len(holder.values):
        return holder.values.add()
    if step > len(holder.values):
        raise OddInputError(f"a list of {len(holder.values)} has no place {step}")
    return holder.values[step]


def _entered(holder: Any, step: str | int) -> Any:
    """The Struct or ListValue that is found, or made as a Struct, at a step."""
    value = _slot(holder, step)
    while value.WhichOneof("kind") == "struct_value" and _SIGNATURE in value.struct_value.fields:
        value = value.struct_value.fields["value"]
    kind = value.WhichOneof("kind")
    if kind == "list_value":
        return value.list_value
    if kind not in ("struct_value", "null_value", None):
        raise OddInputError(f"{step} is neither a mapping nor a list")
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
        return _marked({k: _value(v) for k, v in value.struct_value.fields.items()})
    if kind == "list_value":
        return [_value(item) for item in value.list_value.values]
    if kind == "number_value":
        found = value.number_value
        return int(found) if found.is_integer() else found
    return value.bool_value if kind == "bool_value" else None


def _marked(entries: dict[str, Any]) -> Any:
    signature = entries.get(_SIGNATURE)
    if signature is None:
        return entries
    if type(signature) is Unknown:
        return Unknown()  # it may mark anything
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
