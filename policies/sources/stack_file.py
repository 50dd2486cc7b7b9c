"""Line numbers of the named entries in an environment's stack file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml


def lines(file: Path) -> Mapping[str, int]:
    """Return the line of each named entry by name; the first if there are several.

    A resource has the name of the entry that declares it: a model, a node pool, a team.
    """
    found: dict[str, int] = {}
    try:
        root = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, yaml.YAMLError):
        return found  # the configuration reader reports the error
    for name, line in _names(root):
        found.setdefault(name, line)
    return found


def _names(node: Any) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "name" and isinstance(value, yaml.ScalarNode):
                yield value.value, value.start_mark.line + 1
            yield from _names(value)
    elif isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            yield from _names(entry)
