"""The annotation `pulumi.com/waitFor`: replaces the readiness check of a kind.

One expression or a JSON list of them, all of which must hold: `jsonpath={.path}=value`,
`jsonpath={.path}` and `condition=Type`, with or without `=Status`. JSONPath: plain paths only.
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
    """The annotation's check; None without the annotation. Raises PluginError."""
    text = ((live.get("metadata") or {}).get("annotations") or {}).get(ANNOTATION)
    if not text:
        return None
    expressions = json.loads(text) if text.lstrip().startswith("[") else [text]
    for expression in expressions:
        if not _PATH.fullmatch(expression) and not _CONDITION.fullmatch(expression):
            raise PluginError(
                f'the annotation {ANNOTATION} holds "{expression}", which is not understood'
            )

    def pending(_: Client, seen: Json) -> str | None:
        return next(
            (said for expression in expressions if (said := _unmet(expression, seen))), None
        )

    return pending


def _unmet(expression: str, live: Json) -> str | None:
    if found := _PATH.fullmatch(expression):
        value: Any = live
        for step in found["path"].strip(".").split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if value is None or found["value"] not in (None, str(value)):
            said = "not there" if value is None else str(value)
            wanted = f", not {found['value']}" if found["value"] is not None else ""
            return f"{found['path']} is {said}{wanted}"
        return None
    found = _CONDITION.fullmatch(expression)
    assert found is not None  # noqa: S101 (validated by check)
    wanted = found["status"] or "True"
    for one in (live.get("status") or {}).get("conditions") or []:
        if one["type"].lower() == found["type"].lower():
            is_met = one["status"].lower() == wanted.lower()
            return None if is_met else f"condition {one['type']} is {one['status']}"
    return f"condition {found['type']} is not there"
