"""The impact of an update as text and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from cli.capacity import report as capacity
from cli.impact import mermaid
from cli.impact.operations import Change, Operation
from cli.impact.report import Impact, is_mandatory
from cli.impact.touched import touched

_DONE = {
    Operation.REPLACE: "replaced",
    Operation.DELETE: "deleted",
    Operation.CREATE: "created",
    Operation.UPDATE: "changed",
}
_COUNTED = {"create": "created", "update": "changed", "replace": "replaced", "delete": "deleted"}
LIMIT = 60_000
"""Characters of a comment on a pull request; GitHub refuses more than 65,536."""


def plain(made: Impact) -> str:
    """The report for a terminal."""
    lines = [f"impact on {made.environment}"]
    for heading, items in _sections(made):
        lines += ["", heading, *(f"  {item}" for item in items)]
    return "\n".join(lines)


def markdown(made: Impact, limit: int = LIMIT) -> str:
    """The report for a pull request; a longer one than `limit` ends with a note."""
    lines = [f"## Impact on {made.environment}"]
    drawn = mermaid.flowchart(made.environment, touched(made))
    if drawn and len(drawn) <= limit // 4:
        lines += ["", drawn]
    for heading, items in _sections(made):
        lines += ["", f"### {heading[0].upper()}{heading[1:]}", ""]
        lines += [f"- {_escaped(item)}" for item in items]
    text = "\n".join(lines) + "\n"
    if len(text) <= limit:
        return text
    note = f"\n\nThe report is cut. `platformctl preview {made.environment}` shows all of it.\n"
    return text[: limit - len(note)].rpartition("\n")[0] + note


def _sections(made: Impact) -> Iterator[tuple[str, list[str]]]:
    """Headings and their lines; what is lost comes first."""
    yield "replaced or deleted", list(_gone(made)) or ["nothing"]
    losses = [f"{one.subject} ({one.length}): {one.effect}" for one in made.losses]
    yield "lost or interrupted", losses or [_no_losses(made)]
    if policies := list(_policies(made)):
        yield "policies", policies
    yield "changes by layer", list(_counts(made))
    if gaps := list(_gaps(made)):
        yield "not known before the update", gaps
    if quotas := capacity.lines(made.quotas):
        yield "quotas", quotas
    warnings = [_line(plan.layer, one) for plan in made.plans for one in plan.warnings]
    warnings += capacity.warnings(made.quotas)
    if warnings:
        yield "warnings", warnings
    errors = [" ".join(str(error).split()) for error in made.errors]
    if errors:
        yield "the update would fail", errors


def _gone(made: Impact) -> Iterator[str]:
    for change in made.gone:
        yield _resource(change)
        yield from (f"  {line}" for line in made.policies(change.step.urn))


def _resource(change: Change) -> str:
    because = f", because of {', '.join(change.causes)}" if change.causes else ""
    done = _DONE[change.operation]
    if change.step.stays:
        deleted = change.operation is Operation.DELETE
        done = "forgotten" if deleted else done
        because += "; it stays in the project" if deleted else "; the old one stays in the project"
    return f"{change.layer}: {change.step.kind} {change.step.name} is {done}{because}"


def _no_losses(made: Impact) -> str:
    is_whole = all(plan.is_known for plan in made.plans)
    return "nothing" if is_whole else "nothing in the layers that could be previewed"


def _policies(made: Impact) -> Iterator[str]:
    """Violations of what is created or changed, and mandatory ones; the others as a count."""
    touched = {one.step.urn for one in made.others}
    shown_above = {one.step.urn for one in made.gone}
    rest = 0
    for plan in made.plans:
        for _, urn, line in plan.violations:
            if urn in shown_above:
                continue
            if urn in touched or is_mandatory(line):
                yield f"{plan.layer}: {line}"
            else:
                rest += 1
    if rest:
        yield f"{rest} advisory of resources that the update leaves alone"


def _counts(made: Impact) -> Iterator[str]:
    for plan in made.plans:
        if declared := made.declared.get(plan.layer):
            yield f"{plan.layer}: not deployed; its program declares {sum(declared.values())}"
        elif not plan.is_known:
            yield f"{plan.layer}: could not be previewed"
        else:
            count = made.count(plan.layer)
            parts = [f"{count[kind]} {word}" for kind, word in _COUNTED.items() if count[kind]]
            parts.append(f"{count['same']} unchanged")
            yield f"{plan.layer}: {', '.join(parts)}"


def _gaps(made: Impact) -> Iterator[str]:
    for plan in made.plans:
        if plan.unknown:
            yield f"{plan.layer}: {' '.join(plan.unknown.split())}"
        for path in plan.planned.assumed:
            yield f"{plan.layer}.{path}: the deployed value is assumed"
        for path in plan.planned.unknown:
            yield f"{plan.layer}.{path}: unknown to the layers after it"


def _line(layer: str, message: str) -> str:
    return f"{layer}: {' '.join(message.split())}"


def _escaped(text: str) -> str:
    """The text with Markdown's and HTML's own characters as themselves."""
    for one in "\\`*_[]<>|#":
        text = text.replace(one, f"\\{one}")
    return text.replace("@", "@\u200b")  # mentions nobody
