"""Splits YAML or JSON text into documents with their first line."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from gkeplatform.errors import PlatformError


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
    except (ValueError, TypeError, RecursionError) as error:
        raise UnreadableError(f"{file}: not YAML: {error}") from None
    finally:
        loader.dispose()
