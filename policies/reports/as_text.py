"""Report format `text`: findings by file or layer, the most severe first."""

from collections import Counter
from itertools import groupby

from policies.check import JudgedFinding, Report
from policies.pack import Finding, Verdict
from policies.remedies import remedy
from policies.rule import Severity

_ORDER: dict[Severity, int] = {"critical": 0, "high": 1, "medium": 2, "low": 3}

_OVERLOOKED = 20


def render(report: Report) -> str:
    """Return the report as plain text, without colours."""
    lines: list[str] = _by_rule(report)
    current = ""
    for judged in sorted((one for one in report.findings if not is_pending(one)), key=sort_key):
        if (here := location(judged)) != current:
            lines += ["", here] if lines else [here]
            current = here
        lines += _finding_text(judged)
    lines += _pending(report)
    lines += _not_answered(report)
    for waiver in report.expired:
        lines.append(f"EXPIRED   the waiver of {waiver.rule} for {waiver.resource}")
        lines.append(f"          {waiver.describe()}")
    for waiver, names in report.unused.items():
        where = f"no finding in {', '.join(names)}"
        lines.append(f"UNUSED    the waiver of {waiver.rule} for {waiver.resource}: {where}")
    return "\n".join([*lines, *([""] if lines else []), summary(report)]) + "\n"


def _by_rule(report: Report) -> list[str]:
    """Return the number of findings by rule, if there are more than can be overlooked."""
    counts = Counter(one.finding.rule.id for one in report.findings if not is_pending(one))
    if counts.total() <= _OVERLOOKED:
        return []
    return [f"{count:>6}  {rule}" for rule, count in counts.most_common()]


def is_pending(judged: JudgedFinding) -> bool:
    """Whether the rule could not be evaluated because of an unknown value."""
    return judged.finding.verdict is Verdict.UNKNOWN and judged.finding.waiver is None


def _pending(report: Report) -> list[str]:
    """Return the pending findings, grouped by rule."""
    lines: list[str] = []
    pending = sorted(filter(is_pending, report.findings), key=sort_key)
    for (where, rule), group in groupby(pending, key=lambda t: (location(t), t.finding.rule)):
        judged = list(group)
        end = "; stops until then" if judged[0].stops else ""
        lines.append(f"  {where}: {rule.id} ({judged[0].level}){end}".replace("  : ", "  "))
        for one in judged:
            kind = one.finding.resource.type.rpartition(":")[2]
            lines.append(f"      {kind} {one.finding.messages[0] or one.finding.resource.name}")
    if not lines:
        return []
    return ["", "not evaluated yet, because of values known only during the update:", *lines]


def _not_answered(report: Report) -> list[str]:
    """Return what was not judged: kinds without rules, and questions without answers."""
    foreign = Counter(one.type for one in report.unjudged if one.origin != "program")
    lines = [
        f"NOT JUDGED  {count} of kind {kind}: no rule is for it"
        for kind, count in sorted(foreign.items())
    ]
    if own := {one.type for one in report.unjudged if one.origin == "program"}:
        lines.append(f"NOT JUDGED  resources of {len(own)} types without rules; --json names them")
    asked = sorted({(one.rule.id, one.messages[0]) for one in report.not_applicable})
    lines += [f"NOT JUDGED  {rule}: {reason}" for rule, reason in asked]
    lines += [f"NOT READ    {message}" for message in report.unreadable]
    return ["", *lines] if lines else []


def summary(report: Report) -> str:
    """Return the number of resources and the number of findings by category."""
    counts = report.counts()
    found = ", ".join(f"{counts[key]} {key}" for key in ("mandatory", "advisory", "waived"))
    if counts["unknown"]:
        found += f", {counts['unknown']} not evaluated yet"
    return f"{report.resources} resources evaluated: {found}"


def location(judged: JudgedFinding) -> str:
    """Return the file of a finding, or its environment and layer."""
    return judged.finding.resource.file or "/".join(
        filter(None, (judged.environment, judged.layer))
    )


def sort_key(judged: JudgedFinding) -> tuple[str, bool, int, str, str]:
    """Sort by file or layer, then by severity."""
    rule = judged.finding.rule
    severity = _ORDER[rule.severity]
    return location(judged), not judged.stops, severity, rule.id, judged.finding.resource.name


def _finding_text(judged: JudgedFinding) -> list[str]:
    finding = judged.finding
    word = "WAIVED" if finding.waiver else str(judged.level).upper()
    line = f":{finding.resource.line}" if finding.resource.line else ""
    kind = finding.resource.type.rpartition(":")[2]
    head = f"{word:<10}{finding.rule.severity:<9}{finding.rule.id}  {kind} "
    lines = [
        f"{head}{finding.resource.name}{line}",
        *(f"          {m}" for m in placed_lines(finding)),
    ]
    if finding.waiver:
        return [*lines, f"          waived {finding.waiver.describe()}"]
    if finding.expired_waiver:
        lines.append(f"          its waiver expired ({finding.expired_waiver.describe()})")
    elif finding.waived_elsewhere:
        lines.append(f"          waived in {', '.join(finding.waived_elsewhere)} only")
    return [*lines, f"          fix: {remedy(finding.rule, finding.resource)}"]


def placed_lines(finding: Finding) -> list[str]:
    """Return the messages of a finding, each with its line in the file where that is known."""
    lines = finding_lines(finding)
    if not finding.places:
        return lines
    return [f"line {place.line}: {text}" for place, text in zip(finding.places, lines, strict=True)]


def finding_lines(finding: Finding) -> list[str]:
    """Return the messages of a finding, one line each."""
    if finding.verdict is Verdict.UNKNOWN:
        return [f"not evaluated yet: {finding.messages[0]} is known only during the update"]
    if finding.verdict is Verdict.BROKEN:
        return [f"the rule cannot evaluate it: {finding.messages[0]}"]
    return list(finding.messages)
