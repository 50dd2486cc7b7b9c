"""A report as JUnit's XML: a suite for each file or layer, a case for each rule and resource."""

import re
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

from policies.check import Report, Told
from policies.reports.as_text import said, where

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML has no way to write."""


def render(report: Report) -> str:
    """What stops is a failure; what is advisory or waived is a case with its words beside it."""
    suites = []
    ordered = sorted(report.told, key=where)
    for place, group in groupby(ordered, key=where):
        told = list(group)
        failures = sum(one.stops for one in told)
        cases = "\n".join(_case(one) for one in told)
        name = quoteattr(place or "resources")
        head = f'  <testsuite name={name} tests="{len(told)}" failures="{failures}">'
        suites.append(f"{head}\n{cases}\n  </testsuite>")
    for waiver in report.expired:
        text = escape(waiver.shown())
        suites.append(
            '  <testsuite name="waivers" tests="1" failures="1">\n'
            f"    <testcase classname={quoteattr(waiver.rule)} name={quoteattr(waiver.resource)}>"
            f'<failure message="the waiver has expired">{text}</failure></testcase>\n'
            "  </testsuite>"
        )
    if not suites:
        passed = f'<testcase classname="gke-policies" name="{report.resources} resources"/>'
        suites.append(f'  <testsuite name="resources" tests="1" failures="0">{passed}</testsuite>')
    total = len(report.told) + len(report.expired)
    failures = sum(one.stops for one in report.told) + len(report.expired)
    head = f'<testsuites name="gke-policies" tests="{total}" failures="{failures}">'
    body = "\n".join(suites)
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n{head}\n{body}\n</testsuites>\n'
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", document)


def _case(told: Told) -> str:
    finding = told.finding
    lines = [*said(finding), f"fix: {finding.rule.fix}"]
    if finding.waiver is not None:
        lines.append(f"waived {finding.waiver.shown()}")
    text, title = escape("\n".join(lines)), quoteattr(finding.rule.title)
    inner = (
        f"<failure message={title}>{text}</failure>"
        if told.stops
        else f"<system-out>{text}</system-out>"
    )
    name = quoteattr(f"{finding.resource.type} {finding.resource.name}")
    return f"    <testcase classname={quoteattr(finding.rule.id)} name={name}>{inner}</testcase>"
