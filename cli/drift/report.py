"""What differs, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cli import urns
from cli.drift.findings import Finding, Layer, Pending, Value
from cli.drift.values import ABSENT
from cli.steps import MASKED

LONGEST = 60
"""Characters of a value that the text shows; JSON has it whole."""


def text(environment: str, layers: Mapping[str, Layer]) -> str:
    """The report on one environment."""
    lines = []
    for name, layer in layers.items():
        label = f"{environment} {name}"
        if not layer.differs:
            lines.append(f"{label:<24} as declared ({layer.compared} resources)")
            continue
        lines.append(f"{label:<24} {_count(layer)}")
        for finding in layer.findings:
            lines += _of_finding(finding)
        lines += [_of_pending(one) for one in layer.pending]
        lines += [f"  `up` would fail: {one}" for one in layer.errors]
    if any(finding.repair for layer in layers.values() for finding in layer.findings):
        chosen = [name for name, one in layers.items() if any(f.repair for f in one.findings)]
        words = " ".join(f"--layer {name}" for name in chosen)
        lines.append(
            f"to restore what was deployed: ./platformctl up {environment} {words} --refresh"
        )
    return "\n".join(lines)


def document(environment: str, layers: Mapping[str, Layer]) -> dict[str, Any]:
    """The report on one environment for `--json`."""
    return {
        "environment": environment,
        "layers": {
            name: {
                "compared": layer.compared,
                "errors": list(layer.errors),
                "drift": [_finding(one) for one in layer.findings],
                "notDeployed": [
                    {"urn": one.urn, "op": one.op, "paths": list(one.differs)}
                    for one in layer.pending
                ],
            }
            for name, layer in layers.items()
        },
    }


def _count(layer: Layer) -> str:
    parts = []
    if layer.findings:
        parts.append(_number(len(layer.findings), "resource", "changed outside Pulumi"))
    if layer.pending:
        parts.append(
            _number(len(layer.pending), "resource", "found as deployed that `up` would change")
        )
    return ", ".join(parts) or "cannot be compared whole"


def _number(count: int, noun: str, rest: str) -> str:
    return f"{count} {noun}{'s' if count > 1 else ''} {rest}"


def _of_finding(finding: Finding) -> Sequence[str]:
    kind = urns.kind(finding.type)
    head = f"  {kind} {finding.id or finding.name}"
    repair = f"; `up --refresh` {finding.repair}" if finding.repair else ""
    if finding.is_gone:
        return [f"{head}: deleted{repair}"]
    lines = [f"{head}: changed{repair}"]
    for value in finding.values:
        left = "" if value.repaired else "  (`up` does not restore it)"
        lines.append(f"    {value.path}: {_change(value)}{_author(value)}{left}")
    return lines


def _change(value: Value) -> str:
    if _is_secret(value.declared) or _is_secret(value.found):
        return "changed (a secret)"
    if value.declared is ABSENT:
        return f"added {_shown(value.found)}"
    if value.found is ABSENT:
        return f"{_shown(value.declared)} removed"
    if isinstance(value.declared, list) and isinstance(value.found, list):
        more = [f"+{_shown(one)}" for one in value.found if one not in value.declared]
        less = [f"-{_shown(one)}" for one in value.declared if one not in value.found]
        return ", ".join(more + less) or "entries repeated or in another order"
    return f"{_shown(value.declared)} -> {_shown(value.found)}"


def _author(value: Value) -> str:
    if value.by is None:
        return ""
    return f"  by {value.by.name}" + (f" at {value.by.time}" if value.by.time else "")


def _shown(value: Any) -> str:
    text_ = json.dumps(value, ensure_ascii=False)
    return text_ if len(text_) <= LONGEST else f"{text_[: LONGEST - 1]}…"


def _is_secret(value: Any) -> bool:
    return MASKED in json.dumps(value, default=str)


def _of_pending(one: Pending) -> str:
    paths = f" ({', '.join(one.differs)})" if one.differs else ""
    kind = urns.kind(one.type)
    return f"  {kind} {one.name}: found as deployed, `up` would {one.op} it{paths}"


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "urn": one.urn,
        "type": one.type,
        "id": one.id,
        "deleted": one.is_gone,
        "repair": one.repair or None,
        "values": [_value(value) for value in one.values],
    }


def _value(value: Value) -> dict[str, Any]:
    found: dict[str, Any] = {"path": value.path, "repaired": value.repaired}
    if _is_secret(value.declared) or _is_secret(value.found):
        found["secret"] = True
    else:
        if value.declared is not ABSENT:
            found["declared"] = value.declared
        if value.found is not ABSENT:
            found["found"] = value.found
    if value.by is not None:
        found["by"] = {"manager": value.by.name, "time": value.by.time or None}
    return found
