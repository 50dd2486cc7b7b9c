"""Golden inventories as files: whole, or as the difference from another environment's. Not a test.

A difference names its base. It holds the resources that only one of the two has, and each value
that differs by its path, after the base's name was replaced by the environment's own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "golden"
BASES = {"prod": "stage"}
"""The environments that are written as a difference where that is short, with their bases."""
SHORT = 0.5
"""A difference is written where it has less than this share of the whole inventory's text."""
ABSENT = "(absent)"

Values = dict[str, dict[str, Any]]
"""Inputs by resource type, then by logical name."""


def load(environment: str, layer: str) -> Values:
    """The golden inventory of a layer. A wrong count in the file is an error."""
    content = yaml.safe_load((FOLDER / environment / f"{layer}.yaml").read_text())
    if "base" in content:
        base = content["base"]
        return patched(renamed(load(base, layer), base, environment), content)
    assert content["counts"] == counts(content["values"])
    values: Values = content["values"]
    return values


def write(environment: str, layer: str, values: Values) -> None:
    """Write a layer's inventory; the base's must be written before."""
    text = _dump({"counts": counts(values), "values": values})
    if base := BASES.get(environment):
        found = difference(renamed(load(base, layer), base, environment), values)
        short = _dump({"base": base, **found})
        text = short if len(short) < SHORT * len(text) else text
    file = FOLDER / environment / f"{layer}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def counts(values: Values) -> dict[str, int]:
    """How many resources there are of each type."""
    return dict(sorted(Counter({kind: len(named) for kind, named in values.items()}).items()))


def renamed(value: Any, old: str, new: str) -> Any:
    """The value with an environment's name replaced wherever it is a word of its own."""
    if isinstance(value, dict):
        return {renamed(k, old, new): renamed(item, old, new) for k, item in value.items()}
    if isinstance(value, list):
        return [renamed(item, old, new) for item in value]
    if isinstance(value, str):
        return re.sub(rf"(?<![a-z0-9]){old}(?![a-z0-9])", new, value)
    return value


def difference(base: Values, values: Values) -> dict[str, Any]:
    """What turns `base` into `values`: resources `only_here` and `not_here`, and `changed` inputs.

    A changed input stands under its path; the steps are joined by `/`, with `~1` for a slash in a
    key and `~0` for a tilde (RFC 6901). Lists of unequal length are changed as a whole.
    """
    only_here: Values = {}
    not_here: dict[str, list[str]] = {}
    changed: dict[str, dict[str, dict[str, Any]]] = {}
    for kind in sorted(base.keys() | values.keys()):
        old, new = base.get(kind, {}), values.get(kind, {})
        if gone := sorted(old.keys() - new.keys()):
            not_here[kind] = gone
        if more := {name: new[name] for name in sorted(new.keys() - old.keys())}:
            only_here[kind] = more
        for name in sorted(old.keys() & new.keys()):
            if paths := dict(_changes(old[name], new[name], "")):
                changed.setdefault(kind, {})[name] = paths
    return {"changed": changed, "not_here": not_here, "only_here": only_here}


def patched(base: Values, found: Mapping[str, Any]) -> Values:
    """`base` with a difference applied."""
    gone = {(kind, name) for kind, names in found["not_here"].items() for name in names}
    result: Values = {}
    for kind, named in base.items():
        for name, inputs in named.items():
            if (kind, name) not in gone:
                result.setdefault(kind, {})[name] = inputs
    for kind, named in found["changed"].items():
        for name, paths in named.items():
            for path, value in paths.items():
                _set(result[kind][name], path, value)
    for kind, named in found["only_here"].items():
        result.setdefault(kind, {}).update(named)
    return result


def _changes(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The paths below `path` that differ, with the new value or ABSENT."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            step = f"{path}/{key.replace('~', '~0').replace('/', '~1')}".removeprefix("/")
            if key not in new:
                yield step, ABSENT
            elif key not in old:
                yield step, new[key]
            else:
                yield from _changes(old[key], new[key], step)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _changes(one, other, f"{path}/{index}")
    elif old != new or type(old) is not type(new):
        yield path, new


def _set(inputs: Any, path: str, value: Any) -> None:
    *steps, last = [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")]
    for step in steps:
        inputs = inputs[int(step) if isinstance(inputs, list) else step]
    if value == ABSENT:
        del inputs[last]
    else:
        inputs[int(last) if isinstance(inputs, list) else last] = value


def _dump(content: Any) -> str:
    return yaml.safe_dump(content, width=100)
