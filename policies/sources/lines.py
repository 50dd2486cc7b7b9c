"""Lines of the values in a document, looked up when a finding needs them.

YAML keeps its nodes; JSON is read again, because the standard library's reader has no positions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import yaml

from policies.subjects import Path

_MERGE = "tag:yaml.org,2002:merge"
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]|[^\s{}\[\],:"]+|\n')


class _Mark(NamedTuple):
    line: int


class Lines:
    """The lines of a document, or of the part of it at a path.

    A value that an alias or a merge key brings in has the line where it is written.
    """

    __slots__ = ("_found", "_offset", "_prefix", "_root")

    def __init__(
        self, root: yaml.Node | Callable[[], yaml.Node], offset: int = 0, prefix: Path = ()
    ) -> None:
        self._root = root
        self._offset = offset
        self._prefix = prefix
        self._found: dict[Path, tuple[Any, int]] = {}

    def below(self, *path: str | int) -> Lines:
        """Return the lines of the part at a path."""
        return Lines(self._root, self._offset, (*self._prefix, *path))

    def line(self, path: Path = ()) -> int:
        """Return the line of a key or list item; of the nearest parent that the document has."""
        if self._prefix:
            path = (*self._prefix, *path)
        return self._node(path)[1] + self._offset + 1

    def _node(self, path: Path) -> tuple[Any, int]:
        """Return the node at a path, and its line; None and its parent's line where is none.

        The findings of an object have most of their paths in common.
        """
        found = self._found.get(path)
        if found is None:
            if path:
                node, line = self._node(path[:-1])
                found = _below(node, path[-1]) or (None, line)
            else:
                root: Any = self._root() if callable(self._root) else self._root
                found = root, root.start_mark.line
            self._found[path] = found
        return found


def _below(node: Any, step: str | int) -> tuple[Any, int] | None:
    if isinstance(node, yaml.SequenceNode):
        if isinstance(step, int) and 0 <= step < len(node.value):
            return node.value[step], node.value[step].start_mark.line
        return None
    if isinstance(node, yaml.MappingNode):
        name = str(step)
        # A constructed mapping has the keys that it merges before its own, which win.
        for key, value in reversed(node.value):
            if key.value == name:
                return value, key.start_mark.line
    return None


def compose_json(text: str, start: int, end: int, line: int) -> yaml.Node:
    """Return the YAML nodes of valid JSON, which begins at `line` (from 0)."""
    root: Any = None
    holders: list[Any] = []
    keys: list[Any] = []
    for match in _TOKEN.finditer(text, start, end):
        part = match[0]
        if part == "\n":
            line += 1
            continue
        if part in {"}", "]"}:
            holders.pop()
            keys.pop()
            continue
        node = _json_node(part, _Mark(line))
        if not holders:
            root = node
        elif isinstance(holders[-1], yaml.SequenceNode):
            holders[-1].value.append(node)
        elif keys[-1] is None:
            node.value = json.loads(part)
            keys[-1] = node
            continue
        else:
            holders[-1].value.append((keys[-1], node))
            keys[-1] = None
        if part in {"{", "["}:
            holders.append(node)
            keys.append(None)
    return root  # type: ignore[no-any-return]  # valid JSON has a value


def _json_node(part: str, mark: Any) -> Any:
    if part == "{":
        return yaml.MappingNode("", [], mark)
    return yaml.SequenceNode("", [], mark) if part == "[" else yaml.ScalarNode("", "", mark)


def repeated_key(node: Any) -> Any:
    """Return the node of the first key that its mapping has already; None if there is none."""
    seen, left = set(), [node]
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, yaml.MappingNode):
            names = set()
            for key, value in one.value:
                if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                    if (key.tag, key.value) in names:
                        return key
                    names.add((key.tag, key.value))
                left.append(value)
        elif isinstance(one, yaml.SequenceNode):
            left += one.value
    return None


def expansion(root: Any) -> tuple[float, int]:
    """Return the number of values with all aliases expanded (infinite in a loop), and as written.

    Of the values as written, only mappings and lists are counted.
    """
    sizes: dict[int, float] = {}
    left: list[tuple[Any, bool]] = [(root, False)]
    while left:
        node, has_parts = left.pop()
        if not isinstance(node, yaml.CollectionNode):
            continue
        parts: list[Any] = node.value
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        holders = [part for part in parts if isinstance(part, yaml.CollectionNode)]
        if has_parts:
            scalars = len(parts) - len(holders)
            sizes[id(node)] = 1 + scalars + sum([sizes[id(part)] for part in holders])
        elif id(node) not in sizes:
            sizes[id(node)] = float("inf")  # until its parts are counted: a loop meets it here
            left.append((node, True))
            left += [(part, False) for part in holders]
    return sizes.get(id(root), 1), len(sizes)
