"""Google's discovery documents as methods and schemas, and a trie that finds a request's method."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

_FOLDER = Path(__file__).parent / "documents"
Json = dict[str, Any]
_ANYTHING = "^.*$"
_ONE, _MANY = "", "+"
"""Keys of parameters in the trie: no literal segment equals either."""
_Node = dict[str | None, Any]
_Leaf = dict[str, tuple["Method", list[str]]]
"""HTTP verb → method, and the names of its path parameters in order."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method of one version of one service."""

    id: str
    """For example `compute.urlMaps.insert`; the same in every version of the service."""
    service: str
    version: str
    verb: str
    path: str
    """The full path below the service's host, such as `compute/v1/projects/{project}/…`."""
    parameters: Mapping[str, Json]
    request: str | None
    response: str | None
    takes_upload: bool
    """Whether a request's body may be media."""
    document: Document = field(repr=False, compare=False)

    @property
    def collection(self) -> str:
        """The id without service and verb, such as `urlMaps` or `projects.locations.clusters`."""
        return self.id.split(".", 1)[1].rpartition(".")[0]

    @property
    def name(self) -> str:
        """The id's last part, such as `insert`."""
        return self.id.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Document:
    """One version of one service."""

    name: str
    version: str
    revision: str
    schemas: Mapping[str, Json]
    methods: tuple[Method, ...]


@cache
def documents() -> tuple[Document, ...]:
    """All documents in `documents/`."""
    return tuple(_load(path) for path in sorted(_FOLDER.glob("*.json")))


def document(name: str, version: str) -> Document:
    """One document. Raises KeyError."""
    for candidate in documents():
        if (candidate.name, candidate.version) == (name, version):
            return candidate
    raise KeyError(f"{name} {version}")


def _load(path: Path) -> Document:
    raw = msgspec.json.decode(path.read_bytes())
    methods: list[Method] = []
    loaded = Document(raw["name"], raw["version"], raw["revision"], raw["schemas"], ())
    for method in _methods(raw["resources"]):
        methods.append(
            Method(
                id=method["id"],
                service=raw["name"],
                version=raw["version"],
                verb=method["httpMethod"],
                path=raw["servicePath"] + _path(method),
                parameters=method["parameters"],
                request=(method.get("request") or {}).get("$ref"),
                response=(method.get("response") or {}).get("$ref"),
                takes_upload=bool(method.get("supportsMediaUpload")),
                document=loaded,
            )
        )
    object.__setattr__(loaded, "methods", tuple(methods))
    return loaded


def _path(method: Json) -> str:
    """The path, with `{name}` for one segment and `{+name}` for one or more."""
    template: str = method["path"]
    if any(
        found.get("pattern") == _ANYTHING and f"{{+{name}}}" in template
        for name, found in method["parameters"].items()
    ):
        return template
    return str(method.get("flatPath", template))


def _methods(resources: Json) -> Iterator[Json]:
    for resource in resources.values():
        yield from resource.get("methods", {}).values()
        yield from _methods(resource.get("resources", {}))


class Trie:
    """Finds the method that a verb and a path belong to; literal segments win over parameters."""

    def __init__(self, methods: Iterable[Method]) -> None:
        self._root: _Node = {}
        for method in methods:
            node = self._root
            segments = _split_verb(method.path.strip("/").split("/"))
            for segment in segments:
                node = node.setdefault(_kind(segment), {})
            names = [one[1:-1].lstrip("+") for one in segments if one.startswith("{")]
            node.setdefault(None, {}).setdefault(method.verb, (method, names))

    def find(
        self, verb: str, segments: Sequence[str]
    ) -> tuple[Method | None, dict[str, str], bool]:
        """The method, its path parameters, and whether the path is known with another verb."""
        known = False
        for leaf, values in _walk(self._root, _split_verb(segments), 0, ()):
            known = True
            if verb in leaf:
                method, names = leaf[verb]
                return method, dict(zip(names, values, strict=True)), True
        return None, {}, known


def _kind(segment: str) -> str:
    if not segment.startswith("{"):
        return segment
    return _MANY if segment.startswith("{+") else _ONE


def _walk(
    node: _Node, segments: Sequence[str], index: int, values: tuple[str, ...]
) -> Iterator[tuple[_Leaf, tuple[str, ...]]]:
    if index == len(segments):
        if None in node:
            yield node[None], values
        return
    segment = segments[index]
    if segment in node:
        yield from _walk(node[segment], segments, index + 1, values)
    if _ONE in node and not segment.startswith(":"):
        yield from _walk(node[_ONE], segments, index + 1, (*values, segment))
    for end in range(index + 1, len(segments) + 1) if _MANY in node else ():
        whole = "/".join(segments[index:end])
        yield from _walk(node[_MANY], segments, end, (*values, whole))


def _split_verb(segments: Sequence[str]) -> Sequence[str]:
    """The segments, with a custom verb (`projects/p:getIamPolicy`) as a segment of its own."""
    last, colon, verb = segments[-1].rpartition(":")
    # A custom verb is a word: `domain.com:project` and IPv6 addresses are names.
    if colon and last and verb.isalpha():
        return (*segments[:-1], last, f":{verb}")
    return segments
