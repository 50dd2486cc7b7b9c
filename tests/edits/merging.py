"""Several edits of one file in one: each change of a value is carried over."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from tests.edits.edits import Edit
from tests.edits.fields import Values


def merged(base: Values, edits: Sequence[Edit]) -> Values:
    """The base with the changes of every edit. Edits of the same value exclude each other."""
    result = copy.deepcopy(base)
    for edit in edits:
        result = _changed(base, edit.values, result)
    return result


def _changed(base: Any, edited: Any, onto: Any) -> Any:
    if base == edited:
        return onto
    if isinstance(base, list) and isinstance(edited, list) and isinstance(onto, list):
        named = [_by_name(one) for one in (base, edited, onto)]
        if all(one is not None for one in named):
            return list(_changed(*named).values())
        if len(base) == len(edited) == len(onto):
            return [_changed(*items) for items in zip(base, edited, onto, strict=True)]
    if isinstance(base, dict) and isinstance(edited, dict) and isinstance(onto, dict):
        made = {key: one for key, one in onto.items() if key in edited or key not in base}
        for key, value in edited.items():
            if key not in base:
                made[key] = copy.deepcopy(value)
            elif key in onto:
                made[key] = _changed(base[key], value, onto[key])
        return made
    return copy.deepcopy(edited)


def paths(base: Any, edited: Any, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """The paths of the values that differ; an edit of a part of another's path excludes it."""
    if base == edited:
        return set()
    if isinstance(base, list) and isinstance(edited, list):
        mine, its = _by_name(base), _by_name(edited)
        if mine is not None and its is not None:
            return paths(mine, its, path)
        if len(base) == len(edited):
            return {
                one
                for index, (mine, its) in enumerate(zip(base, edited, strict=True))
                for one in paths(mine, its, (*path, str(index)))
            }
    if isinstance(base, dict) and isinstance(edited, dict):
        return {
            one
            for key in base.keys() | edited.keys()
            for one in (
                paths(base[key], edited[key], (*path, key))
                if key in base and key in edited
                else {(*path, key)}
            )
        }
    return {path}


def _by_name(items: Sequence[Any]) -> dict[str, Any] | None:
    """The items by their names; None where one has no name, or two have the same."""
    if not items or not all(isinstance(one, dict) and "name" in one for one in items):
        return None
    named = {one["name"]: one for one in items}
    return named if len(named) == len(items) else None
