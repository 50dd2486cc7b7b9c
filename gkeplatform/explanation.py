"""Error messages for values of the stack file that do not match their type.

Translates msgspec's errors: the path becomes a key of the stack file, and the value, the nearest
valid name or the choices, and the key's description are added.
"""

import copy
import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import inspect

from gkeplatform import foreign_keys

REFERENCE = "stacks/README.md"

_LOCATED = re.compile(
    r"^(?P<problem>.*?)(?: - at (?P<of_key>`key` in )?`\$(?P<path>.*)`)?$", re.DOTALL
)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
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


@dataclass(frozen=True, slots=True)
class Place:
    """A key of a configuration with its type, value and description."""

    key: str
    info: inspect.Type | None
    value: Any
    description: str = ""


def explain(
    error: str, model: type[msgspec.Struct], value: Any, *, namespace: str, hidden: set[str]
) -> str:
    """The message for msgspec's `error` about `value`; values of `hidden` keys are not shown."""
    match = _LOCATED.match(error)
    problem, path = (match["problem"], match["path"] or "") if match else (error, "")
    place = _place(path, model, value)
    if match and match["of_key"]:
        # The key itself is invalid, not its value.
        named = _place(f"{path}[...]", model, value).key.removeprefix(f"{place.key}.")
        place = Place(place.key, _key_type(place.info), named, place.description)
    where = f"{namespace}{place.key.replace('.', ':', 1)}"
    if not path and (key := _KEYED.match(problem)):
        # The message of a check across keys begins with the key at fault.
        where, problem = f"{namespace}:{key[1]}", key[2]
    is_hidden = any(path.startswith(f".{key}") for key in hidden)
    shown = "a secret value" if is_hidden else _shown(place.value)
    reason = _reason(problem, place, shown)
    description = place.description
    if missing := _MISSING.match(problem):
        description = _description_of(place.info, missing[1])
    hint = description or f"every key is described in {REFERENCE}"
    return f"{where}: {reason}\nhint: {hint}"


def _place(path: str, model: type[msgspec.Struct], value: Any) -> Place:
    """The place of msgspec's `path`."""
    place = Place("", inspect.type_info(model), value)
    taken: list[str | int] = []
    for name, index in _STEP.findall(path):
        if index == "...":
            step: str | int = _failing_key(model, value, taken, place.value)
            key = f".{step}"
        else:
            step = int(index) if index else name
            key = f"[{index}]" if index else f".{name}"
        info, description = _step_into(place.info, step, place.value)
        taken.append(step)
        place = Place(place.key + key, info, _item(place.value, step), description)
    return place


def _failing_key(
    model: type[msgspec.Struct], value: Any, path: list[str | int], mapping: Any
) -> str:
    """The invalid key of the mapping at `path`. msgspec does not name it, so each is tried."""
    for key in mapping:
        trial = copy.deepcopy(value)
        place = trial
        for step in path:
            place = place[step]
        for other in set(mapping) - {key}:
            del place[other]
        try:
            msgspec.convert(trial, model)
        except msgspec.ValidationError:
            return str(key)
    return "..."


def suggestion(word: str, known: Iterable[str], *, cutoff: float = 0.5) -> str:
    """`did you mean "x"? known here: ...`: the nearest of `known`, then all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=cutoff)
    meant = f'did you mean "{near[0]}"? ' if near else ""
    return f"{meant}known here: {', '.join(names) or 'none'}"


def _unknown_key(word: str, place: Place) -> str:
    known = [field.encode_name for field in _fields(place.info, place.value)]
    if same := [one for one in known if foreign_keys.plain(one) == foreign_keys.plain(word)]:
        return f'unknown key "{word}"; did you mean "{same[0]}"?'
    # A slip of the pen comes first: `path` of an exposure is `paths`.
    is_typo = bool(difflib.get_close_matches(word, known, n=1, cutoff=0.85))
    remedy = None if is_typo else _of_other_kind(word, place)
    remedy = remedy or (None if is_typo else foreign_keys.remedy(word, place.key))
    return f'unknown key "{word}"; {remedy or suggestion(word, known, cutoff=0.6)}'


def _of_other_kind(word: str, place: Place) -> str | None:
    """For a mapping of several kinds: which of the others have the key; None if none has."""
    structs = [one for one in _alternatives(place.info) if isinstance(one, inspect.StructType)]
    tagged = next((one.tag_field for one in structs if one.tag_field), None)
    if tagged is None or not isinstance(place.value, Mapping):
        return None
    names = {field.encode_name for struct in structs for field in struct.fields}
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.85)
    kinds = sorted(
        str(struct.tag)
        for struct in structs
        if near and any(field.encode_name == near[0] for field in struct.fields)
    )
    if not kinds:
        return None
    return f"{near[0]} is a key of {' and '.join(kinds)}, not of {place.value.get(tagged)}"


def _reason(problem: str, place: Place, shown: str) -> str:
    info, found = place.info, place.value
    if unknown := _UNKNOWN.match(problem):
        return _unknown_key(unknown[1], place)
    if missing := _MISSING.match(problem):
        return f'the key "{missing[1]}" is missing'
    if _CHOICE.match(problem):
        return f"{shown} is not allowed; {suggestion(str(found), _choices(info))}"
    if matching := _MATCHING.match(problem):
        pattern = matching["pattern"].replace("\\\\", "\\")
        return _explained(info, found) or f"expected text of the form {pattern}, got {shown}"
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


def _key_type(info: inspect.Type | None) -> inspect.Type | None:
    """The type of a mapping's keys."""
    for one in _alternatives(info):
        if isinstance(one, inspect.DictType):
            return one.key_type
    return info


def _item(value: object, step: str | int) -> object:
    try:
        return value[step]  # type: ignore[index]  # plain JSON; a wrong shape ends below
    except (KeyError, IndexError, TypeError):
        return None


def _alternatives(info: inspect.Type | None) -> list[inspect.Type]:
    """The types a value may have, without wrappers for descriptions."""
    if isinstance(info, inspect.Metadata):
        return _alternatives(info.type)
    if isinstance(info, inspect.UnionType):
        return [one for member in info.types for one in _alternatives(member)]
    return [] if info is None else [info]


def _fields(info: inspect.Type | None, value: object = None) -> list[inspect.Field]:
    """The fields of the Struct for `value`; in a tagged union, of the one with its tag."""
    structs = [one for one in _alternatives(info) if isinstance(one, inspect.StructType)]
    if len(structs) > 1 and isinstance(value, Mapping):
        structs = [s for s in structs if s.tag == value.get(s.tag_field or "")] or structs
    return [field for struct in structs for field in struct.fields]


def _explained(info: inspect.Type | None, found: object) -> str | None:
    """What a type's own function says about a value that does not match its pattern.

    The function is `explain` in the `extra` of the type's `Meta`; None: nothing to add.
    """
    if isinstance(info, inspect.UnionType):
        said = (_explained(member, found) for member in info.types)
        return next((one for one in said if one), None)
    if isinstance(info, inspect.Metadata):
        explain_value = (info.extra or {}).get("explain")
        return (explain_value(found) if explain_value else None) or _explained(info.type, found)
    return None


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
    for one in _alternatives(info):
        if isinstance(one, inspect.DictType):
            return one.value_type, _described(one.value_type)
    for field in _fields(info, value):
        if field.encode_name == step:
            return field.type, _described(field.type)
    return None, ""
