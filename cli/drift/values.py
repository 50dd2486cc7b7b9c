"""Compares a declared value with the one that was found. Pure functions.

Paths are written as the engine writes them: `spec.ports[0].port`, `labels["a.b/c"]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from facts.quantity import amount

Path = tuple[str | int, ...]
_PLAIN = re.compile(r"[A-Za-z_$][\w$-]*")
_STEP = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[\]]+)')


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Any = _Absent()
"""The value of a path that does not exist."""


def written(path: Path) -> str:
    """A path as the engine writes it."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text


def parsed(text: str) -> Path:
    """The path that the engine wrote."""
    steps: list[str | int] = []
    for quoted, index, name in _STEP.findall(text):
        steps.append(int(index) if index else name or quoted)
    return tuple(steps)


def at(value: Any, path: Path) -> Any:
    """The value at a path, or ABSENT."""
    for step in path:
        has_key = isinstance(value, Mapping) and step in value
        has_index = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if not has_key and not has_index:
            return ABSENT
        value = value[step]
    return value


def moved(source: Any, target: Any, path: Path) -> Path | None:
    """Where `target` has what `source` has at the path, None if it has not.

    The entries of a list that have names are found by name, since others may stand before them.
    """
    place: Path = ()
    for at_, step in enumerate(path):
        mine, there, found = at(source, path[:at_]), at(target, place), step
        if isinstance(mine, list) and isinstance(there, list) and merge_key(mine):
            name = mine[int(step)]["name"]
            named = (i for i, one in enumerate(there) if name == at(one, ("name",)))
            found = next(named, len(there))
        place = (*place, found)
    return place if at(target, place) is not ABSENT else None


def same(declared: Any, found: Any) -> bool:
    """Whether two values mean the same: 0.5 and 500m, 80 and "80", absent and empty."""
    if _is_empty(declared) or _is_empty(found):
        return _is_empty(declared) and _is_empty(found)
    if isinstance(declared, Mapping) and isinstance(found, Mapping):
        return all(
            same(declared.get(key, ABSENT), found.get(key, ABSENT)) for key in {*declared, *found}
        )
    if isinstance(declared, list) and isinstance(found, list):
        return len(declared) == len(found) and all(map(same, declared, found))
    if isinstance(declared, bool) or isinstance(found, bool):
        return str(declared).lower() == str(found).lower()
    return bool(declared == found) or _is_same_amount(declared, found)


def _is_same_amount(declared: Any, found: Any) -> bool:
    try:
        return amount(declared) == amount(found)
    except ValueError:
        return False


def differing(declared: Any, found: Any, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """The paths at which `found` is not as declared, each with both values.

    Of a mapping, only the declared keys count. A list whose entries have names is compared by
    name, where an undeclared entry does not count; any other list counts whole when its length
    differs.
    """
    if isinstance(declared, Mapping) and isinstance(found, Mapping):
        for key, value in declared.items():
            if not str(key).startswith("__"):
                yield from differing(value, found.get(key, ABSENT), (*path, key))
    elif isinstance(declared, list) and isinstance(found, list) and declared:
        key = merge_key(declared)
        if key and merge_key(found):
            by_name = {one[key]: one for one in found if key in one}
            for index, one in enumerate(declared):
                yield from differing(one, by_name.get(one[key], ABSENT), (*path, index))
        elif len(declared) == len(found):
            for index, (one, other) in enumerate(zip(declared, found, strict=True)):
                yield from differing(one, other, (*path, index))
        else:
            yield path, declared, found
    elif not same(declared, found):
        yield path, declared, found


def changed(before: Any, after: Any, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """All paths at which two values differ, keys that either lacks included."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            if not str(key).startswith("__"):
                here = (*path, key)
                yield from changed(before.get(key, ABSENT), after.get(key, ABSENT), here)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from changed(one, other, (*path, index))
    elif not same(before, after):
        yield path, before, after


def merge_key(entries: Sequence[Any]) -> str:
    """`name`, if all entries have one and no two the same; else empty."""
    names = [one.get("name") for one in entries if isinstance(one, Mapping)]
    whole = len(names) == len(entries) and all(names) and len({*map(str, names)}) == len(names)
    return "name" if whole else ""


def _is_empty(value: Any) -> bool:
    return value is ABSENT or value is None or value in ("", [], {})
