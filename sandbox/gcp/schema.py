"""Validation of request bodies against Google's schemas, with Google's error messages.

It checks unknown fields, types, enums and number ranges. The services check required fields and
references, of which discovery documents say little.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sandbox.gcp.discovery import Document, Json
from sandbox.gcp.errors import ApiError

_INTEGERS = {"int32", "uint32", "int64", "uint64"}
_INTEGER = re.compile(r"-?\d+")


def check(
    document: Document, schema: str, body: Any, where: str = "", *, drop_unknown: bool = False
) -> None:
    """Raise ApiError 400 for what the schema does not allow. `where` names the body in it.

    With `drop_unknown`, names that the schema does not have are removed from the body instead.
    """
    if not isinstance(body, dict):
        raise ApiError(400, "Invalid JSON payload received. The root must be an object.")
    if drop_unknown:
        _drop_unknown(document, document.schemas[schema], body)
    _object(document, schema, document.schemas[schema], body, where)


def _drop_unknown(document: Document, schema: Json, value: Any) -> None:
    schema = document.schemas[schema["$ref"]] if "$ref" in schema else schema
    if isinstance(value, list):
        for item in value:
            _drop_unknown(document, schema.get("items", {}), item)
    if not isinstance(value, dict) or not {"properties", "additionalProperties"} & schema.keys():
        return
    properties: Mapping[str, Json] = schema.get("properties", {})
    extra = schema.get("additionalProperties")
    for key in list(value):
        if key not in properties and extra is None:
            del value[key]
        else:
            _drop_unknown(document, properties.get(key, extra or {}), value[key])


def _object(document: Document, name: str, schema: Json, value: Json, where: str) -> None:
    properties: Mapping[str, Json] = schema.get("properties", {})
    extra = schema.get("additionalProperties")
    for key, item in value.items():
        place = f"{where}.{key}" if where else key
        if item is None:
            continue
        if key in properties:
            _value(document, name, key, properties[key], item, place)
        elif extra is not None:
            _value(document, name, key, extra, item, place)
        else:
            at = f" at '{where}'" if where else ""
            raise ApiError(
                400,
                f'Invalid JSON payload received. Unknown name "{key}"{at}: Cannot find field.',
                reason="invalid",
            )


def _value(document: Document, owner: str, key: str, schema: Json, value: Any, where: str) -> None:
    if "$ref" in schema:
        name = schema["$ref"]
        if not isinstance(value, dict):
            raise _mistyped(where, name, value)
        _object(document, name, document.schemas[name], value, where)
        return
    kind = schema.get("type", "any")
    if kind == "array":
        if not isinstance(value, list):
            raise _mistyped(where, "array", value)
        for index, item in enumerate(value):
            _value(document, owner, key, schema["items"], item, f"{where}[{index}]")
    elif kind == "object":
        if not isinstance(value, dict):
            raise _mistyped(where, "object", value)
        _object(document, owner, schema, value, where)
    elif kind == "boolean":
        if not isinstance(value, bool):
            raise _mistyped(where, "TYPE_BOOL", value)
    elif kind == "integer" or schema.get("format") in _INTEGERS:
        _integer(schema, value, where)
    elif kind == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _mistyped(where, "TYPE_DOUBLE", value)
    elif kind == "string":
        _string(document, owner, key, schema, value, where)


def _integer(schema: Json, value: Any, where: str) -> None:
    whole = isinstance(value, float) and value.is_integer()
    text = isinstance(value, str) and _INTEGER.fullmatch(value)
    if isinstance(value, bool) or not (isinstance(value, int) or whole or text):
        raise _mistyped(where, f"TYPE_{str(schema.get('format', 'int32')).upper()}", value)
    number = int(value)
    bits, low = (64, 63) if "64" in str(schema.get("format")) else (32, 31)
    unsigned = str(schema.get("format")).startswith("u")
    if not (0 <= number < 2**bits if unsigned else -(2**low) <= number < 2**low):
        raise _mistyped(where, f"TYPE_{str(schema.get('format', 'int32')).upper()}", value)


def _string(document: Document, owner: str, key: str, schema: Json, value: Any, where: str) -> None:
    if not isinstance(value, str):
        raise _mistyped(where, "TYPE_STRING", value)
    allowed = schema.get("enum")
    if allowed and value and value not in allowed:
        if document.name == "compute":
            raise ApiError(
                400,
                f"Invalid value for field 'resource.{where}': '{value}'. Must be one of "
                f"[{', '.join(allowed)}].",
            )
        kind = f"type.googleapis.com/google.{document.name}.{document.version}.{owner}.{key}"
        raise ApiError(400, f"Invalid value at '{where}' ({kind}), \"{value}\"")


def _mistyped(where: str, kind: str, value: Any) -> ApiError:
    shown = f'"{value}"' if isinstance(value, str) else str(value)[:80]
    return ApiError(400, f"Invalid value at '{where}' ({kind}), {shown}")
