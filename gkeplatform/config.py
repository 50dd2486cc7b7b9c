"""Typed configuration: a layer's keys of the stack file become one frozen Struct, or one message.

The Structs say what is allowed (types, ranges, patterns, descriptions); from them come the errors
here, the JSON Schema and the reference page. Nothing in this module talks to Pulumi or reads a
file: it is given the values as the engine hands them over, every top-level value a string.
"""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from gkeplatform.errors import PlatformError
from gkeplatform.struct import Frozen


class Settings(Frozen, forbid_unknown_fields=True):
    """The base of everything that is read from a stack file: frozen, and strict about its keys."""


SettingsT = TypeVar("SettingsT", bound=Settings)

REFERENCE = "stacks/README.md"

_LOCATED = re.compile(r"^(?P<problem>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_UNKNOWN = re.compile(r"^Object contains unknown field `(.*)`$")
_MISSING = re.compile(r"^Object missing required field `(.*)`$")
_CHOICE = re.compile(r"^Invalid (?:enum )?value ")
_EXPECTED = re.compile(r"^Expected `(?P<type>[^`]*)`(?P<bound>[^,]*)(?:, got .*)?$", re.DOTALL)
_MATCHING = re.compile(r"^Expected `str` matching regex '(?P<pattern>.*)'$", re.DOTALL)

_KEYED = re.compile(r"^([a-z_]+[a-z0-9_.\[\]]*): (.*)$", re.DOTALL)

_WORDS = {
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}


def load(
    model: type[SettingsT],
    *,
    namespace: str,
    values: Mapping[str, str],
    file: str,
    secret: Iterable[str] = (),
) -> SettingsT:
    """The keys of `namespace` in `values` as a `model`; `PlatformError` names the key if not.

    `values` maps `namespace:key` to the string the engine gives: plain text, or JSON where the
    stack file holds a list, a mapping, a number or a boolean.
    """
    prefix = f"{namespace}:"
    given = {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}
    hidden = {k.removeprefix(prefix) for k in secret if k.startswith(prefix)}
    types = {field.encode_name: field.type for field in _fields(inspect.type_info(model))}
    decoded = {key: _decoded(value, types.get(key)) for key, value in given.items()}
    try:
        return msgspec.convert(decoded, model)
    except msgspec.ValidationError as error:
        message = _explain(str(error), model, decoded, namespace=namespace, hidden=hidden)
        raise PlatformError(f"{file}: {message}") from None


def suggestion(word: str, known: Iterable[str]) -> str:
    """` (did you mean "x"? ...)`: the nearest of `known`, and all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    meant = f'did you mean "{near[0]}"? ' if near else ""
    return f"{meant}known here: {', '.join(names) or 'none'}"


def _decoded(text: str, expected: inspect.Type | None) -> object:
    """A top-level value: text stays text where text is wanted, all else is JSON."""
    if isinstance(expected, inspect.StrType) or not isinstance(text, str):
        return text
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _explain(
    error: str, model: type[Settings], value: object, *, namespace: str, hidden: set[str]
) -> str:
    match = _LOCATED.match(error)
    problem, path = (match["problem"], match["path"] or "") if match else (error, "")
    steps: list[str | int] = [
        int(index) if index else key for key, index in _STEP.findall(path) if key != "..."
    ]
    is_hidden = bool(steps) and steps[0] in hidden
    found: Any = value
    info: inspect.Type | None = inspect.type_info(model)
    description = ""
    for step in steps:
        info, description = _step_into(info, step, found)
        found = _item(found, step)
    where = f"{namespace}{path.replace('.', ':', 1)}" if path else namespace
    if not path and (key := _KEYED.match(problem)):
        # A check across keys names the key at fault itself.
        where, problem = f"{namespace}:{key[1]}", key[2]
    shown = "a secret value" if is_hidden else _shown(found)
    said = _say(problem, info, shown, found)
    if missing := _MISSING.match(problem):
        description = _description_of(info, missing[1])
    hint = description or f"every key is described in {REFERENCE}"
    return f"{where}: {said}\nhint: {hint}"


def _say(problem: str, info: inspect.Type | None, shown: str, found: object) -> str:
    if unknown := _UNKNOWN.match(problem):
        known = [field.encode_name for field in _fields(info, found)]
        return f'unknown key "{unknown[1]}"; {suggestion(unknown[1], known)}'
    if missing := _MISSING.match(problem):
        return f'the key "{missing[1]}" is missing'
    if _CHOICE.match(problem):
        return f"{shown} is not allowed; {suggestion(str(found), _choices(info))}"
    if matching := _MATCHING.match(problem):
        pattern = matching["pattern"].replace("\\\\", "\\")
        return f"expected text of the form {pattern}, got {shown}"
    if expected := _EXPECTED.match(problem):
        kinds = " or ".join(_WORDS.get(k, k) for k in expected["type"].split(" | "))
        bound = expected["bound"].replace(" of length >=", " with a length of at least")
        bound = bound.replace(" of length <=", " with a length of at most")
        bound = bound.replace(" >=", " of at least").replace(" <=", " of at most")
        return f"expected {kinds}{bound}, got {shown}"
    return problem


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _item(value: object, step: str | int) -> object:
    try:
        return value[step]  # type: ignore[index]  # plain JSON; a wrong shape ends below
    except (KeyError, IndexError, TypeError):
        return None


def _alternatives(info: inspect.Type | None) -> list[inspect.Type]:
    """The types a value may have, without the wrappers that carry descriptions."""
    if isinstance(info, inspect.Metadata):
        return _alternatives(info.type)
    if isinstance(info, inspect.UnionType):
        return [one for member in info.types for one in _alternatives(member)]
    return [] if info is None else [info]


def _fields(info: inspect.Type | None, value: object = None) -> list[inspect.Field]:
    """The fields of the Struct that `value` should be; of a tagged union, of the tagged one."""
    structs = [one for one in _alternatives(info) if isinstance(one, inspect.StructType)]
    if len(structs) > 1 and isinstance(value, Mapping):
        structs = [s for s in structs if s.tag == value.get(s.tag_field or "")] or structs
    return [field for struct in structs for field in struct.fields]


def _choices(info: inspect.Type | None) -> list[str]:
    result: list[str] = []
    for one in _alternatives(info):
        if isinstance(one, inspect.LiteralType):
            result += [str(value) for value in one.values]
        elif isinstance(one, inspect.EnumType):
            result += [str(member.value) for member in one.cls]
    return result


def _described(info: inspect.Type) -> str:
    if isinstance(info, inspect.Metadata):
        return str((info.extra_json_schema or {}).get("description", "")) or _described(info.type)
    return ""


def _description_of(info: inspect.Type | None, field_name: str) -> str:
    return next((_described(f.type) for f in _fields(info) if f.encode_name == field_name), "")


def _step_into(
    info: inspect.Type | None, step: str | int, value: object
) -> tuple[inspect.Type | None, str]:
    """The type below `info` at `step`, and its description."""
    if isinstance(step, int):
        for one in _alternatives(info):
            item = getattr(one, "item_type", None)
            if item is not None:
                return item, _described(item)
        return None, ""
    structs = [one for one in _alternatives(info) if isinstance(one, inspect.StructType)]
    for struct in structs:
        if step == struct.tag_field:
            tags = tuple(s.tag for s in structs if isinstance(s.tag, str))
            return inspect.LiteralType(tags), ""
    for field in _fields(info, value):
        if field.encode_name == step:
            return field.type, _described(field.type)
    return None, ""
