"""Every key of a stack file, from the layers' types, and where a file has it.

A key is a path of steps: a name, `[]` for the items of a list, `kind=ingress` for one alternative
of a tagged union.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from msgspec import inspect

from infra.stack_file import NAMESPACES

ITEM = "[]"
Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a stack file."""

    steps: tuple[str, ...]
    type: inspect.Type
    required: bool
    default: Any = None

    def __str__(self) -> str:
        text = ""
        for step in self.steps:
            if step == ITEM:
                text += ITEM
            elif "=" in step:
                text += f"({step.partition('=')[2]})"
            else:
                text += f".{step}" if text else step
        return text

    @property
    def name(self) -> str:
        """The last name, without a namespace."""
        return self.steps[-1].rpartition(":")[2]


def keys() -> Iterator[Key]:
    """Every key of every namespace, each before those nested in it."""
    for model, namespace in NAMESPACES.items():
        for key in _below(inspect.type_info(model), ()):
            first, *rest = key.steps
            yield Key((f"{namespace}:{first}", *rest), key.type, key.required, key.default)


def _below(info: inspect.Type, steps: tuple[str, ...]) -> Iterator[Key]:
    match info:
        case inspect.Metadata(type=inner):
            yield from _below(inner, steps)
        case inspect.UnionType(types=types):
            for one in types:
                yield from _below(one, steps)
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            yield from _below(item, (*steps, ITEM))
        case inspect.StructType(fields=fields, tag_field=tag_field, tag=tag):
            here = (*steps, f"{tag_field}={tag}") if tag_field else steps
            for field in fields:
                path = (*here, field.encode_name)
                yield Key(path, field.type, field.required, _default(field))
                yield from _below(field.type, path)


def _default(field: inspect.Field) -> Any:
    plain = isinstance(field.default, bool | int | float | str)
    return field.default if plain else None


def places(value: Any, steps: tuple[str, ...]) -> Iterator[tuple[Values, str]]:
    """The mappings in which the key stands or may stand, with its last name."""
    first, *rest = steps
    if first == ITEM:
        for item in value if isinstance(value, list) else ():
            yield from places(item, tuple(rest))
    elif not isinstance(value, dict):
        return
    elif "=" in first:
        tag, _, kind = first.partition("=")
        if value.get(tag) == kind:
            yield from places(value, tuple(rest))
    elif not rest:
        yield value, first
    elif first in value:
        yield from places(value[first], tuple(rest))
