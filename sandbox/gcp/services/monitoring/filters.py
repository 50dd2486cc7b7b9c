"""Parser of Cloud Monitoring filters, and their validation against the known metrics.

A filter is comparisons joined by AND (optional), OR, NOT and parentheses, or one SLO selector such
as `select_slo_burn_rate("…", "3600s")`. Filters are validated only: no time series is selected.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.gcp.errors import ApiError
from sandbox.gcp.services.monitoring.metrics import METRICS, OWN, RESOURCES, WHOLE, Metric

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>-?\d+(?:\.\d+)?[smhd]?)
    |(?P<op>!=|>=|<=|=|:|>|<)|(?P<mark>[(),])|(?P<word>[A-Za-z_][\w."-]*))""",
    re.VERBOSE,
)
_JOINERS = frozenset({"AND", "OR", "NOT"})
_FUNCTIONS = frozenset(
    {
        "one_of",
        "starts_with",
        "ends_with",
        "has_substring",
        "monitoring.regex.full_match",
    }
)
_SELECTORS = frozenset(
    {
        "select_slo_burn_rate",
        "select_slo_budget",
        "select_slo_budget_fraction",
        "select_slo_budget_total",
        "select_slo_compliance",
        "select_slo_counts",
        "select_slo_health",
    }
)
_PERIOD = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_RESOURCES = "https://cloud.google.com/monitoring/api/resources"


class FilterError(ValueError):
    """Why a filter is invalid. The caller, who knows the field, words the API's error."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`path op value`, or all values of a function such as `one_of`."""

    path: str
    op: str
    values: tuple[str, ...]
    is_text: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter."""

    comparisons: tuple[Comparison, ...] = ()
    selector: str = ""
    objective: str = ""
    """The objective that the selector names."""
    metric: Metric | None = field(default=None)

    def required(self, path: str) -> list[str]:
        """The value that the filter requires `path` to equal."""
        return [v for c in self.comparisons if c.path == path and c.op == "=" for v in c.values]


def parse(text: str) -> Filter:
    """Parse a filter. Raises FilterError for wrong syntax."""
    tokens = _tokens(text)
    if tokens and tokens[0][1] in _SELECTORS:
        return _selector(tokens)
    found, at, depth, wants = [], 0, 0, True
    while at < len(tokens):
        kind, value = tokens[at]
        if value == "(" and kind == "mark":
            depth, at, wants = depth + 1, at + 1, True
        elif value == ")" and kind == "mark" and not wants and depth:
            depth, at = depth - 1, at + 1
        elif value in _JOINERS:
            if wants and value != "NOT":
                raise FilterError(f"syntax error at token '{value}'")
            at, wants = at + 1, True
        elif kind == "word":
            comparison, at = _comparison(tokens, at)
            found.append(comparison)
            wants = False
        else:
            raise FilterError(f"syntax error at token '{value}'")
    if depth or wants:
        raise FilterError("syntax error: unexpected end of the filter")
    return Filter(tuple(found))


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            word = text[at:].split(maxsplit=1)[0]
            raise FilterError(f"syntax error at line 1, column {at + 1}, token '{word}'")
        kind = str(match.lastgroup)
        found.append((kind, match[kind]))
        at = match.end()
    return found


def _selector(tokens: list[tuple[str, str]]) -> Filter:
    name = tokens[0][1]
    inner = [value for kind, value in tokens[1:] if kind != "mark"]
    shape = "".join(value if kind == "mark" else "x" for kind, value in tokens[1:])
    needs_period = name == "select_slo_burn_rate"
    if shape not in ("(x)", "(x,x)") or (needs_period and shape != "(x,x)"):
        raise FilterError(f"{name} takes the name of an objective and a lookback period")
    if shape == "(x,x)":
        period = _PERIOD.fullmatch(inner[1].strip("\"'"))
        if period is None or int(period[1]) * _SECONDS[period[2]] < 60:
            raise FilterError(f"invalid lookback period {inner[1]} in {name}")
    return Filter(selector=name, objective=inner[0].strip("\"'"))


def _comparison(tokens: list[tuple[str, str]], at: int) -> tuple[Comparison, int]:
    path = tokens[at][1].replace('"', "").replace(".label.", ".labels.")
    if at + 2 >= len(tokens) or tokens[at + 1][0] != "op":
        raise FilterError(f"syntax error at token '{tokens[at][1]}': a comparison is incomplete")
    op, (kind, value) = tokens[at + 1][1], tokens[at + 2]
    if value in _FUNCTIONS:
        return _function(tokens, at, path, op)
    if kind in ("op", "mark") or value in _JOINERS:
        raise FilterError(f"syntax error at token '{value}'")
    return Comparison(path, op, (_bare(value),), kind == "string"), at + 3


def _function(tokens: list[tuple[str, str]], at: int, path: str, op: str) -> tuple[Comparison, int]:
    end = next((i for i in range(at + 3, len(tokens)) if tokens[i][1] == ")"), None)
    values = [value for kind, value in tokens[at + 3 : end] if kind in ("string", "number")]
    if tokens[at + 3 : at + 4] != [("mark", "(")] or end is None or not values:
        raise FilterError(f"syntax error at token '{tokens[at + 2][1]}'")
    if len(values) > 100:
        raise FilterError("one_of takes at most 100 values")
    is_text = any(value[0] in "\"'" for value in values)
    kind = op if tokens[at + 2][1] == "one_of" else f"{op}*"
    return Comparison(path, kind, tuple(map(_bare, values)), is_text), end + 1


def _bare(value: str) -> str:
    return value[1:-1] if value[:1] in "\"'" else value


def checked(text: str, objective_exists: Callable[[str], bool]) -> Filter:
    """Parse a filter and check its metric and labels. Raises FilterError, ApiError 404."""
    found = parse(text)
    if found.selector:
        if not objective_exists(found.objective):
            raise FilterError(f"there is no objective {found.objective!r}")
        return found
    names, resources = found.required("metric.type"), found.required("resource.type")
    if not names:
        raise FilterError('must specify a restriction on "metric.type" in the filter')
    metric = _metric(names[0])
    if not resources:
        raise FilterError(
            f'must specify a restriction on "resource.type" in the filter; see "{_RESOURCES}" '
            "for a list of available resource types."
        )
    if metric is None:
        return found
    _check_labels(found, metric, resources[0])
    return Filter(found.comparisons, metric=metric)


def _metric(name: str) -> Metric | None:
    if name in METRICS:
        return METRICS[name]
    if name.startswith(OWN):
        return None
    if name.startswith(WHOLE):
        raise ApiError(
            404,
            f'Cannot find metric that matches type = "{name}". If a metric was created recently, '
            "it could take up to 10 minutes to become available. Please try again soon.",
        )
    raise ApiError(501, f"sandbox does not know the metric {name}")


def _check_labels(found: Filter, metric: Metric, resource: str) -> None:
    is_known = resource in metric.resources
    for one in found.comparisons:
        part, _, label = one.path.partition(".labels.")
        if not label:
            continue
        if part == "metric" and label in metric.labels:
            if metric.labels[label] == "INT64" and not all(v.isdigit() for v in one.values):
                raise FilterError(
                    f'label "{label}" holds whole numbers, and is compared with "{one.values[0]}"'
                )
        elif part == "metric" or (part == "resource" and label not in RESOURCES.get(resource, ())):
            is_known = False
    if not is_known:
        raise FilterError(
            "The supplied filter does not specify a valid combination of metric and monitored "
            "resource descriptors. The query will not return any time series."
        )
