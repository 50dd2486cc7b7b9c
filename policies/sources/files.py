"""Which sort of document a file holds, and its resources. Text in, `Resource`s out."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from policies.sources import gke, manifests, stack_export
from policies.sources.documents import Document, UnreadableError, documents
from policies.subjects import Resource

__all__ = ["UnreadableError", "read"]

SUFFIXES = (".yaml", ".yml", ".json")


def read(path: Path) -> list[Resource]:
    """The resources of a file, or of all YAML and JSON files below a folder.

    Raises UnreadableError, which names the file and the line, for what is none of the documents
    that can be judged: nothing is skipped in silence.
    """
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
        if not found:
            raise UnreadableError(f"{path}: there is no YAML or JSON file below it")
        return [resource for file in found for resource in read(file)]
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UnreadableError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableError(f"{path}: cannot be read: {error}") from None
    resources: list[Resource] = []
    known = 0
    for document in documents(text, str(path)):
        known += 1
        try:
            resources += _resources(document)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UnreadableError(
                f"{document.file}:{document.line}: not shaped as {_sort(document.content)} is: "
                f"{type(error).__name__}: {error}"
            ) from None
    if not known:
        raise UnreadableError(f"{path}: the file is empty")
    return resources


def _resources(document: Document) -> Iterator[Resource]:
    content = document.content
    if stack_export.is_one(content):
        yield from stack_export.resources(document)
    elif gke.is_one(content):
        yield from gke.resources(document)
    elif isinstance(content, dict) and isinstance(content.get("kind"), str):
        yield from manifests.resources(document)
    else:
        raise UnreadableError(
            f"{document.file}:{document.line}: neither a Kubernetes object (it has no kind), a "
            f"stack export nor a GKE cluster, but {_shown(content)}"
        )


def _sort(content: Any) -> str:
    if stack_export.is_one(content):
        return "a stack export"
    return "a GKE cluster" if gke.is_one(content) else "a Kubernetes object"


def _shown(content: Any) -> str:
    text = json.dumps(content, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
