"""Conversion between a resource's properties and the API's JSON. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.plugins.gcp.schema import Field
from sandbox.plugins.values import has_secret, has_unknown, reveal

Values = dict[str, Any]

__all__ = ["Values", "from_api", "has_secret", "has_unknown", "put", "reveal", "to_api"]


def to_api(fields: Mapping[str, Field], values: Mapping[str, Any]) -> Values:
    """The API's object from plain properties, without those that the API does not have."""
    body: Values = {}
    for name, value in values.items():
        field = fields.get(name)
        if field is None or not field.api or value is None:
            continue
        put(body, field.api, _value_to_api(field, value))
    return body


def _value_to_api(field: Field, value: Any) -> Any:
    if field.kind == "list":
        items = [_scalar_to_api(field, field.element, one) for one in value]
        return (items[0] if items else None) if field.api_single else items
    converted = _scalar_to_api(field, field.kind, value)
    return [converted] if field.api_list else converted


def _scalar_to_api(field: Field, kind: str, value: Any) -> Any:
    if kind == "obj":
        return to_api(field.fields, value or {})
    if field.api_text:
        return str(int(value) if kind == "int" else value)
    if kind == "int" and isinstance(value, int | float | str) and not isinstance(value, bool):
        return int(value)
    return value


def put(body: Values, path: tuple[str, ...], value: Any) -> None:
    """Set a value at a path of nested objects."""
    *parents, last = path
    for part in parents:
        body = body.setdefault(part, {})
    if isinstance(value, dict) and isinstance(body.get(last), dict):
        body[last].update(value)
    else:
        body[last] = value


def from_api(fields: Mapping[str, Field], body: Mapping[str, Any]) -> Values:
    """Properties from the API's object, without absent ones."""
    values: Values = {}
    for name, field in fields.items():
        raw = _get(body, field.api)
        if raw is None and _is_false(field, body):
            raw = False
        if raw is not None:
            values[name] = _value_from_api(field, raw)
    return values


def _is_false(field: Field, body: Mapping[str, Any]) -> bool:
    """Whether an absent boolean is false: one whose default is true in the provider alone.

    The API omits what is false, and the official provider reads it as false, a change to it.
    """
    is_switch = field.kind == "bool" and field.default is True and bool(field.api)
    return is_switch and isinstance(_get(body, field.api[:-1]) if field.api[1:] else body, Mapping)


def _value_from_api(field: Field, raw: Any) -> Any:
    if field.kind == "list":
        items = [raw] if field.api_single or not isinstance(raw, list) else raw
        return [_scalar_from_api(field, field.element, one) for one in items]
    if field.api_list:
        raw = raw[0] if raw else None
    return _scalar_from_api(field, field.kind, raw)


def _scalar_from_api(field: Field, kind: str, raw: Any) -> Any:
    if kind == "obj":
        return from_api(field.fields, raw) if isinstance(raw, Mapping) else raw
    if kind == "int" and isinstance(raw, str | float):
        return int(raw)
    if kind == "float" and isinstance(raw, str):
        return float(raw)
    if kind == "str" and isinstance(raw, bool | int | float):
        return str(raw).lower() if isinstance(raw, bool) else str(raw)
    return raw


def _get(body: Any, path: tuple[str, ...]) -> Any:
    if not path:
        return None
    for part in path:
        if not isinstance(body, Mapping):
            return None
        body = body.get(part)
    return body
