"""The fields of every resource type, read from `schema.json` (written by `schema_update`).

A `Field` maps a property's Pulumi name to its path in the API's object (`api`). Which changes
replace a resource is in the `Spec`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("schema.json")

ZERO: Mapping[str, Any] = {"str": "", "int": 0, "float": 0, "bool": False, "list": [], "map": {}}


@dataclass(slots=True)
class Field:
    """One property of a resource or of a block within it."""

    name: str
    kind: str  # str int float bool list map obj asset any
    element: str = ""  # of a list
    fields: dict[str, Field] = field(default_factory=dict)
    api: tuple[str, ...] = ()  # path in the API's object; empty: not in the API
    is_input: bool = False
    required: bool = False
    filled: bool = False  # always set after creation (by the server or the provider)
    default: Any = None
    values: tuple[str, ...] = ()
    api_list: bool = False  # one value here, a list of one in the API
    api_single: bool = False  # a list here, one value in the API
    api_text: bool = False  # a number here, decimal text in the API
    set: bool = False  # a list whose order does not matter
    computed: bool = False  # set by the server if the program omits it
    local: bool = False  # exists only in the provider
    special: bool = False  # translated by the type's own handler

    @property
    def is_remote(self) -> bool:
        """Whether the field is in the API."""
        return bool(self.api) or self.special


def _field(name: str, raw: Mapping[str, Any]) -> Field:
    api = raw.get("n", name)
    return Field(
        name=name,
        kind=raw.get("t", "str"),
        element=raw.get("e", ""),
        fields={key: _field(key, value) for key, value in raw.get("f", {}).items()},
        api=tuple(api.split(".")) if api else (),
        is_input="i" in raw or "r" in raw,
        required="r" in raw,
        filled="c" in raw,
        default=raw.get("d"),
        values=tuple(raw.get("v", ())),
        api_list="w" in raw,
        api_single="u" in raw,
        api_text="x" in raw,
    )


@dataclass(frozen=True, slots=True)
class Schema:
    """The fields of a type, and the outputs that the SDK declares secret."""

    fields: dict[str, Field]
    secrets: frozenset[str]


@cache
def _document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DATA.read_bytes())
    return loaded


@cache
def schema_of(token: str) -> Schema:
    """The fields of one type. Raises KeyError if `schema.json` does not have it."""
    raw = _document()[token]
    return Schema(
        fields={key: _field(key, value) for key, value in raw["fields"].items()},
        secrets=frozenset(raw.get("secrets", ())),
    )


def walk(fields: Mapping[str, Field], prefix: str = "") -> Iterator[tuple[str, Field]]:
    """Every field with its dotted path, blocks before their fields."""
    for name, one in fields.items():
        path = f"{prefix}{name}"
        yield path, one
        yield from walk(one.fields, f"{path}.")
