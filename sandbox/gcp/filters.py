"""`filter`, `orderBy`, page size and `pageToken` of list methods."""

from __future__ import annotations

import base64
import re
from typing import Any

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call

_TERM = re.compile(
    r"""\(?\s*(?P<field>[A-Za-z][\w.]*)\s*(?P<op>=|!=|eq|ne|:|>=|<=|>|<)\s*
    (?:"(?P<quoted>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s()]+))\s*\)?""",
    re.VERBOSE,
)


def page(call: Call, items: list[Json]) -> tuple[list[Json], str]:
    """One page of the items that match the request, and the next page's token or ""."""
    chosen = [item for item in items if _matches(call.one("filter"), item)]
    if call.one("orderBy") == "creationTimestamp desc":
        chosen.sort(key=lambda item: str(item.get("creationTimestamp")), reverse=True)
    limit = int(call.one("maxResults") or call.one("pageSize") or 500)
    token = call.one("pageToken")
    try:
        start = int(base64.urlsafe_b64decode(token)) if token else 0
    except ValueError:
        raise ApiError(400, f"Invalid value for field 'pageToken': '{token}'.") from None
    end = start + limit
    following = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(chosen) else ""
    return chosen[start:end], following


def _matches(expression: str, item: Json) -> bool:
    if not expression:
        return True
    terms = re.split(r"\s+AND\s+|\)\s*\(|\s+(?=[A-Za-z][\w.]*\s*(?:=|!=|:|eq |ne ))", expression)
    return all(_term(term, item) for term in terms if term and term.strip())


def _term(term: str, item: Json) -> bool:
    found = _TERM.fullmatch(term.strip())
    if found is None:
        raise ApiError(400, f"Invalid value for field 'filter': '{term}'. Invalid list filter.")
    given = next(v for v in (found["quoted"], found["single"], found["bare"]) if v is not None)
    value: Any = item
    for part in found["field"].split("."):
        value = value.get(part) if isinstance(value, dict) else None
    text = "true" if value is True else "false" if value is False else str(value)
    match found["op"]:
        case "=":
            return text == given
        case "!=":
            return text != given
        case "eq":
            return re.fullmatch(given, text) is not None
        case "ne":
            return re.fullmatch(given, text) is None
        case ":":
            return value is not None and (given == "*" or given in text)
        case _:
            raise ApiError(400, f"Invalid value for field 'filter': '{term}'.")
