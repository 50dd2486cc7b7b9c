"""Reads a file or folder and dispatches each document to the reader of its format."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from policies.sources import gke, manifests, stack_export
from policies.sources.documents import Document, UnreadableError, documents
from policies.subjects import Resource

__all__ = ["UnreadableError", "read", "read_all"]

STDIN = Path("-")
SUFFIXES = (".yaml", ".yml", ".json")


def read(path: Path) -> list[Resource]:
    """Read the resources of a file, or of all YAML and JSON files below a folder.

    Raises UnreadableError with file and line for a document of unknown format: nothing is skipped.
    A file without documents (empty, or comments only), a List without items and a null in a List
    hold no resources, and are no error.
    """
    resources, unreadable = read_all([path])
    if unreadable:
        raise UnreadableError(unreadable[0])
    return resources


def read_all(paths: Iterable[Path]) -> tuple[list[Resource], list[str]]:
    """Read files and folders. Returns the resources, and a message for each unreadable file."""
    resources: list[Resource] = []
    unreadable: list[str] = []
    for file in _files(paths, unreadable):
        try:
            resources += _read(file)
        except UnreadableError as error:
            unreadable.append(str(error))
    return resources, unreadable


def _files(paths: Iterable[Path], unreadable: list[str]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
        if not found:
            unreadable.append(f"{path}: the folder contains no YAML or JSON files")
        yield from found


def _read(path: Path) -> list[Resource]:
    try:
        text = sys.stdin.read() if path == STDIN else path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UnreadableError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableError(f"{path}: cannot be read: {error}") from None
    resources: list[Resource] = []
    name = "stdin" if path == STDIN else str(path)
    for document in documents(text, name):
        try:
            resources += _resources(document)
        except RecursionError:
            where = f"{document.file}:{document.line}"
            raise UnreadableError(f"{where}: nested too deeply") from None
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UnreadableError(
                f"{document.file}:{document.line}: not a valid {_format(document.content)}: "
                f"{type(error).__name__}: {error}"
            ) from None
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
