"""A report as GitHub's workflow commands: each finding an annotation of the file to change.

GitHub shows ten errors and ten warnings of a step, so the worst come first; the last line is for
the log.
"""

from itertools import groupby

from policies.check import Report, Told
from policies.reports.as_text import rank, said, summary, waits, where
from policies.rule import Rule
from policies.waivers import FILE


def render(report: Report) -> str:
    """One line a finding, and the summary."""
    told = sorted(report.told, key=lambda one: (not one.stops, *rank(one)))
    lines = [_annotation(one) for one in told if not waits(one)]
    # Many resources may wait for one value: an annotation a rule.
    for (place, rule), group in groupby(
        filter(waits, told), key=lambda one: (where(one), one.finding.rule)
    ):
        lines.append(_waiting(place, rule, list(group)))
    lines += [
        _command("error", str(FILE), 1, f"waiver of {waiver.rule}", f"expired: {waiver.shown()}")
        for waiver in report.expired
    ]
    lines += [
        _command("warning", str(FILE), 1, f"waiver of {waiver.rule}", "it waives nothing any more")
        for waiver in report.unused
    ]
    return "\n".join([*lines, summary(report)]) + "\n"


def _annotation(told: Told) -> str:
    finding = told.finding
    resource = finding.resource
    word = "error" if told.stops else "notice" if finding.waiver else "warning"
    kind = resource.type.rpartition(":")[2]
    lines = [f"{where(told)}: {kind} {resource.name}", *said(finding)]
    lines.append(
        f"waived {finding.waiver.shown()}" if finding.waiver else f"fix: {finding.rule.fix}"
    )
    title = f"{finding.rule.id} ({finding.rule.severity})"
    return _command(word, _file(told), max(resource.line, 1), title, "\n".join(lines))


def _waiting(place: str, rule: Rule, told: list[Told]) -> str:
    word = "error" if told[0].stops else "warning"
    names = [f"{place}: {rule.title}", *(said(one.finding)[0] for one in told)]
    title = f"{rule.id} ({rule.severity}): not judged yet"
    return _command(word, _file(told[0]), 1, title, "\n".join(names))


def _file(told: Told) -> str:
    return told.finding.resource.file or f"stacks/Pulumi.{told.environment or 'dev'}.yaml"


def _command(word: str, file: str, line: int, title: str, message: str) -> str:
    return f"::{word} file={_property(file)},line={line},title={_property(title)}::{_text(message)}"


def _text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _text(text).replace(":", "%3A").replace(",", "%2C")
