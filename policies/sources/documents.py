"""Splits YAML or JSON text into documents with their first line."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from gkeplatform.errors import PlatformError

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_VALUE = re.compile(r"\S")


class UnreadableError(PlatformError):
    """A file cannot be read; the message names the file and the reason."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document with its file and first line."""

    content: Any
    file: str
    line: int


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # either
    """YAML as Kubernetes reads it: dates stay strings."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def documents(text: str, file: str) -> Iterator[Document]:
    """Yield the documents that are not empty. Raises UnreadableError if the text is not YAML."""
    if text.lstrip()[:1] in {"{", "["} and (found := _json_stream(text, file)) is not None:
        yield from found
        return
    loader: Any = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            content = loader.construct_document(node)
            if content is not None:
                yield Document(content, file, node.start_mark.line + 1)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or " ".join(str(error).split())
        raise UnreadableError(f"{file}{line}: not YAML: {reason}") from None
    except RecursionError:
        raise UnreadableError(f"{file}: nested too deeply") from None
    except (ValueError, TypeError) as error:
        raise UnreadableError(f"{file}: not YAML: {error}") from None
    finally:
        loader.dispose()


def _is_unicode(text: str) -> bool:
    """Whether every surrogate that JSON escapes has its other half."""
    try:
        re.sub(
            r"((?:\\u[dD][89a-fA-F][0-9a-fA-F]{2})+)", lambda m: json.loads(f'"{m[1]}"'), text
        ).encode()
    except UnicodeEncodeError:
        return False
    return True


def _json_stream(text: str, file: str) -> list[Document] | None:
    """Read JSON documents, one after the other; None if the text is not JSON throughout.

    YAML that begins with a bracket is often JSON, but only one document of it is YAML.
    """
    if _SURROGATE.search(text) and not _is_unicode(text):
        raise UnreadableError(f"{file}: not Unicode: half of a surrogate pair")
    decoder, found, position, line = json.JSONDecoder(), [], 0, 1
    while match := _VALUE.search(text, position):
        line += text.count("\n", position, match.start())
        try:
            content, end = decoder.raw_decode(text, match.start())
        except ValueError:
            return None
        except RecursionError:
            raise UnreadableError(f"{file}:{line}: nested too deeply") from None
        if content is not None:
            found.append(Document(content, file, line))
        line += text.count("\n", match.start(), end)
        position = end
    return found
