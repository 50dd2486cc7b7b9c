"""Report format `sarif`: SARIF 2.1.0 for GitHub code scanning."""

from typing import Any

from policies.check import JudgedFinding, Report, source_location
from policies.remedies import remedy
from policies.reports.as_json import to_json
from policies.reports.as_text import finding_lines, placed_lines
from policies.rule import Rule

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}
"""GitHub's `security-severity` scores, by severity."""


def render(report: Report) -> str:
    """Return one run with its findings and their rules."""
    rules = {judged.finding.rule.id: judged.finding.rule for judged in report.findings}
    indexes = {rule: index for index, rule in enumerate(sorted(rules))}
    run = {
        "tool": {
            "driver": {
                "name": "gke-policies",
                "informationUri": "https://www.pulumi.com/docs/insights/policy/",
                "rules": [_rule(rules[rule]) for rule in indexes],
            }
        },
        "results": [_result(judged, indexes) for judged in report.findings],
        # Code scanning distinguishes several runs for one commit by this id.
        "automationDetails": {"id": f"gke-policies/{'+'.join(report.sources) or 'files'}/"},
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return to_json(document)


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


def _result(judged: JudgedFinding, indexes: dict[str, int]) -> dict[str, Any]:
    finding = judged.finding
    resource = finding.resource
    text = "\n".join(
        (
            f"{resource.name}: {finding.rule.title}",
            *placed_lines(finding),
            remedy(finding.rule, resource),
        )
    )
    file, line = source_location(judged)
    result: dict[str, Any] = {
        "ruleId": finding.rule.id,
        "ruleIndex": indexes[finding.rule.id],
        "level": "error" if judged.stops else "note" if finding.waiver else "warning",
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
        # Makes the same finding in two runs one alert.
        "partialFingerprints": {
            "finding/v1": f"{judged.environment}/{judged.layer}/{finding.rule.id}/{resource.name}"
        },
    }
    if len(finding.places) > 1:
        result["relatedLocations"] = [
            {
                "id": index,
                "message": {"text": text},
                "physicalLocation": {
                    "artifactLocation": {"uri": file},
                    "region": {"startLine": place.line},
                },
            }
            for index, (text, place) in enumerate(
                zip(finding_lines(finding), finding.places, strict=True)
            )
        ]
    if finding.waiver is not None:
        result["suppressions"] = [
            {"kind": "external", "justification": finding.waiver.describe(), "status": "accepted"}
        ]
    return result
