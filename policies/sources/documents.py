"""The documents of a YAML or JSON text, each with the line that it begins at."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from gkeplatform.errors import PlatformError


class UnreadableError(PlatformError):
    """A file cannot be judged; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document and where it stands."""

    content: Any
    file: str
    line: int


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # either
    """YAML as Kubernetes reads it: a date is text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def documents(text: str, file: str) -> Iterator[Document]:
    """The documents that are not empty. Raises UnreadableError where the text is not YAML."""
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
