"""A report as SARIF 2.1.0, which code scanning shows beside the lines of a pull request."""

from typing import Any

from policies.check import Report, Told, place_of
from policies.reports.as_json import written
from policies.reports.as_text import said
from policies.rule import Rule

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}
"""What GitHub calls a security severity: it sorts by these numbers."""


def render(report: Report) -> str:
    """One run, with the rules that found something."""
    rules = {told.finding.rule.id: told.finding.rule for told in report.told}
    places = {rule: index for index, rule in enumerate(sorted(rules))}
    run = {
        "tool": {
            "driver": {
                "name": "gke-policies",
                "informationUri": "https://www.pulumi.com/docs/insights/policy/",
                "rules": [_rule(rules[rule]) for rule in places],
            }
        },
        "results": [_result(told, places) for told in report.told],
        # Code scanning keeps the runs of one commit apart by it.
        "automationDetails": {"id": f"gke-policies/{'+'.join(report.sources) or 'files'}/"},
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return written(document)


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(part.capitalize() for part in rule.id.split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": f"{rule.title} {rule.why}"},
        "help": {"text": rule.fix},
        "helpUri": rule.references[0].url,
        "defaultConfiguration": {"level": "error" if rule.level.stops else "warning"},
        "properties": {"security-severity": _SCORES[rule.severity], "tags": [rule.layer]},
    }


def _result(told: Told, places: dict[str, int]) -> dict[str, Any]:
    finding = told.finding
    resource = finding.resource
    text = "\n".join((f"{resource.name}: {finding.rule.title}", *said(finding), finding.rule.fix))
    file, line = place_of(told)
    result: dict[str, Any] = {
        "ruleId": finding.rule.id,
        "ruleIndex": places[finding.rule.id],
        "level": "error" if told.stops else "note" if finding.waiver else "warning",
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": file},
                    "region": {"startLine": line},
                },
                "logicalLocations": [
                    {"fullyQualifiedName": resource.urn or f"{resource.type}::{resource.name}"}
                ],
            }
        ],
        # The same finding in two runs is one alert.
        "partialFingerprints": {
            "finding/v1": f"{told.environment}/{told.layer}/{finding.rule.id}/{resource.name}"
        },
    }
    if finding.waiver is not None:
        result["suppressions"] = [
            {"kind": "external", "justification": finding.waiver.shown(), "status": "accepted"}
        ]
    return result
