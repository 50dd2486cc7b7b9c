"""YAML files read as Pulumi's engine reads them, each value with its line.

PyYAML alone would not do: it takes `yes` for true and 12:30 for a number (YAML 1.1), and of two
equal keys in a mapping it keeps the last one silently. The engine does neither.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from gkeplatform.errors import PlatformError

_STR, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"
_RESOLVERS = (
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0b[01_]+|0o?[0-7_]+)", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+."),
    ("merge", r"<<", "<"),
)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # either
    """A safe loader with the engine's scalars, which refuses a key that is given twice."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        given: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if key.value in given:
                    raise yaml.constructor.ConstructorError(
                        None, None, f'the key "{key.value}" is given twice', key.start_mark
                    )
                given.add(key.value)
        return super().construct_mapping(node, deep=deep)


for _name, _pattern, _firsts in _RESOLVERS:
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_name}",
        re.compile(rf"^(?:{_pattern})$"),
        ["" if first == "\0" else first for first in _firsts],
    )


class Document:
    """The one document of a YAML file: its value, and the lines of what is in it."""

    def __init__(self, value: Any, node: yaml.Node | None) -> None:
        self.value = value
        self._node = node

    def line(self, *path: str | int) -> int:
        """The line of the deepest part of `path` that the file has; 0 where it has none of it."""
        node, line = self._node, 0
        for step in path:
            found = _below(node, step)
            if found is None:
                break
            node, line = found
        return line

    def has(self, *path: str | int) -> bool:
        """Whether the file has all of `path`."""
        node = self._node
        for step in path:
            found = _below(node, step)
            if found is None:
                return False
            node = found[0]
        return True

    def names(self) -> Iterator[tuple[str, int]]:
        """The `name` of every mapping in the file, with its line."""
        yield from _names(self._node)


def read(path: Path, shown: str) -> Document:
    """The document in the file at `path`, which messages call `shown`.

    Raises `PlatformError`, with the line, where the file cannot be read or is not YAML. The value
    of a file that is empty or has only comments is None.
    """
    try:
        return parse(path.read_bytes(), shown)
    except OSError as error:
        raise PlatformError(f"{shown}: cannot be read: {error.strerror or error}") from None


def parse(text: bytes | str, shown: str) -> Document:
    """The document in `text`; see `read`."""
    loader: Any = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if (line := _line_of_cycle(node, frozenset())) is not None:
            raise PlatformError(f"{shown}:{line}: an anchor (&) holds an alias (*) of itself")
        return Document(None if node is None else loader.construct_document(node), node)
    except yaml.composer.ComposerError as error:
        if "single document" not in str(error):
            raise _unreadable(error, shown) from None
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PlatformError(
            f"{shown}:{line}: a second YAML document begins here; a file holds one"
        ) from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise _unreadable(error, shown) from None
    finally:
        if loader is not None:
            loader.dispose()


def _line_of_cycle(node: yaml.Node | None, above: frozenset[int]) -> int | None:
    """The line of a node that contains itself; None if there is none."""
    if not isinstance(node, yaml.CollectionNode):
        return None
    if id(node) in above:
        return int(node.start_mark.line) + 1
    inside = above | {id(node)}
    parts = node.value if isinstance(node, yaml.SequenceNode) else [v for _, v in node.value]
    return next((line for part in parts if (line := _line_of_cycle(part, inside))), None)


def _unreadable(error: Exception, shown: str) -> PlatformError:
    mark = getattr(error, "problem_mark", None)
    line = f":{mark.line + 1}" if mark else ""
    reason = getattr(error, "problem", None) or " ".join(str(error).split())
    return PlatformError(f"{shown}{line}: not YAML: {reason}")


def _below(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, int] | None:
    """The node at `step` below `node` and the line of its key or list item."""
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step].start_mark.line + 1
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if isinstance(key, yaml.ScalarNode) and key.value == step:
            return value, key.start_mark.line + 1
    return None


def _names(node: yaml.Node | None) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "name" and isinstance(value, yaml.ScalarNode):
                yield value.value, value.start_mark.line + 1
            yield from _names(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _names(item)
