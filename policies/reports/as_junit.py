"""Report format `junit`: one suite per file or layer, one case per finding."""

import re
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

from policies.check import JudgedFinding, Report
from policies.remedies import remedy
from policies.reports.as_text import location, placed_lines

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow."""


def render(report: Report) -> str:
    """Return the XML. Findings that stop are failures; others are cases with `system-out`."""
    suites = []
    ordered = sorted(report.findings, key=location)
    for place, group in groupby(ordered, key=location):
        judged = list(group)
        failures = sum(one.stops for one in judged)
        cases = "\n".join(_case(one) for one in judged)
        name = quoteattr(place or "resources")
        head = f'  <testsuite name={name} tests="{len(judged)}" failures="{failures}">'
        suites.append(f"{head}\n{cases}\n  </testsuite>")
    for waiver in report.expired:
        text = escape(waiver.describe())
        suites.append(
            '  <testsuite name="waivers" tests="1" failures="1">\n'
            f"    <testcase classname={quoteattr(waiver.rule)} name={quoteattr(waiver.resource)}>"
            f'<failure message="the waiver expired">{text}</failure></testcase>\n'
            "  </testsuite>"
        )
    if not suites:
        passed = f'<testcase classname="gke-policies" name="{report.resources} resources"/>'
        suites.append(f'  <testsuite name="resources" tests="1" failures="0">{passed}</testsuite>')
    total = len(report.findings) + len(report.expired)
    failures = sum(one.stops for one in report.findings) + len(report.expired)
    head = f'<testsuites name="gke-policies" tests="{total}" failures="{failures}">'
    body = "\n".join(suites)
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n{head}\n{body}\n</testsuites>\n'
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", document)


def _case(judged: JudgedFinding) -> str:
    finding = judged.finding
    lines = [*placed_lines(finding), f"fix: {remedy(finding.rule, finding.resource)}"]
    if finding.waiver is not None:
        lines.append(f"waived {finding.waiver.describe()}")
    text, title = escape("\n".join(lines)), quoteattr(finding.rule.title)
    inner = (
        f"<failure message={title}>{text}</failure>"
        if judged.stops
        else f"<system-out>{text}</system-out>"
    )
    name = quoteattr(f"{finding.resource.type} {finding.resource.name}")
    return f"    <testcase classname={quoteattr(finding.rule.id)} name={name}>{inner}</testcase>"
