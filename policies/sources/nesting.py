"""Refuses YAML that is nested too deeply for its parser, which would end the process.

libyaml composes nodes recursively, in C, without a limit. Its events are not recursive.
"""

import re
from typing import Any

import yaml

MOST = 1_000
"""Levels of mappings and lists."""

_INDENTED = re.compile(rf"^[ ?-]{{{MOST // 2}}}", re.MULTILINE)  # two levels need two columns
_BRACKET = re.compile(r"[][{}]")


def line_too_deep(text: str, loader: Any) -> int | None:
    """Return the line (from 0) where a text is nested more than `MOST` levels; None if nowhere."""
    if not _may_be_deep(text):
        return None
    depth = 0
    try:
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MOST:
                    return event.start_mark.line if event.start_mark else 0
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except yaml.YAMLError:
        pass  # reading it reports the error, with less than `MOST` levels before it
    return None


def _may_be_deep(text: str) -> bool:
    """Whether counting brackets and indentation, in strings too, exceeds the limit."""
    if _INDENTED.search(text):
        return True
    if text.count("[") + text.count("{") <= MOST:
        return False
    depth = 0
    for match in _BRACKET.finditer(text):
        depth = depth + 1 if match[0] in "[{" else max(depth - 1, 0)
        if depth > MOST // 2:
            return True
    return False
