"""Writes `documents/`: the parts of Google's discovery documents that the emulator uses.

The source is google-api-python-client, which ships all of them. Descriptions are removed, the
revision is kept. Run `python -m sandbox.gcp.documents_update` after an upgrade of that package; a
test finds stale files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.services import SERVICES

FOLDER = Path(__file__).parent / "documents"

_SCHEMA_KEYS = frozenset(
    [
        "type",
        "$ref",
        "format",
        "items",
        "properties",
        "additionalProperties",
        "enum",
        "readOnly",
        "pattern",
        "default",
        "minimum",
        "maximum",
        "required",
        "annotations",
    ]
)
_METHOD_KEYS = frozenset(
    [
        "id",
        "path",
        "flatPath",
        "httpMethod",
        "parameters",
        "request",
        "response",
        "supportsMediaUpload",
        "mediaUpload",
    ]
)
_PARAMETER_KEYS = frozenset(
    ["location", "pattern", "required", "type", "enum", "repeated", "format"]
)


def render() -> dict[Path, str]:
    """The files and their contents. Needs google-api-python-client, a development dependency."""
    from googleapiclient import discovery_cache  # noqa: PLC0415 (only this script needs it)

    source = Path(discovery_cache.__file__).parent / "documents"
    return {
        FOLDER / f"{name}.json": _compact(
            _stripped(json.loads(source.joinpath(f"{name}.json").read_text()), keep)
        )
        for name, keep in _wanted().items()
    }


def _wanted() -> dict[str, frozenset[str]]:
    """Document → the top-level resources of it that are kept; an empty set keeps all."""
    return {
        f"{service.name}.{version}": keep
        for service in SERVICES
        for version, keep in service.documents.items()
    }


def _compact(document: dict[str, Any]) -> str:
    # One line per schema and resource, for readable diffs.
    def lines(part: dict[str, Any]) -> str:
        rows = (f"{json.dumps(k)}:{json.dumps(v, separators=(',', ':'))}" for k, v in part.items())
        return "{\n" + ",\n".join(rows) + "\n}"

    head = {k: v for k, v in document.items() if k not in {"resources", "schemas"}}
    return (
        json.dumps(head, separators=(",", ":"))[:-1]
        + ',\n"resources":' + lines(document["resources"])
        + ',\n"schemas":' + lines(document["schemas"]) + "}\n"
    )  # fmt: skip


def _stripped(document: dict[str, Any], keep: frozenset[str]) -> dict[str, Any]:
    resources = {
        name: _resource(resource)
        for name, resource in sorted(document["resources"].items())
        if not keep or name in keep
    }
    schemas = document["schemas"]
    wanted: dict[str, Any] = {}
    queue = list(_references(resources))
    while queue:
        name = queue.pop()
        if name not in wanted:
            wanted[name] = _schema(schemas[name])
            queue.extend(_references(wanted[name]))
    head = {k: document[k] for k in ("id", "name", "version", "revision", "rootUrl", "servicePath")}
    return {**head, "resources": resources, "schemas": dict(sorted(wanted.items()))}


def _resource(resource: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    if "methods" in resource:
        kept["methods"] = {k: _method(v) for k, v in sorted(resource["methods"].items())}
    if "resources" in resource:
        kept["resources"] = {k: _resource(v) for k, v in sorted(resource["resources"].items())}
    return kept


def _method(method: dict[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in method.items() if k in _METHOD_KEYS}
    kept["parameters"] = {
        name: {k: v for k, v in parameter.items() if k in _PARAMETER_KEYS}
        for name, parameter in method.get("parameters", {}).items()
    }
    return kept


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in schema.items() if k in _SCHEMA_KEYS}
    if "properties" in kept:
        kept["properties"] = {k: _schema(v) for k, v in kept["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in kept:
            kept[key] = _schema(kept[key])
    return kept


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for path, text in render().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
