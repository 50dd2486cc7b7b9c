"""The fields of every resource type, read from `schema.json` (written by `schema_update`).

A `Field` joins the two spellings of one property: Pulumi's, under which it is found, and the API's,
in `api`. It holds no rule about when a change replaces: that is the `Spec`'s.
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
    api: tuple[str, ...] = ()  # path in the API's object; empty: the API does not know it
    is_input: bool = False
    required: bool = False
    filled: bool = False  # always there after creation (computed by the server or the provider)
    default: Any = None
    values: tuple[str, ...] = ()
    api_list: bool = False  # one value here, a list of one there
    api_single: bool = False  # a list here, one value there
    api_text: bool = False  # a number here, its decimal digits there
    set: bool = False  # a list whose order does not matter
    computed: bool = False  # the server's value stands where the program gives none
    local: bool = False  # known to the provider only
    special: bool = False  # translated by the type's own handler

    @property
    def is_remote(self) -> bool:
        """Whether the API knows the field, under whatever name."""
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
    """All the fields of a type, and which outputs the SDK declares secret."""

    fields: dict[str, Field]
    secrets: frozenset[str]


@cache
def _document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DATA.read_bytes())
    return loaded


@cache
def schema_of(token: str) -> Schema:
    """The fields of one type; KeyError when `schema.json` lacks it."""
    raw = _document()[token]
    return Schema(
        fields={key: _field(key, value) for key, value in raw["fields"].items()},
        secrets=frozenset(raw.get("secrets", ())),
    )


def walk(fields: Mapping[str, Field], prefix: str = "") -> Iterator[tuple[str, Field]]:
    """Every field with its dotted path, blocks before what they hold."""
    for name, one in fields.items():
        path = f"{prefix}{name}"
        yield path, one
        yield from walk(one.fields, f"{path}.")
