"""Property paths as `ignoreChanges` has them: `spec.containers[0]`, `metadata.labels["a.b"]`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

_STEP = re.compile(r'\.?([^.\[\]"]+)|\[(\d+|\*|"(?:[^"\\]|\\.)*")\]')


def parsed(text: str) -> list[str | int]:
    """The keys and indices of a path, in order."""
    steps: list[str | int] = []
    for name, bracket in _STEP.findall(text):
        if name:
            steps.append(name)
        elif bracket.startswith('"'):
            steps.append(json.loads(bracket))
        else:
            steps.append(int(bracket) if bracket.isdigit() else bracket)
    return steps


def removed(document: Any, path: Sequence[str | int]) -> Any:
    """The document without what is at the path: a copy, or itself where nothing is there."""
    step, rest = path[0], path[1:]
    if isinstance(document, list) and step == "*":
        items = [removed(item, rest) if rest else item for item in document]
        changed = any(a is not b for a, b in zip(items, document, strict=True))
        return items if changed else document
    is_there = step in document if isinstance(document, dict) else (
        isinstance(document, list) and isinstance(step, int) and step < len(document)
    )  # fmt: skip
    if not is_there:
        return document
    if rest:
        inner = removed(document[step], rest)
        if inner is document[step]:
            return document
        copy = document.copy()
        copy[step] = inner
        return copy
    if isinstance(document, dict):
        return {key: value for key, value in document.items() if key != step}
    return document  # an item of a list cannot be left out without moving the others
