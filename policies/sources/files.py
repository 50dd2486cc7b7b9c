"""Reads a file or folder and dispatches each document to the reader of its format.

What cannot be read is named, document by document, and the rest is read
(docs/concepts/policies.md has a table).
"""

import codecs
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from policies.sources import gke, gke_documents, manifests, stack_export
from policies.sources.documents import Document, UnreadableError, documents
from policies.subjects import Resource

__all__ = ["UnreadableError", "read", "read_all"]

STDIN = Path("-")
SUFFIXES = (".yaml", ".yml", ".json")

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16's, which begins alike
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read(path: Path) -> list[Resource]:
    """Read the resources of a file, or of all YAML and JSON files below a folder.

    Raises UnreadableError with file and line for the first document that cannot be read.
    A file without documents (empty, or comments only), a List without items and a null in a List
    hold no resources, and are no error.
    """
    resources, unreadable = read_all([path])
    if unreadable:
        raise UnreadableError(unreadable[0])
    return resources


def read_all(paths: Iterable[Path]) -> tuple[list[Resource], list[str]]:
    """Read files and folders, each file once.

    Returns the resources, and a message for each file, document or item that cannot be read.
    """
    resources: list[Resource] = []
    unreadable: list[str] = []
    seen: set[str] = set()
    for file in _files(paths, unreadable):
        real = str(file) if file == STDIN else os.path.realpath(file)
        if real not in seen:
            seen.add(real)
            resources += _read(file, unreadable)
    return resources, unreadable


def _files(paths: Iterable[Path], unreadable: list[str]) -> Iterator[Path]:
    """Yield the files, and those below folders by name. Links to folders are not followed."""
    for path in paths:
        if path == STDIN or not path.is_dir():
            yield path
            continue
        found, refused = _below(path)
        if not found and not refused:
            unreadable.append(f"{path}: the folder contains no YAML or JSON files")
        unreadable += refused
        yield from found


def _below(folder: Path) -> tuple[list[Path], list[str]]:
    found: list[Path] = []
    refused: list[str] = []

    def refuse(error: OSError) -> None:
        refused.append(f"{error.filename}: cannot be read: {error.strerror}")

    for holder, _, names in os.walk(folder, onerror=refuse):
        for path in (Path(holder, name) for name in names if name.endswith(SUFFIXES)):
            if path.is_file():
                found.append(path)
            elif path.is_symlink():
                refused.append(f"{path}: a link to nothing, or to itself")
            else:
                refused.append(f"{path}: not a regular file")
    return sorted(found), sorted(refused)


def _read(path: Path, refused: list[str]) -> list[Resource]:
    name = "stdin" if path == STDIN else str(path)
    try:
        text = _decoded(sys.stdin.buffer.read() if path == STDIN else path.read_bytes())
    except FileNotFoundError:
        linked = path.is_symlink()
        refused.append(f"{name}: {'a link to nothing, or to itself' if linked else 'no such file'}")
        return []
    except OSError as error:
        refused.append(f"{name}: cannot be read: {error.strerror or error}")
        return []
    except UnicodeDecodeError as error:
        shown = error.encoding.removesuffix("-sig").upper()
        refused.append(f"{name}: not {shown}: byte {error.start} cannot be decoded")
        return []
    resources: list[Resource] = []
    for document in documents(text, name, refused):
        try:
            resources += list(_resources(document, refused))
        except UnreadableError as error:
            refused.append(str(error))
        except RecursionError:
            refused.append(f"{document.file}:{document.line}: nested too deeply")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            refused.append(
                f"{document.file}:{document.line}: not a valid {_format(document.content)}: "
                f"{type(error).__name__}: {error}"
            )
    return resources


def _decoded(content: bytes) -> str:
    """Decode UTF-8, or what a byte order mark says."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding)
    return content.decode("utf-8")


def _resources(document: Document, refused: list[str]) -> Iterator[Resource]:
    content = document.content
    if stack_export.recognizes(content):
        yield from stack_export.resources(document)
    elif gke_documents.recognizes(content):
        yield from gke.resources(document)
    elif isinstance(content, dict) and isinstance(content.get("kind"), str):
        yield from manifests.resources(document, refused)
    else:
        raise UnreadableError(
            f"{document.file}:{document.line}: not a Kubernetes object (no kind), a stack export "
            f"or a GKE cluster or node pool: {_shortened(content)}"
        )


def _format(content: Any) -> str:
    if stack_export.recognizes(content):
        return "stack export"
    return "GKE document" if gke_documents.recognizes(content) else "Kubernetes object"


def _shortened(content: Any) -> str:
    try:
        text = json.dumps(content, default=str)
    except (TypeError, ValueError):  # keys that JSON does not have
        text = " ".join(str(content).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
