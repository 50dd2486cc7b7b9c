"""Edits of YAML as text: what an edit does not name stays as it is, to the byte.

A library that loads and dumps a file would rewrite quotes and indents that its authors chose, and
attaches a comment to the value before it, so that it is lost with that value. Each edit is checked:
the new text means the edited value, or nothing is returned.
"""

from __future__ import annotations

import copy
import re
from functools import lru_cache
from typing import Any

import yaml

from cli.promotion.yaml_values import dumped, is_simple, quoted
from gkeplatform import yaml_files
from gkeplatform.errors import PlatformError

Steps = tuple[str | int, ...]
"""Keys and places in lists, from the top of the document."""
_BOM = "\ufeff"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class UnfitError(Exception):
    """An edit that this module cannot make; the message says why."""


def written(text: str, steps: Steps, value: Any, source: str | None = None) -> str:
    """`text` with `value` at `steps`: replaced, added to its mapping, or appended to its list.

    `source` is the value as a block of YAML that begins in the first column; without it the value
    is written in this repository's manner. Raises `UnfitError`.
    """
    if text.startswith(_BOM):  # the loader does not count it
        return _BOM + written(text.removeprefix(_BOM), steps, value, source)
    expected = _with(parsed(text), steps, value)
    tries = ([source] if source is not None else []) + [None]
    for one in tries:
        made = _editor(text).write(steps, value, one)
        if _means(made, expected):
            return made
    raise UnfitError("its YAML cannot be edited safely; edit it by hand")


def removed(text: str, steps: Steps) -> str:
    """`text` without the key or the entry at `steps`. Raises `UnfitError`."""
    if text.startswith(_BOM):
        return _BOM + removed(text.removeprefix(_BOM), steps)
    made = _editor(text).remove(steps)
    if _means(made, _without(parsed(text), steps)):
        return made
    raise UnfitError("its YAML cannot be edited safely; edit it by hand")


def block(text: str, steps: Steps) -> str | None:
    """The text of the value at `steps`, moved to the first column.

    None where it cannot stand alone, as with anchors or aliases.
    """
    editor = _editor(text.removeprefix(_BOM))
    text = editor.text
    node = editor.find(steps)
    if node is None or editor.is_shared(node):
        return None
    body = text[node.start_mark.index : editor.end(node)]
    if re.search(r"(?:^|[\s\[{,])[&*][A-Za-z0-9_]|<<:", body):
        return None
    column = node.start_mark.column
    first, *rest = body.replace("\r\n", "\n").split("\n")
    if any(line[:column].strip() for line in rest):
        return None
    return "\n".join([first, *(line[column:] for line in rest)])


@lru_cache(maxsize=8)
def parsed(text: str) -> Any:
    """The value of a YAML text, which must not be changed. Raises `PlatformError`."""
    return yaml_files.parse(text, "file").value


@lru_cache(maxsize=8)
def _editor(text: str) -> _Editor:
    return _Editor(text)


def _means(text: str, value: Any) -> bool:
    try:
        return bool(parsed(text) == value)
    except PlatformError:
        return False


def _with(document: Any, steps: Steps, value: Any) -> Any:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(step, int):
        items = list(document or [])
        if step == len(items):
            items.append(None)
        items[step] = _with(items[step], rest, value)
        return items
    return {**(document or {}), step: _with((document or {}).get(step), rest, value)}


def _without(document: Any, steps: Steps) -> Any:
    made = copy.deepcopy(document)
    place = made
    for step in steps[:-1]:
        place = place[step]
    del place[steps[-1]]
    return made


class _Editor:
    """One text, and where its nodes are."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.root = yaml.compose(text, Loader=_Loader)
        self._seen: dict[int, int] = {}
        self._count(self.root)

    def find(self, steps: Steps) -> yaml.Node | None:
        node = self.root
        for step in steps:
            node = _child(node, step)
            if node is None:
                return None
        return node

    def is_shared(self, node: yaml.Node | None) -> bool:
        """Whether an anchor gives the node to several places, or to none but itself."""
        return node is not None and self._seen.get(id(node), 0) > 1

    def end(self, node: yaml.Node) -> int:
        """Where the node's last character ends: PyYAML's mark is where the next token begins."""
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            return self.end(last[1] if isinstance(last, tuple) else last)
        end = int(node.end_mark.index)
        if getattr(node, "style", None) in ("|", ">"):
            body = self.text[node.start_mark.index : end]
            return end - (len(body) - len(body.rstrip()))
        if isinstance(node, yaml.ScalarNode) and node.start_mark.index == end:
            return len(self.text[:end].rstrip(" \t\r\n")) if end else end
        return end

    def write(self, steps: Steps, value: Any, source: str | None) -> str:
        self._refuse_shared(steps)
        node = self.find(steps)
        if node is not None:
            return self._replace(node, steps, value, source)
        parent = self.find(steps[:-1])
        if isinstance(parent, yaml.CollectionNode):
            return self._add(parent, steps[-1], value, source)
        # What holds the key is not there yet, or is empty.
        step = steps[-1]
        nested = [value] if isinstance(step, int) else {step: value}
        if len(steps) == 1:
            raise UnfitError("it has no keys")
        return self.write(steps[:-1], nested, None)

    def remove(self, steps: Steps) -> str:
        self._refuse_shared(steps)
        parent = self.find(steps[:-1])
        node = self.find(steps)
        if node is None or not isinstance(parent, yaml.CollectionNode):
            raise UnfitError("it is not written there")
        if len(parent.value) == 1:
            if len(steps) == 1:
                raise UnfitError("it is the only key")
            empty: Any = [] if isinstance(parent, yaml.SequenceNode) else {}
            return self._replace(parent, steps[:-1], empty, None)
        start, end = self._key_start(parent, steps[-1], node), self.end(node)
        if parent.flow_style:
            after = re.match(r"\s*,\s*", self.text[end:])
            if after:
                return self.text[:start] + self.text[end + after.end() :]
            return re.sub(r",\s*$", "", self.text[:start]) + self.text[end:]
        first = self.text.rfind("\n", 0, start) + 1
        if self.text[first:start].strip():
            raise UnfitError("it begins on the line of its list")
        return self.text[:first] + self.text[self._line_end(end) + 1 :]

    def _replace(self, node: yaml.Node, steps: Steps, value: Any, source: str | None) -> str:
        start, end = int(node.start_mark.index), self.end(node)
        was_block = isinstance(node, yaml.CollectionNode) and not node.flow_style
        if was_block and isinstance(value, dict | list) and value:
            made = self._indented(source or dumped(value, flow=None), node.start_mark.column)
            if isinstance(value, dict) == isinstance(node, yaml.MappingNode):
                return self.text[:start] + made.lstrip() + self.text[end:]
            raise UnfitError("a list stands where a mapping is to be, or the other way round")
        one_line = source is not None and "\n" not in source
        made = str(source) if one_line else dumped(value, flow=True)
        if "\n" in made:
            made = quoted(value)
        if start == end == int(node.end_mark.index) or self.text[start:end].isspace():
            start = end = self.end(node)
            made = f" {made}"
        elif was_block and isinstance(steps[-1], str):
            parent = self.find(steps[:-1])
            column = parent.start_mark.column if parent is not None else 0
            made = " " * max(0, column + 2 - node.start_mark.column) + made
        return self.text[:start] + made + self.text[end:]

    def _add(
        self, parent: yaml.CollectionNode, step: str | int, value: Any, source: str | None
    ) -> str:
        key = "" if isinstance(step, int) else f"{dumped(step, flow=True)}: "
        if parent.flow_style or not parent.value:
            one_line = source is not None and "\n" not in source
            made = key + (str(source) if one_line else dumped(value, flow=True))
            if not parent.value:
                at = self.text.index("]" if isinstance(step, int) else "}", parent.start_mark.index)
                return self.text[:at].rstrip() + made + self.text[at:]
            at = self.end(_value(parent.value[-1]))
            return f"{self.text[:at]}, {made}{self.text[at:]}"
        column = int(parent.start_mark.column)
        lines = source if source is not None else dumped(value, flow=None)
        if isinstance(step, int):
            made = " " * column + "- " + self._indented(lines, column + 2).lstrip()
        elif is_simple(value) or (source is not None and "\n" not in source):
            one = str(source) if source and "\n" not in source else dumped(value, flow=True)
            made = " " * column + key + one
        else:
            made = " " * column + key.rstrip() + self.newline + self._indented(lines, column + 2)
        at = self._line_end(self.end(_value(self._before(parent, step))))
        return self.text[:at] + self.newline + made + self.text[at:]

    def _before(self, parent: yaml.CollectionNode, step: str | int) -> Any:
        """The part after which `step` goes: the last of its namespace, else the last."""
        namespace, colon, _ = str(step).partition(":")
        if colon and isinstance(parent, yaml.MappingNode):
            same = [p for p in parent.value if p[0].value.startswith(f"{namespace}:")]
            if same:
                return same[-1]
        return parent.value[-1]

    def _indented(self, lines: str, column: int) -> str:
        return self.newline.join(
            " " * column + line if line.strip() else line for line in lines.split("\n")
        )

    def _key_start(self, parent: yaml.CollectionNode, step: str | int, node: yaml.Node) -> int:
        if isinstance(parent, yaml.MappingNode):
            return next(int(k.start_mark.index) for k, _ in parent.value if k.value == step)
        if parent.flow_style:
            return int(node.start_mark.index)
        return self.text.rindex("-", 0, node.start_mark.index)

    def _line_end(self, index: int) -> int:
        """The end of the line, with a comment that follows, before its newline."""
        found = self.text.find("\n", index)
        if found < 0:
            return len(self.text)
        return found - 1 if self.text[found - 1] == "\r" else found

    def _refuse_shared(self, steps: Steps) -> None:
        for length in range(1, len(steps) + 1):
            if self.is_shared(self.find(steps[:length])):
                raise UnfitError("an anchor (&) shares it with another place; edit it by hand")

    def _count(self, node: yaml.Node | None) -> None:
        if node is None:
            return
        self._seen[id(node)] = self._seen.get(id(node), 0) + 1
        if isinstance(node, yaml.CollectionNode) and self._seen[id(node)] == 1:
            for part in node.value:
                self._count(_value(part))


def _value(part: Any) -> yaml.Node:
    """The value of a mapping's pair, or the item of a list."""
    value: yaml.Node = part[1] if isinstance(part, tuple) else part
    return value


def _child(node: yaml.Node | None, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        return node.value[step] if step < len(node.value) else None
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if key.value == step:
            return value  # type: ignore[no-any-return]  # a node
    return None
