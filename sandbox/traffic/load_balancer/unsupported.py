"""Resources as the load balancer reads them: what nobody reads is reported, never ignored.

A `Document` hands out the fields of a resource and notes each one. When the configuration is built,
every field that is set and was not read is listed, so that a field that Google adds to the API, or
that we forget, shows up by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sandbox.gcp.store import Json

NO_EFFECT = frozenset(
    {
        "creationTimestamp",
        "description",
        "etag",
        "fingerprint",
        "id",
        "kind",
        "labelFingerprint",
        "labels",
        "name",
        "region",
        "selfLink",
        "selfLinkWithId",
        "selfLinkWithPolicy",
        "tests",
        "usedBy",
        "zone",
    }
)
"""Fields that name or describe a resource and say nothing about its traffic."""


class Unsupported(NamedTuple):
    """A field that the load balancer of the sandbox does not carry out."""

    resource: str
    """The resource's path, such as `projects/p/global/urlMaps/main`."""
    field: str
    why: str


class Ledger:
    """Which fields of which resources were read."""

    def __init__(self) -> None:
        self._bodies: dict[str, Json] = {}
        self._entered: set[tuple[str, str]] = set()
        self._read: set[tuple[str, str]] = set()
        self._declined: dict[tuple[str, str], str] = {}

    def open(self, resource: str, body: Json) -> Document:
        """Begin to read a resource."""
        self._bodies[resource] = body
        return Document(self, resource, "", body)

    def enter(self, resource: str, field: str) -> None:
        """Note that a field's own fields are read one by one."""
        self._entered.add((resource, field))

    def note(self, resource: str, field: str) -> None:
        """Note that a field is carried out, with all that is in it."""
        self._read.add((resource, field))

    def decline(self, resource: str, field: str, why: str) -> None:
        """Note that a field is not carried out, and why."""
        self._declined[resource, field] = why

    def unsupported(self) -> list[Unsupported]:
        """All that is set and not carried out, sorted."""
        found = dict(self._declined)
        for resource, body in self._bodies.items():
            for field in self._unread(resource, "", body):
                found.setdefault((resource, field), "The sandbox's load balancer does not read it.")
        return sorted(Unsupported(*where, why) for where, why in found.items())

    def _unread(self, resource: str, prefix: str, body: Mapping[str, Any]) -> Iterator[str]:
        for key, value in body.items():
            field = f"{prefix}.{key}" if prefix else key
            where = resource, field
            if key.startswith("_") or key in NO_EFFECT or _is_nothing(value):
                continue
            if where in self._read or where in self._declined:
                continue
            if where not in self._entered:
                yield field
            elif isinstance(value, dict):
                yield from self._unread(resource, field, value)
            else:
                for index, item in enumerate(value):
                    yield from self._unread(resource, f"{field}[{index}]", item)


def _is_nothing(value: object) -> bool:
    return value is None or value is False or value in ("", [], {})


class Document:
    """A resource, or an object in one."""

    def __init__(self, ledger: Ledger, resource: str, field: str, body: Json) -> None:
        self._ledger, self.resource, self.field, self.body = ledger, resource, field, body

    def _at(self, key: str) -> str:
        return f"{self.field}.{key}" if self.field else key

    def has(self, key: str) -> bool:
        """Whether a field is set; it still has to be read."""
        return not _is_nothing(self.body.get(key))

    def value(self, key: str) -> Any:
        """A field's value as it is, carried out as a whole; None where it is not set."""
        self._ledger.note(self.resource, self._at(key))
        return self.body.get(key)

    def text(self, key: str) -> str:
        """A field's text; empty where it is not set."""
        value = self.value(key)
        return "" if value is None else str(value)

    def number(self, key: str, default: float = 0) -> float:
        """A field's number."""
        value = self.value(key)
        return default if value is None else float(value)

    def whole(self, key: str, default: int = 0) -> int:
        """A field's integer. The API writes those of 64 bits as text."""
        value = self.value(key)
        return default if value is None else int(value)

    def flag(self, key: str) -> bool:
        """A field's boolean; false where it is not set."""
        return bool(self.value(key))

    def texts(self, key: str) -> list[str]:
        """A field's list of texts."""
        return [str(one) for one in self.value(key) or ()]

    def one(self, key: str) -> Document:
        """An object in this one, whose fields are read one by one; empty where it is not set."""
        self._ledger.enter(self.resource, self._at(key))
        return Document(self._ledger, self.resource, self._at(key), self.body.get(key) or {})

    def many(self, key: str) -> list[Document]:
        """The objects in a list."""
        self._ledger.enter(self.resource, self._at(key))
        return [
            Document(self._ledger, self.resource, f"{self._at(key)}[{index}]", body)
            for index, body in enumerate(self.body.get(key) or ())
        ]

    def duration(self, key: str) -> str | None:
        """A field of the type Duration as Envoy writes it; None where it is not set."""
        value = self.value(key)
        if not value:
            return None
        nanos = int(value.get("nanos") or 0)
        return f"{int(value.get('seconds') or 0)}" + (f".{nanos:09d}s" if nanos else "s")

    def decline(self, key: str, why: str) -> None:
        """Report a field that is set and not carried out; nothing where it is not set."""
        if self.has(key):
            self._ledger.decline(self.resource, self._at(key), why)

    def __bool__(self) -> bool:
        return bool(self.body)
