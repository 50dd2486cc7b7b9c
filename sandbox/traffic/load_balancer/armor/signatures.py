"""Preconfigured WAF rules: a few representative signatures of each rule set.

Google's sets are those of the OWASP Core Rule Set; these are enough to see a rule at work, and to
see an exclusion. Address, query, some headers and the body (`bodies`) are inspected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.armor.expressions import UnknownPartError
from sandbox.traffic.load_balancer.client import BODY_HEADER


class Signature(NamedTuple):
    """One rule of a set."""

    id: str
    """The number of the Core Rule Set."""
    sensitivity: int
    pattern: str


_GAP = r"(?:(?:\s|\+|%20|/\*.*?\*/)+)"
_QUOTE = r"(?:'|%27|\"|%22)"
_LESS = r"(?:<|%3c)"
_UP = r"(?:\.|%2e){2}(?:/|\\|%2f|%5c)"
_SETS: dict[str, tuple[Signature, ...]] = {
    "sqli": (
        Signature("id942100", 1, rf"{_QUOTE}{_GAP}?or{_GAP}?{_QUOTE}?\w+{_QUOTE}?{_GAP}?(?:=|%3d)"),
        Signature("id942190", 1, rf"union{_GAP}(?:all{_GAP})?select"),
        Signature("id942160", 1, r"(?:sleep|benchmark)(?:\(|%28)"),
        Signature("id942432", 4, rf"(?:{_QUOTE}|;|%3b|--){{2}}"),
    ),
    "xss": (
        Signature("id941110", 1, rf"{_LESS}script"),
        Signature("id941120", 1, r"\bon(?:error|load|click|mouseover)(?:=|%3d)"),
        Signature("id941170", 1, r"javascript(?::|%3a)"),
    ),
    "lfi": (
        Signature("id930100", 1, _UP),
        Signature("id930120", 1, r"etc(?:/|%2f)(?:passwd|shadow)"),
    ),
    "rfi": (
        Signature("id931100", 1, r"(?:=|%3d)(?:https?|ftp)(?::|%3a)(?://|%2f%2f)(?:\d{1,3}\.){3}"),
    ),
    "rce": (
        Signature("id932160", 1, r"(?:/|%2f)bin(?:/|%2f)(?:ba|z|da)?sh\b"),
        Signature("id932130", 1, r"(?:\$|%24)(?:\(|%28|\{|%7b)"),
    ),
    "scannerdetection": (Signature("id913100", 1, r"\b(?:sqlmap|nikto|nessus|nmap|masscan)\b"),),
    "protocolattack": (Signature("id921120", 1, r"%0a(?:set-cookie|location)"),),
    "php": (Signature("id933100", 1, rf"{_LESS}(?:\?|%3f)(?:php|=)"),),
    "sessionfixation": (Signature("id943110", 1, r"(?:php|j|asp)sessionid?(?:=|%3d)"),),
    "java": (Signature("id944100", 1, r"java\.lang\.(?:runtime|processbuilder)"),),
    "nodejs": (Signature("id934100", 1, r"(?:child_process|process\.env|eval(?:\(|%28))"),),
    "cve": (Signature("owasp-crs-v030001-id044228-cve", 1, r"(?:\$|%24)(?:\{|%7b)jndi(?::|%3a)"),),
    "methodenforcement": (),
}  # fmt: skip
_NAME = re.compile(r"([a-z]+)(?:-v?\d+)?-(?:stable|canary)")
_SENSITIVITY = 4
"""Google evaluates all signatures unless a sensitivity is given."""
_HEADERS = ("cookie", "referer", "user-agent")
_OF_BODIES = ("requestBodiesToExclude", "requestQueryParamsToExclude")
"""Exclusions that leave the body out as a whole: its fields are not told apart."""
_METHODS = r"(?:GET|HEAD|POST|OPTIONS)"


def patterns(name: str, options: Json, exclusions: list[Json]) -> Iterator[tuple[str, str]]:
    """Headers and the patterns in them that a rule set finds.

    Raises UnknownPartError for another set.
    """
    found = _NAME.fullmatch(name)
    if found is None or found[1] not in _SETS:
        raise UnknownPartError(f"the rule set {name}")
    if found[1] == "methodenforcement":
        yield ":method", r"(?:PUT|DELETE|PATCH|TRACE|CONNECT)"
        return
    for one in _chosen(_SETS[found[1]], options):
        mine = [e for e in exclusions if _concerns(e, name, one)]
        pattern = rf"(?i:.*(?:{one.pattern}).*)"
        if not _excludes_all(mine, "requestUrisToExclude"):
            yield ":path", rf"(?i:[^?]*(?:{one.pattern})[^?]*(?:\?.*)?)"
        if (keys := _other_names(mine, "requestQueryParamsToExclude", "=&#")) is not None:
            yield ":path", rf"(?i:[^?]*\?(?:.*&)?(?:{keys})=[^&]*(?:{one.pattern})[^&]*(?:&.*)?)"
            if not any(e.get("requestQueryParamsToExclude") for e in mine):
                yield ":path", rf"(?i:[^?]*\?.*(?:{one.pattern}).*)"
        if not any(_fields(mine, field) for field in _OF_BODIES):
            yield BODY_HEADER, pattern
        for header in _HEADERS:
            field = "requestCookiesToExclude" if header == "cookie" else "requestHeadersToExclude"
            if not _excludes(mine, field, header):
                yield header, pattern


def _chosen(found: tuple[Signature, ...], options: Json) -> list[Signature]:
    level = int(options.get("sensitivity", _SENSITIVITY))
    out, into = options.get("opt_out_rule_ids", ()), options.get("opt_in_rule_ids", ())

    def named(one: Signature, ids: Any) -> bool:
        return any(str(given).endswith(one.id) or one.id in str(given) for given in ids)

    return [
        one for one in found
        if (one.sensitivity <= level and not named(one, out)) or named(one, into)
    ]  # fmt: skip


def _concerns(exclusion: Json, rule_set: str, one: Signature) -> bool:
    ids = exclusion.get("targetRuleIds") or ()
    return exclusion.get("targetRuleSet") == rule_set and (
        not ids or any(one.id in str(given) for given in ids)
    )


def _fields(exclusions: list[Json], field: str) -> list[Json]:
    return [params for one in exclusions for params in one.get(field) or ()]


def _excludes_all(exclusions: list[Json], field: str) -> bool:
    return any(params.get("op") == "EQUALS_ANY" for params in _fields(exclusions, field))


def _excludes(exclusions: list[Json], field: str, name: str) -> bool:
    tests: dict[str, Callable[[str, str], bool]] = {
        "EQUALS": str.__eq__,
        "STARTS_WITH": str.startswith,
        "ENDS_WITH": str.endswith,
        "CONTAINS": str.__contains__,
    }
    if _excludes_all(exclusions, field):
        return True
    if name == "cookie":
        # A cookie's own name is not told apart: any exclusion leaves all cookies out.
        return bool(_fields(exclusions, field))
    return any(
        tests[params["op"]](name, str(params.get("val", "")).lower())
        for params in _fields(exclusions, field)
    )


def _other_names(exclusions: list[Json], field: str, ends: str) -> str | None:
    """A pattern of the names that are not excluded; None where all are."""
    given = _fields(exclusions, field)
    if any(params.get("op") != "EQUALS" for params in given):
        return None
    return others([str(params["val"]) for params in given], ends)


def others(names: list[str], ends: str) -> str:
    """A pattern of all texts but some, of characters other than `ends`. RE2 has no lookahead."""
    rest = f"[^{ends}]*"
    if not names:
        return rest
    firsts = sorted({name[0] for name in names if name})
    branches = [f"[^{ends}{re.escape(''.join(firsts))}]{rest}"]
    if "" not in names:
        branches.append("")
    for first in firsts:
        tails = [name[1:] for name in names if name.startswith(first)]
        branches.append(f"{re.escape(first)}(?:{others(tails, ends)})")
    return "|".join(branches)
