"""Ports of Kubernetes objects whose change a server-side apply cannot take back.

An apply finds a port by number and protocol. Where another client changed the number, the declared
port is added beside the changed one; two have one name then, and the API server refuses both. So
the declared list is put back first. Pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cli.drift.values import ABSENT, Path, at, differing, moved
from cli.steps import MASKED, Refresh

Json = dict[str, Any]
_LIST = "ports"
_REFUSED = re.compile(r"\bports\[\d+\]\.\w+: (Duplicate|Required) value")
_SUMMARY = re.compile(r"(preview|update) failed")
_ALLOCATED = "nodePort"


def is_refused(text: str) -> bool:
    """Whether the API server refused an object since two of its ports clash."""
    return bool(_REFUSED.search(text))


def explain(errors: Iterable[str]) -> bool:
    """Whether clashing ports are the only reason of a failure."""
    reasons = [one for one in errors if not _SUMMARY.fullmatch(one.strip())]
    return bool(reasons) and all(map(is_refused, reasons))


def patch(inputs: Mapping[str, Any], object_: Mapping[str, Any]) -> list[Json]:
    """The JSON patch that gives an object the ports of `inputs`; empty where none differ.

    A port keeps the node port that the API server allocated.
    """
    found = []
    for path, declared in _lists(inputs, ()):
        place = moved(inputs, object_, path)
        live = ABSENT if place is None else at(object_, place)
        if place is None or not isinstance(live, list) or MASKED in str(declared):
            continue
        if len(live) != len(declared) or any(differing(declared, live)):
            value = [_with_node_port(one, live) for one in declared]
            found.append({"op": "replace", "path": _pointer(place), "value": value})
    return found


def command(seen: Refresh) -> list[str]:
    """The arguments of `kubectl` that patch the object, without the patch."""
    group, _, version = str(seen.found["apiVersion"]).rpartition("/")
    metadata, kind = seen.found["metadata"], str(seen.found["kind"]).lower()
    namespace = str(metadata.get("namespace", "default"))
    named = f"{kind}.{version}.{group}" if group else kind
    return ["--namespace", namespace, "patch", named, str(metadata["name"]), "--type=json"]


def _lists(value: Any, path: Path) -> Iterator[tuple[Path, list[Json]]]:
    """The lists of ports that an object declares."""
    for step, one in _steps(value):
        is_ports = step == _LIST and isinstance(one, list)
        if is_ports and one and all(isinstance(port, Mapping) for port in one):
            yield (*path, step), one
        else:
            yield from _lists(one, (*path, step))


def _steps(value: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(value, Mapping):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def _with_node_port(port: Json, live: list[Json]) -> Json:
    same = [one for one in live if one.get("name") == port.get("name")]
    known = same[0].get(_ALLOCATED) if len(same) == 1 else None
    return {_ALLOCATED: known, **port} if known else dict(port)


def _pointer(path: Path) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
