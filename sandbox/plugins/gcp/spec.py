"""The hand-written part of a resource type; the rest is generated (see `schema_update`).

A type is one `Spec` in `services/<package>.py`: its path, its immutable fields, and the names that
differ from the automatic mapping. It is data; `handler` interprets it, and a type with its own
behaviour has a subclass of `handler.Handler`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Values = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Call:
    """A custom verb that changes some fields, such as `setTarget`.

    `body` makes the request from (wanted API object, outputs in the state); `path` is appended to
    the resource's path.
    """

    fields: frozenset[str]
    path: str
    body: Callable[[Values, Values], Values]
    method: str = "POST"


@dataclass(frozen=True, kw_only=True)
class Spec:
    """One resource type. Paths of fields are Pulumi's, dotted, without list indexes."""

    type: str  # the type token
    schema: str  # "<service>.<version>.<Schema>" in Google's discovery documents
    collection: str  # its path below the service's base address
    id: str = ""  # default: collection and name
    name: str = "name"  # the field with its name
    imports: tuple[str, ...] = ()  # id forms besides those derived from `id`
    update: str = ""  # PATCH or PUT; empty: neither
    update_mask: bool = False  # the PATCH names its fields in updateMask
    fingerprint: bool = False  # an update sends the state's fingerprint
    immutable: frozenset[str] = frozenset()  # a change replaces; "*" is everything
    mutable: frozenset[str] = frozenset()  # exceptions from a wider immutable path
    calls: tuple[Call, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)  # field -> API path from its parent
    local: Mapping[str, Any] = field(default_factory=dict)  # fields of the provider alone
    special: frozenset[str] = frozenset()  # fields the handler itself translates
    defaults: Mapping[str, Any] = field(default_factory=dict)
    computed: frozenset[str] = frozenset()  # nested fields that the server sets if omitted
    sets: frozenset[str] = frozenset()  # lists without an order
    links: Mapping[str, str] = field(default_factory=dict)  # field -> full path of a bare name
    conflicts: tuple[frozenset[str], ...] = ()  # at most one of each
    required_one: tuple[frozenset[str], ...] = ()  # at least one of each
    labels: str = ""  # the labels input, where the type has labels
    write_only: frozenset[str] = frozenset({"params"})  # the API never returns them
    secrets: frozenset[str] = frozenset()  # outputs that are always secret

    @property
    def service(self) -> str:
        """The service's name in Google's discovery documents."""
        return self.schema.split(".", 1)[0]

    @property
    def id_template(self) -> str:
        """The id's template, as in the official provider."""
        return self.id or f"{self.collection}/{{{self.name}}}"
