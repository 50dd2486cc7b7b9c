"""Conditions of GCPRoutingExtensions: which requests the Gateway asks a program about.

Google takes a subset of CEL. Rehearsed is a pattern of the host; another condition is refused, and
the Gateway's status says so:
https://docs.cloud.google.com/service-extensions/docs/cel-matcher-language-reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]
_HOSTS = re.compile(r"request\.host\.matches\('([^'\\]*)'\)")


def problem(extension: Json) -> str | None:
    """Why a condition is not rehearsed; None if it is."""
    given = _expressions(extension)
    if len(given) > 1:
        return "several celExpressions in a matchCondition are not rehearsed; join them"
    for one in given:
        found = _HOSTS.fullmatch(one)
        if found is None:
            return f"the celMatcher {one} is not rehearsed; request.host.matches('…') is"
        try:
            re.compile(found[1])
        except re.error as error:
            return f"the celMatcher {one} is no pattern: {error}"
    return None


def hosts(extension: Json) -> str:
    """The pattern of hosts; empty: all."""
    for one in _expressions(extension):
        if found := _HOSTS.fullmatch(one):
            return found[1]
    return ""


def _expressions(extension: Json) -> list[str]:
    chain = extension["spec"]["extensionChains"][0]
    given = (chain.get("matchCondition") or {}).get("celExpressions") or ()
    return [str(one.get("celMatcher") or "") for one in given]
