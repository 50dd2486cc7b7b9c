"""Who wrote a field of a Kubernetes object, as its `metadata.managedFields` say. Pure functions.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management describes the
format. The API server names the client and a time for all fields of one client together: the time
is that of the client's last change of any of its fields.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cli.drift.values import ABSENT, Path, at


@dataclass(frozen=True, slots=True)
class Manager:
    """A client that wrote fields."""

    name: str
    """Its field manager, such as `kubectl-edit`."""
    time: str
    """RFC 3339; empty when the API does not say."""
    subresource: str = ""


def owned(live: Mapping[str, Any]) -> Iterator[tuple[Manager, Path]]:
    """The clients and the paths that each owns, without those that the object no longer has.

    An atomic list or mapping is one path.
    """
    entries = at(live, ("metadata", "managedFields"))
    for entry in entries if isinstance(entries, list) else ():
        manager = Manager(
            str(entry.get("manager", "")),
            str(entry.get("time") or ""),
            str(entry.get("subresource") or ""),
        )
        for path in _leaves(entry.get("fieldsV1") or {}, live, ()):
            yield manager, path


def writer(live: Mapping[str, Any], path: Path, own: str) -> Manager | None:
    """The client other than `own` that owns the path, the latest if there are several."""
    found = [
        manager
        for manager, one in owned(live)
        if manager.name != own and (one == path[: len(one)] or path == one[: len(path)])
    ]
    return max(found, key=lambda manager: manager.time, default=None)


def _leaves(fields: Mapping[str, Any], value: Any, path: Path) -> Iterator[Path]:
    inner = {key: one for key, one in fields.items() if key != "."}
    if not inner:
        if path and value is not ABSENT:
            yield path
        return
    for key, one in inner.items():
        kind, _, name = key.partition(":")
        if kind == "f":
            yield from _leaves(one, at(value, (name,)), (*path, name))
        elif isinstance(value, list):
            index = _index(value, kind, name)
            if index is not None:
                yield from _leaves(one, value[index], (*path, index))


def _index(entries: list[Any], kind: str, name: str) -> int | None:
    """The index of the entry that `k:{…}`, `v:…` or `i:…` names."""
    wanted = json.loads(name)
    for index, one in enumerate(entries):
        if kind == "k" and isinstance(one, Mapping):
            if all(one.get(key) == value for key, value in wanted.items()):
                return index
        elif (kind == "v" and one == wanted) or (kind == "i" and index == wanted):
            return index
    return None
