"""A report as GitHub's workflow commands: annotations of the files to change.

GitHub shows ten errors and ten warnings of a step, so the worst come first, and what a rule says of
several resources is one annotation, at the first of them. The last line is for the log.
"""

from collections.abc import Sequence

from policies.check import Report, Told, place_of
from policies.reports.as_text import rank, said, summary, waits, where
from policies.waivers import FILE

_Group = tuple[str, str, str, bool]


def render(report: Report) -> str:
    """One line an annotation, and the summary."""
    groups: dict[_Group, list[Told]] = {}
    for told in sorted(report.told, key=lambda one: (not one.stops, rank(one)[2:], where(one))):
        key = (_word(told), place_of(told)[0], told.finding.rule.id, waits(told))
        groups.setdefault(key, []).append(told)
    lines = [_annotation(group) for group in groups.values()]
    lines += [
        _command("error", str(FILE), 1, f"waiver of {waiver.rule}", f"expired: {waiver.shown()}")
        for waiver in report.expired
    ]
    lines += [
        _command("warning", str(FILE), 1, f"waiver of {waiver.rule}", "it waives nothing any more")
        for waiver in report.unused
    ]
    return "\n".join([*lines, summary(report)]) + "\n"


def _word(told: Told) -> str:
    return "error" if told.stops else "notice" if told.finding.waiver else "warning"


def _annotation(group: Sequence[Told]) -> str:
    first = group[0]
    rule = first.finding.rule
    lines = [rule.title]
    for told in group:
        resource = told.finding.resource
        layer = f"{told.layer}: " if told.layer else ""
        line = f" (line {resource.line})" if resource.line else ""
        text = "; ".join(said(told.finding))
        lines.append(f"{layer}{resource.type.rpartition(':')[2]} {resource.name}{line}: {text}")
        if told.finding.waiver:
            lines.append(f"waived {told.finding.waiver.shown()}")
    lines.append(f"fix: {rule.fix}")
    title = f"{rule.id} ({rule.severity})"
    if waits(first):
        title += ": not judged yet"
    elif len(group) > 1:
        title += f": {len(group)} resources"
    return _command(_word(first), *place_of(first), title, "\n".join(lines))


def _command(word: str, file: str, line: int, title: str, message: str) -> str:
    return f"::{word} file={_property(file)},line={line},title={_property(title)}::{_text(message)}"


def _text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _text(text).replace(":", "%3A").replace(",", "%2C")
