"""Splits YAML or JSON text into documents with their lines.

A document that cannot be read is refused alone: those beside it in the file are read.
"""

import json
import math
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from typing import Any

import yaml

from gkeplatform.errors import PlatformError
from policies.sources.lines import Lines, compose_json, expansion, repeated_key
from policies.sources.nesting import line_too_deep

MOST_VALUES = 1_000_000
"""The largest number of values in a document whose aliases are expanded."""

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_VALUE = re.compile(r"\S")
_SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_TAG = "tag:yaml.org,2002:"


class UnreadableError(PlatformError):
    """A document cannot be read; the message names the file, the line and the reason."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document with its file and first line."""

    content: Any
    file: str
    line: int
    lines: Lines | None = None
    """The lines of its values; None for a document without a file."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # either
    """YAML as Kubernetes reads it: dates, `12:30` and `=` are strings, and keys are unique."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        own = node.value  # without the merged keys, once the mapping is constructed
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value) and (
            key := repeated_key(yaml.MappingNode("", [(k, _NOTHING) for k, _ in own]))
        ):
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {json.dumps(key.value)} is given twice", key.start_mark
            )
        return mapping

    def forget(self) -> None:
        """Drop what a refused document has left behind."""
        self.constructed_objects, self.recursive_objects = {}, {}
        self.state_generators, self.deep_construct = [], False


_NOTHING = yaml.ScalarNode("", "")
_WITHOUT_COLONS = {
    f"{_TAG}int": re.compile(r"^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*)$"),
    f"{_TAG}float": re.compile(
        r"^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
}
_STRINGS = {f"{_TAG}timestamp", f"{_TAG}value"}
_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, _WITHOUT_COLONS.get(tag, regexp)) for tag, regexp in resolvers if tag not in _STRINGS
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _RepeatedKeyError(Exception):
    """A JSON object has a key twice."""


def documents(text: str, file: str, refused: list[str]) -> Iterator[Document]:
    """Yield the documents that are not empty; add a message to `refused` for each unreadable one.

    After a document that is not YAML, reading goes on at the next `---`.
    """
    if text.lstrip()[:1] in {"{", "["}:
        found = _json_stream(text, file, refused)
        if found is not None:
            yield from found
            return
    stopped = yield from _yaml_stream(text, file, 0, refused)
    if stopped is None:
        return
    line, position = 0, 0
    ends = [0, *(found.start() for found in _SEPARATOR.finditer(text)), len(text)]
    for start, end in pairwise(ends):
        line += text.count("\n", position, start)
        position = start
        if line >= stopped:
            yield from _yaml_stream(text[start:end], file, line, refused, is_alone=True)


def _yaml_stream(
    text: str, file: str, offset: int, refused: list[str], *, is_alone: bool = False
) -> Generator[Document, None, int | None]:
    """Yield the documents of a text, whose first line is `offset`.

    Returns the line from which each document must be read alone if one is not YAML; else None.
    """
    deep = line_too_deep(text, _Loader)
    if deep is not None:
        if is_alone:
            refused.append(f"{file}:{deep + offset + 1}: nested too deeply")
        return offset
    loader: Any = None
    begun = 0
    has_aliases = "&" in text and "*" in text
    try:
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            begun = node.end_mark.line
            line = node.start_mark.line + offset + 1
            try:
                if has_aliases:
                    _check_aliases(node)
                content = loader.construct_document(node)
            except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
                refused.append(_reason(error, file, offset, line))
                loader.forget()
                continue
            if content is not None:
                yield Document(content, file, line, Lines(node, offset))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        if mark is None and not is_alone:
            return begun + offset
        if isinstance(error, yaml.reader.ReaderError):
            begun = text.count("\n", 0, error.position)
        refused.append(_reason(error, file, offset, begun + offset + 1))
        return max(mark.line if mark else 0, begun, 1) + offset
    finally:
        if loader is not None:
            loader.dispose()
    return None


def _check_aliases(node: Any) -> None:
    expanded, written = expansion(node)
    if expanded > max(MOST_VALUES, 10 * written):
        what = "values without end" if math.isinf(expanded) else f"{expanded:,.0f} values"
        raise ValueError(f"its aliases stand for {what}")


def _reason(error: Exception, file: str, offset: int, line: int) -> str:
    if isinstance(error, RecursionError):
        return f"{file}:{line}: nested too deeply"
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or " ".join(str(error).split())
    where = mark.line + offset + 1 if mark else line
    return f"{file}:{where}: not YAML: {reason.splitlines()[0]}"


def _is_unicode(text: str) -> bool:
    """Whether every surrogate that JSON escapes has its other half."""
    try:
        re.sub(
            r"((?:\\u[dD][89a-fA-F][0-9a-fA-F]{2})+)", lambda m: json.loads(f'"{m[1]}"'), text
        ).encode()
    except UnicodeEncodeError:
        return False
    return True


def _json_stream(text: str, file: str, refused: list[str]) -> list[Document] | None:
    """Read JSON documents, one after the other; None if the text is YAML.

    YAML that begins with a bracket is often JSON, but only one document of it is YAML.
    """
    if _SURROGATE.search(text) and not _is_unicode(text):
        refused.append(f"{file}: not Unicode: half of a surrogate pair")
        return []
    found: list[Document] = []
    messages: list[str] = []
    position, line = 0, 1
    while match := _VALUE.search(text, position):
        start = match.start()
        line += text.count("\n", position, start)
        try:
            content, end = _JSON.raw_decode(text, start)
        except _RepeatedKeyError:
            _, end = json.JSONDecoder().raw_decode(text, start)
            key = repeated_key(compose_json(text, start, end, line - 1))
            where, name = key.start_mark.line + 1, json.dumps(key.value)
            messages.append(f"{file}:{where}: the key {name} is given twice")
            content = None
        except ValueError as error:
            if (not found and not messages) or text.startswith("---", start):
                return None
            messages.append(f"{file}:{line}: not JSON: {getattr(error, 'msg', error)}")
            break
        except RecursionError:
            messages.append(f"{file}:{line}: nested too deeply")
            break
        if content is not None:
            compose = partial(compose_json, text, start, end, line - 1)
            found.append(Document(content, file, line, Lines(cache(compose))))
        line += text.count("\n", start, end)
        position = end
    refused += messages
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _RepeatedKeyError
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_JSON = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)
