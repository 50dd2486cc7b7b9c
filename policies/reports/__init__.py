"""Report formats: text, JSON, SARIF (code scanning), JUnit and GitHub annotations."""

from collections.abc import Callable, Mapping

from policies.check import Report
from policies.reports import as_github, as_json, as_junit, as_sarif, as_text

FORMATS: Mapping[str, Callable[[Report], str]] = {
    "text": as_text.render,
    "json": as_json.render,
    "sarif": as_sarif.render,
    "junit": as_junit.render,
    "github": as_github.render,
}
