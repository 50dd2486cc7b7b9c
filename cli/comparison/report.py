"""Differences as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from cli.comparison.declaration import SECRET
from cli.comparison.differences import ABSENT, Difference, shown

_WIDEST = 60


def document(one: Difference) -> dict[str, Any]:
    """A difference as JSON has it: a value that is not there has no key."""
    content: dict[str, Any] = {"path": one.key, "must_differ": one.must}
    if one.reason:
        content["reason"] = one.reason
    if one.path != one.target_path:
        content["target_path"] = shown(one.target_path)
    for name, value in (("source", one.source), ("target", one.target)):
        if value is not ABSENT:
            content[name] = {"secret": True} if value == SECRET else value
    return content


def text(found: Sequence[Difference], source: str, target: str) -> str:
    """Differences for a reader: those that merely differ first."""
    if not found:
        return f"{source} and {target} mean the same"
    shown_lines: list[str] = []
    for title, is_must in (("differs", False), ("must differ", True)):
        part = [one for one in found if one.must is is_must]
        if part:
            shown_lines += [f"{title} ({source} | {target})", *lines(part), ""]
    return "\n".join(shown_lines).rstrip()


def lines(found: Iterable[Difference]) -> list[str]:
    """A line for each difference."""
    return [
        f"  {one.key}: {value(one.source)} | {value(one.target)}"
        + (f"   ({one.reason})" if one.reason else "")
        for one in found
    ]


def value(of: Any) -> str:
    """A value on one line, shortened; a secret as "set"."""
    if of is ABSENT or of is None:
        return "(none)"
    if of == SECRET:
        return "set (a secret)"
    if isinstance(of, str):
        line = of if of and of == of.strip() else json.dumps(of)
    else:
        line = json.dumps(of, ensure_ascii=False).replace(SECRET, "set (a secret)")
    return line if len(line) <= _WIDEST else f"{line[: _WIDEST - 1]}…"
