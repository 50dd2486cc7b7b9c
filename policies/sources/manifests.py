"""Reads Kubernetes manifests as resources with Pulumi's type names."""

from collections.abc import Iterator
from typing import Any

from policies import kinds
from policies.sources.documents import Document, UnreadableError
from policies.subjects import Resource


def resources(document: Document) -> Iterator[Resource]:
    """Yield the object of a document, or the items of a List."""
    yield from _objects(document.content, document)


def _objects(content: Any, document: Document) -> Iterator[Resource]:
    if not isinstance(content, dict):
        raise UnreadableError(
            f"{document.file}:{document.line}: an item of a list is not an object"
        )
    kind, version = content.get("kind"), content.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(version, str):
        missing = "kind" if not isinstance(kind, str) else "apiVersion"
        raise UnreadableError(f"{document.file}:{document.line}: the object has no {missing}")
    try:
        kinds.check(version, kind)
    except kinds.UnknownKindError as error:
        raise UnreadableError(f"{document.file}:{document.line}: {error}") from None
    items = content.get("items")
    if kind.endswith("List") and isinstance(items, list):
        singular = {"apiVersion": version, "kind": kind.removesuffix("List")}
        for item in items:
            if item is None:
                continue  # like an empty document
            # Items of a typed list, such as PodList, omit apiVersion and kind.
            whole = {**singular, **item} if isinstance(item, dict) and kind != "List" else item
            yield from _objects(whole, document)
        return
    yield Resource(
        type_of(version, kind),
        content,
        _name(content),
        origin="manifest",
        file=document.file,
        line=document.line,
    )


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
