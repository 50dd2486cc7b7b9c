"""Every key of a stack file, from the layers' types, and where a file has it.

A key is a path of steps: a name, `[]` for the items of a list, `kind=ingress` for one alternative
of a tagged union.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
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
        return written(self.steps)

    @property
    def name(self) -> str:
        """The last name, without a namespace."""
        return self.steps[-1].rpartition(":")[2]


def written(steps: tuple[str, ...]) -> str:
    """A path as people write it: `gke-cluster:node_pools[].name`."""
    text = ""
    for step in steps:
        if step == ITEM:
            text += ITEM
        elif "=" in step:
            text += f"({step.partition('=')[2]})"
        else:
            text += f".{step}" if text else step
    return text


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


Place = tuple[str | int, ...]
"""A path in a file: names, and the indices of items."""


def places(
    value: Any, steps: tuple[str, ...], parents: Mapping[str, Any], above: tuple[str, ...] = ()
) -> Iterator[tuple[Place, bool]]:
    """Where the key stands or may stand, and whether all that is above it is there.

    What is not there would be as `parents` has it, else an empty mapping.
    """
    first, *rest = steps
    here = (*above, first)
    if first == ITEM:
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from _below_step(index, places(item, tuple(rest), parents, here))
    elif not isinstance(value, dict):
        return
    elif "=" in first:
        tag, _, kind = first.partition("=")
        if value.get(tag) == kind:
            yield from places(value, tuple(rest), parents, here)
    elif not rest:
        yield (first,), True
    elif first in value:
        yield from _below_step(first, places(value[first], tuple(rest), parents, here))
    else:
        for place, _ in places(parents.get(written(here), {}), tuple(rest), parents, here):
            yield (first, *place), False


def _below_step(
    step: str | int, found: Iterator[tuple[Place, bool]]
) -> Iterator[tuple[Place, bool]]:
    return (((step, *place), is_there) for place, is_there in found)


def target(value: Any, place: Place, parents: Mapping[str, Any]) -> Values:
    """The mapping that holds the place's last name; what is above it is put there."""
    above: tuple[str, ...] = ()
    for step in place[:-1]:
        above = (*above, ITEM if isinstance(step, int) else step)
        if isinstance(value, dict) and step not in value:
            value[step] = copy.deepcopy(parents.get(written(above), {}))
        value = value[step]
    found: Values = value
    return found
