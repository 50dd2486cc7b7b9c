"""A report for a person: by file or layer, the worst first, each with its remedy."""

from itertools import groupby

from policies.check import Report, Told
from policies.pack import Finding, Verdict
from policies.rule import Severity

_ORDER: dict[Severity, int] = {"critical": 0, "high": 1, "medium": 2, "low": 3}


def render(report: Report) -> str:
    """The report as lines of text, without colours."""
    lines: list[str] = []
    place = ""
    for told in sorted((one for one in report.told if not waits(one)), key=rank):
        if (here := where(told)) != place:
            lines += ["", here] if lines else [here]
            place = here
        lines += _told(told)
    lines += _waiting(report)
    for waiver in report.expired:
        lines.append(f"EXPIRED   the waiver of {waiver.rule} for {waiver.resource}")
        lines.append(f"          {waiver.shown()}")
    for waiver in report.unused:
        lines.append(f"UNUSED    the waiver of {waiver.rule} for {waiver.resource} waives nothing")
    return "\n".join([*lines, *([""] if lines else []), summary(report)]) + "\n"


def waits(told: Told) -> bool:
    """Whether it is about a value that is not known yet."""
    return told.finding.verdict is Verdict.UNKNOWN and told.finding.waiver is None


def _waiting(report: Report) -> list[str]:
    """What is not judged yet, a rule at a time: many resources may wait for one value."""
    lines: list[str] = []
    waiting = sorted(filter(waits, report.told), key=rank)
    for (place, rule), group in groupby(waiting, key=lambda t: (where(t), t.finding.rule)):
        told = list(group)
        end = "; it stops until then" if told[0].stops else ""
        lines.append(f"  {place}: {rule.id} ({told[0].level}){end}".replace("  : ", "  "))
        for one in told:
            kind = one.finding.resource.type.rpartition(":")[2]
            lines.append(f"      {kind} {one.finding.messages[0] or one.finding.resource.name}")
    if not lines:
        return []
    return ["", "not judged yet, for want of values that are known only at the update:", *lines]


def summary(report: Report) -> str:
    """How much was judged, and how many findings of each sort there are."""
    counts = report.counts()
    told = ", ".join(f"{counts[key]} {key}" for key in ("mandatory", "advisory", "waived"))
    if counts["unknown"]:
        told += f", {counts['unknown']} not judged yet"
    return f"{report.resources} resources judged: {told}"


def where(told: Told) -> str:
    """The file that a finding is in, or the environment and layer."""
    return told.finding.resource.file or "/".join(filter(None, (told.environment, told.layer)))


def rank(told: Told) -> tuple[str, bool, int, str, str]:
    """By file or layer, then the worst first."""
    rule = told.finding.rule
    severity = _ORDER[rule.severity]
    return where(told), not told.stops, severity, rule.id, told.finding.resource.name


def _told(told: Told) -> list[str]:
    finding = told.finding
    word = "WAIVED" if finding.waiver else str(told.level).upper()
    line = f":{finding.resource.line}" if finding.resource.line else ""
    kind = finding.resource.type.rpartition(":")[2]
    head = f"{word:<10}{finding.rule.severity:<9}{finding.rule.id}  {kind} "
    lines = [f"{head}{finding.resource.name}{line}", *(f"          {m}" for m in said(finding))]
    if finding.waiver:
        return [*lines, f"          waived {finding.waiver.shown()}"]
    if finding.lapsed:
        lines.append(f"          its waiver has expired ({finding.lapsed.shown()})")
    return [*lines, f"          fix: {finding.rule.fix}"]


def said(finding: Finding) -> list[str]:
    """What a finding says, in a line each."""
    if finding.verdict is Verdict.UNKNOWN:
        return [f"not judged yet: {finding.messages[0]} is known only at the update"]
    if finding.verdict is Verdict.BROKEN:
        return [f"the rule cannot judge it: {finding.messages[0]}"]
    return list(finding.messages)
