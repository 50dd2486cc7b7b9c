"""Defaults and validation of a resource's inputs, without requests. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.plugins.gcp.schema import Field
from sandbox.plugins.gcp.spec import Spec
from sandbox.plugins.values import UNKNOWN, Secret

GENERIC = frozenset({"project", "region", "zone", "location", "deletionPolicy"})
POLICIES = ("DELETE", "PREVENT", "ABANDON")
_GCE_NAME = re.compile(r"(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)")
Values = dict[str, Any]
Failure = tuple[str, str]


def with_defaults(fields: Mapping[str, Field], inputs: Mapping[str, Any]) -> Values:
    """The inputs with the official provider's defaults, also within given blocks."""
    filled: Values = {}
    for name, value in inputs.items():
        field = fields.get(name)
        filled[name] = _deep(field, value) if field and field.fields else value
    for name, field in fields.items():
        if field.default is not None and field.is_input and filled.get(name) is None:
            filled[name] = field.default
    return {name: value for name, value in filled.items() if value is not None}


def _deep(field: Field, value: Any) -> Any:
    if isinstance(value, Secret):
        return Secret(_deep(field, value.value))
    if isinstance(value, list):
        return [_deep(field, one) for one in value]
    return with_defaults(field.fields, value) if isinstance(value, Mapping) else value


def failures(spec: Spec, fields: Mapping[str, Field], inputs: Mapping[str, Any]) -> list[Failure]:
    """The errors: (property, reason)."""
    return [
        *_fields(fields, inputs, "", known=False),
        *_groups(spec, inputs),
        *_names(spec, inputs),
    ]


def _fields(
    fields: Mapping[str, Field], inputs: Mapping[str, Any], prefix: str, *, known: bool
) -> Iterator[Failure]:
    for name, field in fields.items():
        if field.required and _bare(inputs.get(name)) is None:
            yield f"{prefix}{name}", f'missing required property "{prefix}{name}"'
    for name, value in inputs.items():
        path = f"{prefix}{name}"
        found = fields.get(name)
        if name.startswith("__"):
            continue
        if found is None or not found.is_input:
            near = ", ".join(sorted(key for key, one in fields.items() if one.is_input))
            yield path, f"unknown property; known are: {near}"
        elif not (known or found.is_remote or found.local or name in GENERIC):
            yield path, "this property is of the beta API, which this plugin does not speak"
        else:
            whole = known or found.local or found.special
            yield from _value(found, _bare(value), path, known=whole)


def _value(field: Field, value: Any, path: str, *, known: bool) -> Iterator[Failure]:
    if value is UNKNOWN or value is None:
        return
    if field.kind == "list":
        if not isinstance(value, list):
            yield path, f"expected a list, got {_shown(value)}"
            return
        for at, one in enumerate(value):
            yield from _scalar(field, field.element, _bare(one), f"{path}[{at}]", known=known)
        return
    yield from _scalar(field, field.kind, value, path, known=known)


def _scalar(field: Field, kind: str, value: Any, path: str, *, known: bool) -> Iterator[Failure]:
    if value is UNKNOWN or value is None:
        return
    if kind == "obj":
        if isinstance(value, Mapping):
            yield from _fields(field.fields, value, f"{path}.", known=known)
        else:
            yield path, f"expected a block of properties, got {_shown(value)}"
    elif kind == "map" and not isinstance(value, Mapping):
        yield path, f"expected a map, got {_shown(value)}"
    elif kind in ("int", "float") and not _is_number(value):
        yield path, f"expected a number, got {_shown(value)}"
    elif kind == "bool" and str(value).lower() not in ("true", "false"):
        yield path, f"expected true or false, got {_shown(value)}"
    elif kind == "str" and isinstance(value, Mapping | list):
        yield path, f"expected text, got {_shown(value)}"
    elif field.values and value not in field.values and value != "":
        allowed = ", ".join(field.values)
        yield path, f"expected {path} to be one of [{allowed}], got {value}"
    elif path == "deletionPolicy" and value not in POLICIES:
        yield path, f"expected one of [{', '.join(POLICIES)}], got {value}"


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _groups(spec: Spec, inputs: Mapping[str, Any]) -> Iterator[Failure]:
    for group in spec.conflicts:
        given = sorted(name for name in group if inputs.get(name) not in (None, [], ""))
        if len(given) > 1:
            yield given[0], f"{given[0]} conflicts with {', '.join(given[1:])}: give one of them"
    for group in spec.required_one:
        if not any(inputs.get(name) is not None for name in group):
            wanted = ", ".join(sorted(group))
            yield min(group), f"one of {wanted} must be given"


def _names(spec: Spec, inputs: Mapping[str, Any]) -> Iterator[Failure]:
    name = _bare(inputs.get("name"))
    if spec.service == "compute" and isinstance(name, str) and not _GCE_NAME.fullmatch(name):
        yield (
            "name",
            f"{name!r} must be 1 to 63 lowercase letters, digits and hyphens, "
            "begin with a letter and not end with a hyphen",
        )


def _bare(value: Any) -> Any:
    while isinstance(value, Secret):
        value = value.value
    return value


def _shown(value: Any) -> str:
    return f"{type(value).__name__} {str(value)[:60]!r}"
