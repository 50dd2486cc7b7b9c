"""Differences between two states of a resource, as the official provider reports them.

Pure functions. Values are equal if the API treats them as equal: a resource's name and its link, 80
and "80-80", reordered lists without an order, absent and empty values. A field that the program
omits and the server sets (`Field.computed`) takes the server's value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.plugins.gcp.schema import Field
from sandbox.plugins.values import UNKNOWN, Secret

_HOST = re.compile(r"^https?://[^/]+/(?:compute/[^/]+/|container/[^/]+/|[^/]*v\d[^/]*/)?")
_PORT = re.compile(r"^\d+$")
_DURATION = re.compile(r"^(\d+)(?:\.0+)?s$")


@dataclass(frozen=True, slots=True)
class Difference:
    """One change: `path` in Pulumi's notation (a.b[0].c), `plain` without indexes."""

    path: str
    plain: str
    kind: str  # add, delete, update
    old: Any
    new: Any


def is_empty(value: Any) -> bool:
    """Whether a value is the same as its absence (a zero value)."""
    return (
        value is None
        or value in ("", 0, False, [], {})
        or (isinstance(value, Mapping) and all(is_empty(one) for one in value.values()))
    )


def same(field: Field | None, one: Any, other: Any) -> bool:  # noqa: PLR0911  # one a kind
    """Whether two values of a field are equivalent; `one` is the program's, now or earlier.

    What the server sets and `one` omits is no difference.
    """
    one, other = _bare(one), _bare(other)
    if one is UNKNOWN or other is UNKNOWN:
        return False
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        fields = field.fields if field else {}
        return all(
            _same_entry(fields.get(key), one.get(key), other.get(key)) for key in {*one, *other}
        )
    if isinstance(one, list) and isinstance(other, list):
        return _same_lists(field, one, other)
    if is_empty(one) and is_empty(other):
        return True
    if isinstance(one, str) and isinstance(other, str):
        is_place = field is not None and field.name == "location"
        return same_text(*(s.lower() for s in (one, other))) if is_place else same_text(one, other)
    if isinstance(one, bool) or isinstance(other, bool):
        return str(one).lower() == str(other).lower()
    if isinstance(one, int | float | str) and isinstance(other, int | float | str):
        return _same_numbers(one, other)
    return bool(one == other)


def _same_entry(field: Field | None, one: Any, other: Any) -> bool:
    if field and field.computed and one is None:
        return True
    return same(field, one, other)


def _same_lists(field: Field | None, one: list[Any], other: list[Any]) -> bool:
    if len(one) != len(other):
        return False
    item = _item(field)
    if not (field and field.set):
        return all(same(item, a, b) for a, b in zip(one, other, strict=True))
    left = list(other)
    for a in one:
        found = next((at for at, b in enumerate(left) if same(item, a, b)), None)
        if found is None:
            return False
        del left[found]
    return True


def _item(field: Field | None) -> Field | None:
    """The field of a list's entries."""
    return Field(field.name, field.element, fields=field.fields) if field else None


def same_text(one: str, other: str) -> bool:
    """Whether two texts are equivalent: link and name, port and range, durations."""
    if one == other:
        return True
    if _PORT.match(one) or _PORT.match(other):
        return f"{one}-{one}" == other or f"{other}-{other}" == one
    first, second = _DURATION.match(one), _DURATION.match(other)
    if first and second:
        return first.group(1) == second.group(1)
    a, b = _HOST.sub("", one), _HOST.sub("", other)
    if a == b:
        return True
    long, short = (a, b) if len(a) > len(b) else (b, a)
    return bool(short) and long.startswith("projects/") and long.endswith(f"/{short}")


def _same_numbers(one: float | str, other: float | str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def _bare(value: Any) -> Any:
    while isinstance(value, Secret):
        value = value.value
    return value


def differences(
    fields: Mapping[str, Field],
    old: Mapping[str, Any],
    state: Mapping[str, Any],
    new: Mapping[str, Any],
    *,
    path: str = "",
    plain: str = "",
) -> Iterator[Difference]:
    """The changes from the old inputs (`old`) and outputs (`state`) to the new inputs."""
    for name in sorted({*old, *new}):
        field = fields.get(name)
        if name.startswith("__") or field is None or not field.is_input:
            continue
        before, there, wanted = (_bare(one.get(name)) for one in (old, state, new))
        here, spelled = f"{path}{name}", f"{plain}{name}"
        if wanted is None:
            if field.computed or is_empty(before) or same(field, before, field.default):
                continue
            if field.kind != "obj" or not field.fields:
                yield Difference(here, spelled, "delete", before, None)
                continue
        if wanted is not None and (same(field, wanted, before) or same(field, wanted, there)):
            continue
        if before is there is None and wanted is not UNKNOWN and same(field, wanted, field.default):
            continue  # the provider's own default, which the server does not return
        yield from _within(field, (before, there, wanted), here, spelled)


def _within(
    field: Field, values: tuple[Any, Any, Any], path: str, plain: str
) -> Iterator[Difference]:
    before, there, wanted = values
    old = before if before is not None else there
    if field.kind == "obj" and isinstance(wanted, Mapping | None):
        found = list(
            differences(
                field.fields,
                old if isinstance(old, Mapping) else {},
                there if isinstance(there, Mapping) else {},
                wanted or {},
                path=f"{path}.",
                plain=f"{plain}.",
            )
        )
        if found or wanted == old:
            yield from found
            return
        if wanted and old is not None:
            return  # only fields set by the server differ
    if _entry_by_entry(field, old, wanted):
        for at, (was, is_now) in enumerate(zip(old, wanted, strict=True)):
            seen = there[at] if isinstance(there, list) and len(there) > at else None
            if same(_item(field), was, is_now):
                continue
            yield from differences(
                field.fields,
                was,
                seen if isinstance(seen, Mapping) else {},
                is_now,
                path=f"{path}[{at}].",
                plain=f"{plain}.",
            )
        return
    kind = "add" if old is None else "delete" if wanted is None else "update"
    yield Difference(path, plain, kind, old, wanted)


def _entry_by_entry(field: Field, old: Any, wanted: Any) -> bool:
    return (
        field.kind == "list"
        and field.element == "obj"
        and isinstance(old, list)
        and isinstance(wanted, list)
        and len(old) == len(wanted)
        and all(isinstance(one, Mapping) for one in (*old, *wanted))
    )


def refreshed(
    fields: Mapping[str, Field],
    inputs: Mapping[str, Any],
    before: Mapping[str, Any],
    live: Mapping[str, Any],
) -> dict[str, Any]:
    """The inputs that match the current resource.

    Unchanged inputs keep the program's spelling. Drift is shown: as the current value, or, for a
    field that the program omits and the server does not set, as the value that has appeared since
    `before`.
    """
    result: dict[str, Any] = {}
    for name, value in inputs.items():
        field = fields.get(name)
        if field is None or not field.is_remote or name.startswith("__"):
            result[name] = value
            continue
        kept = _refreshed_value(field, value, before.get(name), live.get(name))
        if kept is not None:
            result[name] = kept
    for name, field in fields.items():
        if name in inputs or not _shows_drift(field):
            continue
        seen = live.get(name)
        if not is_empty(seen) and not same(field, seen, before.get(name)):
            result[name] = seen
    return result


def _shows_drift(field: Field) -> bool:
    return field.is_input and field.is_remote and not field.computed


def _refreshed_value(field: Field, value: Any, before: Any, live: Any) -> Any:
    plain = _bare(value)
    if same(field, plain, live) or (before is not None and same(field, before, live)):
        return value
    if live is None:
        # Write-only, or removed since.
        return value if before is None or same(field, plain, before) is False else None
    if field.kind == "obj" and isinstance(plain, Mapping) and isinstance(live, Mapping):
        earlier = before if isinstance(before, Mapping) else {}
        return refreshed(field.fields, plain, earlier, live)
    return Secret(live) if isinstance(value, Secret) else live
