"""What the plugin must be told of a resource type; all else is generated (see `schema_update`).

A type is one `Spec` in `services/<service>.py`: where it lives, which of its fields cannot be
changed in place, and the names that differ from the automatic rule. It is data only: what is done
with it stands in `handler`, and a type with steps of its own has a subclass of `handler.Handler`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Values = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Call:
    """A verb of its own that changes a few fields, such as `setTarget`.

    `body` makes the request from (API object wanted, state's outputs); `path` follows the
    resource's own path.
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
    id: str = ""  # default: the collection and the name
    name: str = "name"  # the field that names it
    imports: tuple[str, ...] = ()  # id forms besides those derived from `id`
    update: str = ""  # PATCH or PUT; empty: no update of the whole
    update_mask: bool = False  # the PATCH names its fields in updateMask
    fingerprint: bool = False  # an update carries the fingerprint the state knows
    immutable: frozenset[str] = frozenset()  # a change replaces; "*" is everything
    mutable: frozenset[str] = frozenset()  # exceptions from a wider immutable path
    calls: tuple[Call, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)  # field -> API path from its parent
    local: Mapping[str, Any] = field(default_factory=dict)  # fields only the provider knows
    special: frozenset[str] = frozenset()  # fields the handler itself translates
    defaults: Mapping[str, Any] = field(default_factory=dict)
    computed: frozenset[str] = frozenset()  # nested fields the server fills when unset
    sets: frozenset[str] = frozenset()  # lists without an order
    links: Mapping[str, str] = field(default_factory=dict)  # field -> full path of a bare name
    conflicts: tuple[frozenset[str], ...] = ()  # at most one of each
    required_one: tuple[frozenset[str], ...] = ()  # at least one of each
    labels: str = ""  # the labels input, where the type has labels
    write_only: frozenset[str] = frozenset({"params"})  # the API never tells them
    secrets: frozenset[str] = frozenset()  # outputs that are always secret

    @property
    def service(self) -> str:
        """The service's name in Google's discovery documents."""
        return self.schema.split(".", 1)[0]

    @property
    def id_template(self) -> str:
        """The id's form, as the official provider spells it."""
        return self.id or f"{self.collection}/{{{self.name}}}"
