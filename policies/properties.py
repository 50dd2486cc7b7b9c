"""A resource's properties as the engine sends them, as plain values for rules.

The wire form marks what JSON cannot say: unknown values by reserved texts, secrets, assets and
outputs by a reserved key. Here they become `Unknown`, `Secret` text and plain values.
"""

from collections.abc import Mapping
from typing import Any

from policies.values import Props, Secret, Unknown, has_unknown, located

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
