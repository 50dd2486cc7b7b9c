"""What an object's annotation `pulumi.com/waitFor` asks to wait for, in place of what we know.

One expression or a JSON list of them, all of which must hold: `jsonpath={.path}=value`,
`jsonpath={.path}` and `condition=Type`, with `=Status` or without. Of JSONPath only plain paths.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from sandbox.plugins.kubernetes.client import Client
from sandbox.plugins.provider import PluginError

Json = dict[str, Any]
ANNOTATION = "pulumi.com/waitFor"
_PATH = re.compile(r"jsonpath=\{(?P<path>(?:\.[\w-]+)+)\}(?:=(?P<value>.*))?")
_CONDITION = re.compile(r"condition=(?P<type>[\w.-]+)(?:=(?P<status>\w+))?")


def check(live: Json) -> Callable[[Client, Json], str | None] | None:
    """The check that the annotation asks for; None without one. Raises PluginError."""
    text = ((live.get("metadata") or {}).get("annotations") or {}).get(ANNOTATION)
    if not text:
        return None
    wishes = json.loads(text) if text.lstrip().startswith("[") else [text]
    for wish in wishes:
        if not _PATH.fullmatch(wish) and not _CONDITION.fullmatch(wish):
            raise PluginError(
                f'the annotation {ANNOTATION} holds "{wish}", which is not understood'
            )

    def pending(_: Client, seen: Json) -> str | None:
        return next((said for wish in wishes if (said := _unmet(wish, seen))), None)

    return pending


def _unmet(wish: str, live: Json) -> str | None:
    if found := _PATH.fullmatch(wish):
        value: Any = live
        for step in found["path"].strip(".").split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if value is None or found["value"] not in (None, str(value)):
            said = "not there" if value is None else str(value)
            wanted = f", not {found['value']}" if found["value"] is not None else ""
            return f"{found['path']} is {said}{wanted}"
        return None
    found = _CONDITION.fullmatch(wish)
    assert found is not None  # noqa: S101 (check has looked)
    wanted = found["status"] or "True"
    for one in (live.get("status") or {}).get("conditions") or []:
        if one["type"].lower() == found["type"].lower():
            is_met = one["status"].lower() == wanted.lower()
            return None if is_met else f"condition {one['type']} is {one['status']}"
    return f"condition {found['type']} is not there"
