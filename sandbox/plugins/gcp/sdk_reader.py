"""Generates `schema.json` from the SDK and Google's discovery documents; prints it.

From the SDK (`pulumi_gcp`, too slow to import in a plugin): names, types, required inputs, outputs
that are always set, defaults, allowed values, secret outputs. From the discovery documents: the
API's names. Names match if they differ only in case and plural; `Spec.names` has the others.
`schema_update` runs this in a process of its own, because a plugin imports only parts of the SDK.
"""

from __future__ import annotations

import collections.abc
import importlib
import inspect
import json
import re
import typing
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import googleapiclient
import pulumi

from sandbox.plugins.gcp.registry import specs
from sandbox.plugins.gcp.spec import Spec

DOCUMENTS = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
PRIMITIVES = {"str", "int", "float", "bool"}


def content() -> str:
    """The whole of `schema.json`."""
    lines = [
        f"{json.dumps(spec.type)}: {_lines(_describe(spec))}"
        for spec in sorted(specs(), key=lambda one: one.type)
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _lines(described: Mapping[str, Any]) -> str:
    """One line per top-level field, for small files and readable diffs."""
    fields = ",\n".join(
        f"  {json.dumps(name)}: {_compact(field)}" for name, field in described["fields"].items()
    )
    return f'{{"secrets": {_compact(described["secrets"])}, "fields": {{\n{fields}\n}}}}'


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _describe(spec: Spec) -> dict[str, Any]:
    module_name, class_name = _location(spec.type)
    package = importlib.import_module(f"pulumi_gcp.{module_name.partition('.')[0]}")
    module = importlib.import_module(f"pulumi_gcp.{module_name}")
    resource = getattr(module, class_name)
    # If another type's block has the name, the SDK uses InitArgs.
    given = getattr(module, f"{class_name}Args", None) or getattr(module, f"{class_name}InitArgs")
    arguments = _properties(given)
    outputs = _properties(resource)
    types = (package._inputs, package.outputs)
    service, version, schema = spec.schema.split(".")
    document = _document(f"{service}.{version}")
    fields = _fields(spec, arguments, outputs, types, document, document["schemas"].get(schema, {}))
    source = inspect.getsource(resource)
    found = re.search(r"additional_secret_outputs=\[([^\]]*)\]", source)
    secrets = sorted(re.findall(r'"([^"]+)"', found.group(1))) if found else []
    return {"secrets": secrets, "fields": fields}


def _location(token: str) -> tuple[str, str]:
    """gcp:compute/uRLMap:URLMap -> compute.url_map, URLMap."""
    _, path, class_name = token.split(":")
    service = path.partition("/")[0]
    package = importlib.import_module(f"pulumi_gcp.{service}")
    return inspect.getmodule(getattr(package, class_name)).__name__.removeprefix(  # type: ignore[union-attr]  # a class of the SDK has a module
        "pulumi_gcp."
    ), class_name


@cache
def _document(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DOCUMENTS / f"{name}.json").read_bytes())
    return loaded


def _properties(class_: type) -> dict[str, tuple[Any, str]]:
    """Pulumi name -> (annotation, documentation)."""
    found = {}
    for name, value in vars(class_).items():
        if isinstance(value, property) and value.fget is not None:
            pulumi_name = value.fget.__dict__.get("_pulumi_name", name)
            annotation = value.fget.__annotations__["return"]
            found[pulumi_name] = (annotation, inspect.getdoc(value.fget) or "")
    return found


def _unwrap(annotation: Any) -> tuple[str, Any, bool]:  # noqa: PLR0911  # one a kind
    """(kind, what a list or block holds, may be absent) of an annotation of the SDK."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Union:
        optional = type(None) in arguments
        kind, inner, inner_optional = _unwrap(next(a for a in arguments if _is_plain(a)))
        return kind, inner, inner_optional or optional
    if origin is pulumi.Output:
        return _unwrap(arguments[0])
    if isinstance(annotation, typing.ForwardRef):
        return "obj", annotation.__forward_arg__.removeprefix("outputs."), False
    if isinstance(annotation, str):
        return "obj", annotation.removeprefix("outputs."), False
    if origin in (collections.abc.Sequence, list):
        return "list", arguments[0], False
    if origin in (collections.abc.Mapping, dict):
        return "map", arguments[1], False
    name = getattr(annotation, "__name__", "")
    return (name if name in PRIMITIVES else "asset" if "Asset" in name else "any"), None, False


def _is_plain(argument: Any) -> bool:
    if argument is type(None) or typing.get_origin(argument) in (
        collections.abc.Awaitable,
        pulumi.Output,
    ):
        return False
    return not (
        isinstance(argument, typing.ForwardRef) and argument.__forward_arg__.startswith("Output[")
    )


def _fields(  # noqa: PLR0917  # the state of one walk down two trees at once
    spec: Spec,
    arguments: Mapping[str, tuple[Any, str]],
    outputs: Mapping[str, tuple[Any, str]],
    types: tuple[Any, Any],
    document: Mapping[str, Any],
    schema: Mapping[str, Any],
    prefix: str = "",
) -> dict[str, Any]:
    result = {}
    for name in sorted({*arguments, *outputs}):
        path = f"{prefix}{name}"
        annotation, text = arguments.get(name) or outputs[name]
        kind, inner, optional = _unwrap(annotation)
        field: dict[str, Any] = {"t": kind}
        if name in arguments:
            field["r" if not optional else "i"] = 1
            field |= _limits(kind, text)
            if not prefix and optional and name in outputs and not _unwrap(outputs[name][0])[2]:
                field["c"] = 1
        elif not prefix and not optional:
            field["c"] = 1
        api, api_schema = _pair(spec, path, name, document, schema)
        if api != name:
            field["n"] = api
        block = inner
        if kind == "list":
            element, block, _ = _unwrap(inner)
            field["e"] = element
            if api_schema.get("type") == "object":
                field["u"] = 1
            else:
                api_schema = _resolve(document, api_schema.get("items", {}))
        elif api_schema.get("type") == "array":
            field["w"] = 1
            api_schema = _resolve(document, api_schema.get("items", {}))
        elif kind in ("int", "float") and api_schema.get("type") == "string":
            field["x"] = 1
        if kind == "obj" or field.get("e") == "obj":
            field["f"] = _block(spec, block, name in outputs, types, document, api_schema, path)
        result[name] = field
    return result


def _block(  # noqa: PLR0917  # the state of one walk down two trees at once
    spec: Spec,
    block: str,
    has_output: bool,
    types: tuple[Any, Any],
    document: Mapping[str, Any],
    schema: Mapping[str, Any],
    path: str,
) -> dict[str, Any]:
    inputs, outputs = types
    plain = block.removesuffix("Args")
    arguments = getattr(inputs, f"{plain}Args", None)
    output = getattr(outputs, plain, None) if has_output else None
    return _fields(
        spec,
        _properties(arguments) if arguments else {},
        _properties(output) if output else {},
        types,
        document,
        schema,
        f"{path}.",
    )


def _resolve(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = document["schemas"][schema["$ref"]]
    return schema


def _pair(
    spec: Spec, path: str, name: str, document: Mapping[str, Any], schema: Mapping[str, Any]
) -> tuple[str, Mapping[str, Any]]:
    """The API's path of a field within its block, and its schema; "" if it has none."""
    properties = schema.get("properties", {})
    stated = spec.names.get(path)
    if path in spec.local:
        return "", {}
    if stated is None:
        stated = next(
            (known for form in _forms(name) for known in properties if known.lower() == form), ""
        )
    found: Mapping[str, Any] = schema
    for part in filter(None, stated.split(".")):
        if part not in found.get("properties", {}):
            raise ValueError(f"{spec.type}: {path}: {spec.schema} has no {stated}")
        found = _resolve(document, found["properties"][part])
    return stated, found if stated else {}


def _forms(name: str) -> Iterable[str]:
    lower = name.lower()
    yield lower
    yield f"{lower}s"
    if lower.endswith("ies"):
        yield f"{lower[:-3]}y"
    if lower.endswith("es"):
        yield lower[:-2]
    if lower.endswith("s"):
        yield lower[:-1]


def _limits(kind: str, text: str) -> dict[str, Any]:
    """Default and allowed values, if the documentation has them in its fixed wording."""
    limits: dict[str, Any] = {}
    flat = " ".join(text.split())
    default = re.search(r"Default value is `([^`]*)`", flat)
    if default:
        value = _literal(kind, default.group(1))
        if value:
            limits["d"] = value
    allowed = re.search(r"Possible values are: ((?:`[^`]*`(?:, )?)+)", flat)
    if allowed and kind == "str":
        limits["v"] = re.findall(r"`([^`]*)`", allowed.group(1))
    return limits


def _literal(kind: str, text: str) -> Any:
    if kind == "bool":
        return text == "true"
    if kind in ("int", "float"):
        return json.loads(text)
    return text if kind == "str" else None


if __name__ == "__main__":
    print(content(), end="")
