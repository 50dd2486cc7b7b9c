"""The emulator's state: JSON documents by key in SQLite, with an index of compute references.

A key is a service and a path, such as `compute/projects/p/global/urlMaps/main`. Reads are served
from memory. Writes reach the database before the request is answered, so `kill -9` loses nothing.
All calls come from one event loop.
"""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

Json = dict[str, Any]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

# A reference in a compute document: a self link of any version, or a path.
_REFERENCE = re.compile(
    r"^(?:https://[a-z.]+/compute/[a-z0-9]+/)?"
    r"(projects/[^/]+/(?:global|regions/[^/]+|zones/[^/]+)/[A-Za-z]+/[^/]+)$"
)
_OWN = frozenset({"selfLink", "selfLinkWithId", "id", "usedBy", "users", "targetLink"})


def compute_path(reference: str) -> str | None:
    """`projects/…` of a compute self link or partial URL; None for anything else."""
    found = _REFERENCE.match(reference)
    return found.group(1) if found else None


class Store:
    """Documents by key."""

    def __init__(self, path: Path | None) -> None:
        """Open or create the database. None keeps everything in memory.

        Raises sqlite3.Error where the file is not a database or cannot be written.
        """
        self._database = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS documents (key TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID"
        )
        self._bodies: dict[str, bytes] = {}
        self._collections: dict[str, dict[str, None]] = defaultdict(dict)
        self._users: dict[str, set[str]] = defaultdict(set)
        self._targets: dict[str, set[str]] = {}
        self.changed: Callable[[str], None] | None = None
        """Called with the key of each document that was written or deleted."""
        for key, body in self._database.execute("SELECT key, body FROM documents ORDER BY key"):
            self._index(key, body)

    def get(self, key: str) -> Json | None:
        """A copy of the document, or None."""
        body = self._bodies.get(key)
        return None if body is None else _decode(body)

    def __contains__(self, key: str) -> bool:
        return key in self._bodies

    def put(self, key: str, document: Json) -> None:
        """Write a document."""
        body = _encode(document)
        self._database.execute("INSERT OR REPLACE INTO documents VALUES (?, ?)", (key, body))
        self._forget(key)
        self._index(key, body)
        if self.changed is not None:
            self.changed(key)

    def delete(self, key: str) -> None:
        """Delete a document, if it exists."""
        self._database.execute("DELETE FROM documents WHERE key = ?", (key,))
        self._forget(key)
        if self.changed is not None:
            self.changed(key)

    def collection(self, prefix: str) -> Iterator[tuple[str, Json]]:
        """Name and document of each direct child of `prefix`, sorted by name."""
        for name in sorted(self._collections.get(prefix, ())):
            yield name, _decode(self._bodies[f"{prefix}/{name}"])

    def below(self, prefix: str) -> Iterator[tuple[str, Json]]:
        """Key and document of each descendant of `prefix`, sorted by key."""
        start = f"{prefix}/"
        for key in sorted(k for k in self._bodies if k.startswith(start)):
            yield key, _decode(self._bodies[key])

    def bodies(self, *prefixes: str) -> Mapping[str, bytes]:
        """The documents as they are stored, by key, of the keys that begin with any prefix."""
        return {key: body for key, body in self._bodies.items() if key.startswith(prefixes)}

    def users(self, path: str) -> list[str]:
        """Keys of the compute documents that refer to the one at `path` (`projects/…`)."""
        return sorted(self._users.get(path, ()))

    def projects(self) -> set[str]:
        """The ids of all projects that have documents."""
        parts = (key.split("/", 3) for key in self._bodies)
        return {p[2] for p in parts if len(p) > 3 and p[1] == "projects"}

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _index(self, key: str, body: bytes) -> None:
        self._bodies[key] = body
        collection, _, name = key.rpartition("/")
        self._collections[collection][name] = None
        if "/operations/" in key:
            return
        own = key.partition("/")[2]
        targets = {t for t in references(_decode(body)) if t != own}
        if targets:
            self._targets[key] = targets
            for target in targets:
                self._users[target].add(key)

    def _forget(self, key: str) -> None:
        if self._bodies.pop(key, None) is None:
            return
        collection, _, name = key.rpartition("/")
        self._collections[collection].pop(name, None)
        for target in self._targets.pop(key, ()):
            self._users[target].discard(key)


def references(value: Any) -> Iterator[str]:
    """The compute paths (`projects/…`) that a document refers to, without its own."""
    if isinstance(value, str):
        if len(value) < 2048 and "projects/" in value:
            path = compute_path(value)
            if path:
                yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in _OWN:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)
