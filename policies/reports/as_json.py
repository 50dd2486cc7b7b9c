"""Report format `json`, and the JSON form of a rule."""

import codecs
import json
from functools import cache
from typing import Any

import msgspec

from policies.check import JudgedFinding, Report
from policies.properties import path_text
from policies.remedies import remedy
from policies.reports.as_text import finding_lines
from policies.rule import Reference, Rule

SCHEMA_VERSION = 1
_ESCAPED = "policies.reports.as_json"
"""The name of the error handler that escapes."""


def render(report: Report) -> str:
    """Return one document with the counts and all findings."""
    counts = report.counts()
    document = {
        "schemaVersion": SCHEMA_VERSION,
        "ok": report.is_clean,
        "resources": report.resources,
        "counts": {key: counts[key] for key in ("mandatory", "advisory", "waived", "unknown")},
        "findings": [finding(judged) for judged in report.findings],
        "unreadable": report.unreadable,
        "unjudged": [
            {"type": one.type, "name": one.name, "file": one.file or None, "line": one.line or None}
            for one in report.unjudged
        ],
        "notApplicable": [
            {"rule": one.rule.id, "resource": one.resource.name, "reason": one.messages[0]}
            for one in report.not_applicable
        ],
        "expiredWaivers": [_waiver(one) for one in report.expired],
        "unusedWaivers": [
            _waiver(one) | {"unusedIn": list(names)} for one, names in report.unused.items()
        ],
    }
    return to_json(document)


def to_json(document: Any) -> str:
    """Return indented JSON in ASCII. msgspec is faster than the standard library."""
    try:
        encoded = msgspec.json.encode(document)
    except UnicodeEncodeError:  # half of a surrogate pair, as in a file's name that is no Unicode
        return json.dumps(document, indent=2) + "\n"
    if not encoded.isascii():  # msgspec does not escape; outside of strings, JSON is ASCII
        encoded = encoded.decode().encode("ascii", _ESCAPED)
    return f"{msgspec.json.format(encoded, indent=2).decode()}\n"


def _escape(error: UnicodeError) -> tuple[str, int]:
    """Escape what is not ASCII, as a handler of encoding errors."""
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101 (no other error is encoding's)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(_ESCAPED, _escape)


def finding(judged: JudgedFinding) -> dict[str, Any]:
    """Return one finding."""
    found = judged.finding
    return {
        "rule": found.rule.id,
        "title": found.rule.title,
        "severity": found.rule.severity,
        "level": str(judged.level),
        "verdict": found.verdict.value,
        "stops": judged.stops,
        "environment": judged.environment or None,
        "layer": judged.layer or None,
        "resource": {
            "type": found.resource.type,
            "name": found.resource.name,
            "urn": found.resource.urn or None,
            "line": found.resource.line or None,
        },
        "file": found.resource.file or None,
        "line": (found.places[0].line if found.places else found.resource.line) or None,
        "messages": finding_lines(found),
        "places": [{"property": path_text(one.path), "line": one.line} for one in found.places],
        "fix": remedy(found.rule, found.resource),
        "references": _references(found.rule.references),
        "waiver": None if found.waiver is None else _waiver(found.waiver),
        "waivedElsewhere": list(found.waived_elsewhere),
    }


def rule(one: Rule) -> dict[str, Any]:
    """Return a rule's metadata."""
    return {
        "id": one.id,
        "title": one.title,
        "level": str(one.level),
        "severity": one.severity,
        "layer": one.layer,
        "topic": one.module.rpartition(".")[2],
        "why": one.why,
        "fix": one.fix,
        "references": _references(one.references),
        "resources": list(one.selector.types),
        "scope": "stack" if one.over_stack else "resource",
        "repairs": one.repair is not None,
        "parameters": parameters(one),
    }


def parameters(one: Rule) -> dict[str, Any]:
    """Return a rule's parameters with their defaults."""
    if one.parameters is None:
        return {}
    defaults: dict[str, Any] = msgspec.to_builtins(one.parameters())
    return defaults


@cache
def _references(references: tuple[Reference, ...]) -> list[dict[str, str]]:
    return [{"source": one.source, "control": one.control, "url": one.url} for one in references]


def _waiver(one: Any) -> dict[str, Any]:
    return {
        "rule": one.rule,
        "resource": one.resource,
        "environments": list(one.environments),
        "reason": one.reason,
        "owner": one.owner,
        "expires": one.expires.isoformat(),
    }
