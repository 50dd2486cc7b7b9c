"""Reads a file or folder and dispatches each document to the reader of its format."""

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
    """Read the resources of a file, or of all YAML and JSON files below a folder.

    Raises UnreadableError with file and line for a document of unknown format: nothing is skipped.
    """
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
        if not found:
            raise UnreadableError(f"{path}: the folder contains no YAML or JSON files")
        return [resource for file in found for resource in read(file)]
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UnreadableError(f"{path}: no such file") from None
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
                f"{document.file}:{document.line}: not a valid {_format(document.content)}: "
                f"{type(error).__name__}: {error}"
            ) from None
    if not known:
        raise UnreadableError(f"{path}: the file is empty")
    return resources


def _resources(document: Document) -> Iterator[Resource]:
    content = document.content
    if stack_export.recognizes(content):
        yield from stack_export.resources(document)
    elif gke.recognizes(content):
        yield from gke.resources(document)
    elif isinstance(content, dict) and isinstance(content.get("kind"), str):
        yield from manifests.resources(document)
    else:
        raise UnreadableError(
            f"{document.file}:{document.line}: not a Kubernetes object (no kind), a stack export "
            f"or a GKE cluster: {_shortened(content)}"
        )


def _format(content: Any) -> str:
    if stack_export.recognizes(content):
        return "stack export"
    return "GKE cluster" if gke.recognizes(content) else "Kubernetes object"


def _shortened(content: Any) -> str:
    text = json.dumps(content, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
