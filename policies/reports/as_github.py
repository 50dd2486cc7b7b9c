"""Report format `github`: workflow commands that annotate the files to change.

GitHub shows at most ten errors and ten warnings per step. So the most severe come first, and a
rule's findings on several resources share one annotation. The last line is a summary for the log.
"""

from collections.abc import Sequence

from policies.check import JudgedFinding, Report, source_location
from policies.remedies import remedy
from policies.reports.as_text import is_pending, location, placed_lines, sort_key, summary
from policies.waivers import FILE

_Group = tuple[str, str, str, bool]


def render(report: Report) -> str:
    """Return one line per annotation, and the summary."""
    groups: dict[_Group, list[JudgedFinding]] = {}
    for judged in sorted(
        report.findings,
        key=lambda one: (not one.stops, sort_key(one)[2:], location(one), source_location(one)),
    ):
        key = (
            _command_name(judged),
            source_location(judged)[0],
            judged.finding.rule.id,
            is_pending(judged),
        )
        groups.setdefault(key, []).append(judged)
    lines = [_annotation(group) for group in groups.values()]
    lines += [
        _command("error", str(FILE), 1, f"waiver of {waiver.rule}", f"expired: {waiver.describe()}")
        for waiver in report.expired
    ]
    lines += [
        _command(
            *("warning", str(FILE), 1, f"waiver of {waiver.rule}"),
            f"{waiver.resource}: it matches no finding in {', '.join(names)}",
        )
        for waiver, names in report.unused.items()
    ]
    return "\n".join([*lines, summary(report)]) + "\n"


def _command_name(judged: JudgedFinding) -> str:
    return "error" if judged.stops else "notice" if judged.finding.waiver else "warning"


def _annotation(group: Sequence[JudgedFinding]) -> str:
    first = group[0]
    rule = first.finding.rule
    lines = [rule.title]
    for judged in group:
        resource = judged.finding.resource
        layer = f"{judged.layer}: " if judged.layer else ""
        line = f" (line {resource.line})" if resource.line and not judged.finding.places else ""
        text = "; ".join(placed_lines(judged.finding))
        lines.append(f"{layer}{resource.type.rpartition(':')[2]} {resource.name}{line}: {text}")
        if judged.finding.waiver:
            lines.append(f"waived {judged.finding.waiver.describe()}")
        elif judged.finding.waived_elsewhere:
            lines.append(f"waived in {', '.join(judged.finding.waived_elsewhere)} only")
    lines.append(f"fix: {remedy(rule, first.finding.resource)}")
    title = f"{rule.id} ({rule.severity})"
    if is_pending(first):
        title += ": not evaluated yet"
    elif len(group) > 1:
        title += f": {len(group)} resources"
    return _command(_command_name(first), *source_location(first), title, "\n".join(lines))


def _command(word: str, file: str, line: int, title: str, message: str) -> str:
    return f"::{word} file={_property(file)},line={line},title={_property(title)}::{_text(message)}"


def _text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _text(text).replace(":", "%3A").replace(",", "%2C")
