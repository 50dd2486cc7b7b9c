"""Reads Kubernetes manifests as resources with Pulumi's type names."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from policies import kinds
from policies.sources.documents import Document
from policies.sources.lines import Lines
from policies.subjects import Resource


def resources(document: Document, refused: list[str]) -> Iterator[Resource]:
    """Yield the object of a document, or the items of a List.

    Adds a message to `refused` for each item that is no object of a known kind.
    """
    yield from _objects(document.content, document, document.lines, refused)


def _objects(
    content: Any, document: Document, lines: Lines | None, refused: list[str]
) -> Iterator[Resource]:
    line = document.line if lines is None else lines.line()
    if (problem := _problem(content)) is not None:
        refused.append(f"{document.file}:{line}: {problem}")
        return
    kind, version, items = content["kind"], content["apiVersion"], content.get("items")
    if _is_list(version, kind) and items is None:
        return
    if kind.endswith("List") and isinstance(items, list):
        singular = {"apiVersion": version, "kind": kind.removesuffix("List")}
        for index, item in enumerate(items):
            if item is None:
                continue  # like an empty document
            # Items of a typed list, such as PodList, omit apiVersion and kind.
            whole = {**singular, **item} if isinstance(item, dict) and kind != "List" else item
            below = lines and lines.below("items", index)
            yield from _objects(whole, document, below, refused)
        return
    yield Resource(
        type_of(version, kind),
        content,
        _name(content),
        origin="manifest",
        file=document.file,
        line=line,
        lines=lines,
    )


def _problem(content: Any) -> str | None:
    if not isinstance(content, dict):
        return "an item of a list is not an object"
    for key in ("kind", "apiVersion"):
        if not isinstance(content.get(key), str):
            return f"the object has no {key}"
    version, kind = content["apiVersion"], content["kind"]
    try:
        kinds.check(version, kind)
    except kinds.UnknownKindError as error:
        return str(error)
    if _is_list(version, kind) and not isinstance(content.get("items"), list | None):
        return f"items of the {kind} is not a list"
    return None


def _is_list(version: str, kind: str) -> bool:
    """Whether a kind is a list of objects. A custom kind may be called `AllowList`."""
    group = version.rpartition("/")[0] or "core"
    return kind == "List" or (kind.endswith("List") and group in kinds.BUILT_IN)


@cache
def type_of(version: str, kind: str) -> str:
    """Return the Pulumi type of a Kubernetes kind: `kubernetes:apps/v1:Deployment`."""
    group = version if "/" in version else f"core/{version}"
    return f"kubernetes:{group}:{kind}"


def _name(content: dict[str, Any]) -> str:
    metadata = content.get("metadata")
    if not isinstance(metadata, dict):
        return "unnamed"
    name = str(metadata.get("name") or metadata.get("generateName") or "unnamed")
    namespace = metadata.get("namespace")
    return f"{namespace}/{name}" if namespace else name
