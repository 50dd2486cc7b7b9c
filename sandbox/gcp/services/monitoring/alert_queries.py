"""PromQL for the conditions of alert policies, so that the series that are there decide.

Filters that are joined by OR or NOT, several aggregations in a row and conditions on logs are not
evaluated. Sources: https://cloud.google.com/monitoring/promql/promql-mapping and
https://cloud.google.com/stackdriver/docs/solutions/slo-monitoring/alerting-on-budget-burn-rate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sandbox.gcp.discovery import Json
from sandbox.gcp.services.monitoring import filters
from sandbox.gcp.services.monitoring.filters import Comparison, FilterError
from sandbox.gcp.services.monitoring.metrics import METRICS, RESOURCES
from sandbox.gcp.services.monitoring.time_series import promql_name

STEP_SECONDS = 15
"""Between two evaluations of a condition that must hold for a time."""
COMPARISONS: Mapping[str, str] = {
    "COMPARISON_GT": ">",
    "COMPARISON_GE": ">=",
    "COMPARISON_LT": "<",
    "COMPARISON_LE": "<=",
    "COMPARISON_EQ": "==",
    "COMPARISON_NE": "!=",
}
_ALIGNERS: Mapping[str, str] = {
    "ALIGN_RATE": "rate",
    "ALIGN_DELTA": "increase",
    "ALIGN_MEAN": "avg_over_time",
    "ALIGN_MAX": "max_over_time",
    "ALIGN_MIN": "min_over_time",
    "ALIGN_SUM": "sum_over_time",
    "ALIGN_COUNT": "count_over_time",
    "ALIGN_STDDEV": "stddev_over_time",
    "ALIGN_NEXT_OLDER": "last_over_time",
    "ALIGN_INTERPOLATE": "last_over_time",
}
_REDUCERS: Mapping[str, str] = {
    "REDUCE_SUM": "sum",
    "REDUCE_MEAN": "avg",
    "REDUCE_MAX": "max",
    "REDUCE_MIN": "min",
    "REDUCE_COUNT": "count",
    "REDUCE_STDDEV": "stddev",
}
_PERCENTILE = re.compile(r"(?:ALIGN|REDUCE)_PERCENTILE_(\d\d)")
_SELECTED = re.compile(r'select_slo_burn_rate\("[^"]+",\s*"(\d+)([smhd])"\)')
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class NotEvaluatedError(ValueError):
    """Why a condition cannot be evaluated here."""


def condition(given: Json, objective: Callable[[str], Json | None]) -> str:
    """The PromQL of a condition: it has series where the condition is met.

    `objective` finds an SLO by its full name. Raises NotEvaluatedError.
    """
    if threshold := given.get("conditionThreshold"):
        return _threshold(threshold, objective)
    if absent := given.get("conditionAbsent"):
        seconds = _duration(absent.get("duration"))
        return f"absent_over_time({_selector(absent['filter'])}[{seconds}s])"
    if query := given.get("conditionPrometheusQueryLanguage"):
        return _lasting(query["query"], "", _duration(query.get("duration")))
    kind = next((key for key in given if key.startswith("condition")), "an empty condition")
    raise NotEvaluatedError(f"{kind} is not evaluated here")


def value(given: Json, objective: Callable[[str], Json | None]) -> str:
    """The PromQL of what a condition compares. Raises NotEvaluatedError."""
    if threshold := given.get("conditionThreshold"):
        return _measured(threshold, objective)
    if query := given.get("conditionPrometheusQueryLanguage"):
        return str(query["query"])
    return condition(given, objective)


def _threshold(threshold: Json, objective: Callable[[str], Json | None]) -> str:
    sign = COMPARISONS.get(threshold.get("comparison", ""))
    if sign is None:
        raise NotEvaluatedError("a threshold needs a comparison")
    compared = f"{sign} {float(threshold.get('thresholdValue') or 0):.15g}"
    measured = _measured(threshold, objective)
    return _lasting(measured, compared, _duration(threshold.get("duration")))


def _lasting(query: str, compared: str, seconds: int) -> str:
    """The query where it holds now, and has held for so long."""
    now = f"({query}) {compared}".strip()
    if seconds == 0:
        return now
    points = max(1, seconds // STEP_SECONDS)
    return (
        f"{now} and count_over_time(({now})[{points * STEP_SECONDS}s:{STEP_SECONDS}s]) >= {points}"
    )


def _measured(threshold: Json, objective: Callable[[str], Json | None]) -> str:
    if threshold.get("denominatorFilter"):
        above = _aggregated(threshold["filter"], threshold.get("aggregations") or [])
        below = _aggregated(
            threshold["denominatorFilter"], threshold.get("denominatorAggregations") or []
        )
        return f"({above}) / ({below})"
    text = threshold["filter"]
    parsed = _parsed(text)
    if not parsed.selector:
        return _aggregated(text, threshold.get("aggregations") or [])
    window = _SELECTED.fullmatch(text.strip())
    if window is None:
        raise NotEvaluatedError(f"{parsed.selector} is not evaluated here")
    found = objective(parsed.objective)
    if found is None:
        raise NotEvaluatedError(f"there is no objective {parsed.objective}")
    return burn_rate(found, int(window[1]) * _SECONDS[window[2]])


def burn_rate(objective: Json, seconds: int) -> str:
    """How many times as fast as it may an objective's budget was spent in the last seconds.

    Raises NotEvaluatedError for an objective that is not on requests.
    """
    based = (objective.get("serviceLevelIndicator") or {}).get("requestBased") or {}
    if ratio := based.get("goodTotalRatio"):
        failed = _failed(ratio, seconds)
    elif cut := based.get("distributionCut"):
        limits = cut.get("range") or {}
        least, most = limits.get("min", "-Inf"), limits.get("max", "+Inf")
        buckets = (
            f"sum by (le) (increase({_selector(cut['distributionFilter'], '_bucket')}[{seconds}s]))"
        )
        failed = f"1 - histogram_fraction({least}, {most}, {buckets})"
    else:
        raise NotEvaluatedError("only objectives on requests are evaluated here")
    return f"({failed}) / {1 - float(objective['goal']):.15g}"


def _failed(ratio: Json, seconds: int) -> str:
    """The share of bad requests."""

    def count(field: str) -> str:
        return f"sum(increase({_selector(ratio[field])}[{seconds}s]))"

    # A class of answers that was never given has no series, which is not the same as no requests.
    if ratio.get("totalServiceFilter"):
        total = count("totalServiceFilter")
        if ratio.get("badServiceFilter"):
            return f"({count('badServiceFilter')} or {total} * 0) / ({total} > 0)"
        return f"1 - ({count('goodServiceFilter')} or {total} * 0) / ({total} > 0)"
    bad, good = count("badServiceFilter"), count("goodServiceFilter")
    total = f"(({good} or {bad} * 0) + ({bad} or {good} * 0))"
    return f"({bad} or {good} * 0) / ({total} > 0)"


def _aggregated(text: str, aggregations: list[Json]) -> str:
    if not aggregations:
        return _selector(text)
    if len(aggregations) > 1:
        raise NotEvaluatedError("several aggregations in a row are not evaluated here")
    one = aggregations[0]
    period = _duration(one.get("alignmentPeriod")) or 60
    aligner, reducer = one.get("perSeriesAligner", ""), one.get("crossSeriesReducer", "")
    groups = [_label(field, text) for field in one.get("groupByFields") or []]
    by = f" by ({', '.join(groups)})" if groups else ""
    if share := _PERCENTILE.fullmatch(aligner):
        kept = ", ".join(["le", *groups])
        buckets = f"sum by ({kept}) (rate({_selector(text, '_bucket')}[{period}s]))"
        return f"histogram_quantile({int(share[1]) / 100:g}, {buckets})"
    if aligner not in _ALIGNERS:
        raise NotEvaluatedError(f"{aligner or 'no aligner'} is not evaluated here")
    aligned = f"{_ALIGNERS[aligner]}({_selector(text)}[{period}s])"
    if reducer in ("", "REDUCE_NONE"):
        return aligned
    if reducer in ("REDUCE_COUNT_FALSE", "REDUCE_COUNT_TRUE"):
        wanted = int(reducer == "REDUCE_COUNT_TRUE")
        return f"count{by} ({aligned} == {wanted})"
    if share := _PERCENTILE.fullmatch(reducer):
        return f"quantile{by} ({int(share[1]) / 100:g}, {aligned})"
    if reducer not in _REDUCERS:
        raise NotEvaluatedError(f"{reducer} is not evaluated here")
    return f"{_REDUCERS[reducer]}{by} ({aligned})"


def _parsed(text: str) -> filters.Filter:
    try:
        return filters.parse(text)
    except FilterError as error:
        raise NotEvaluatedError(str(error)) from error


def _selector(text: str, suffix: str = "") -> str:
    """The PromQL selector of a filter; `suffix` picks a part of a distribution."""
    if re.search(r"\b(OR|NOT)\b", re.sub(r'"(?:[^"\\]|\\.)*"', "", text)):
        raise NotEvaluatedError("a filter with OR or NOT is not evaluated here")
    parsed = _parsed(text)
    types = parsed.required("metric.type")
    if len(types) != 1:
        raise NotEvaluatedError("a filter must name one metric.type")
    matchers = [
        _matcher(_label(one.path, text), one)
        for one in parsed.comparisons
        if one.path != "metric.type"
    ]
    return f"{promql_name(types[0])}{suffix}{{{','.join(matchers)}}}"


def _label(path: str, text: str) -> str:
    """The PromQL label of a field such as `resource.labels.host`."""
    path = path.replace(".label.", ".labels.")
    if path == "resource.type":
        return "monitored_resource"
    kind, _, label = path.rpartition(".")
    if kind not in ("resource.labels", "metric.labels"):
        raise NotEvaluatedError(f"{path} is not evaluated here")
    parsed = _parsed(text)
    resources = set(parsed.required("resource.type"))
    for metric_type in parsed.required("metric.type"):
        if metric_type in METRICS and not resources:
            resources |= METRICS[metric_type].resources
    has_it = any(label in RESOURCES.get(one, ()) for one in resources)
    return f"metric_{label}" if kind == "metric.labels" and has_it else label


def _matcher(label: str, one: Comparison) -> str:
    if one.op in ("=", "!="):
        if len(one.values) == 1:
            return f"{label}{one.op}{_quoted(one.values[0])}"
        pattern = "|".join(re.escape(value) for value in one.values)
        return f"{label}{'=~' if one.op == '=' else '!~'}{_quoted(pattern)}"
    raise NotEvaluatedError(f"the comparison of {one.path} with {one.op} is not evaluated here")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _duration(text: str | None) -> int:
    """Seconds of a duration such as `60s`."""
    return int(float((text or "0s").removesuffix("s")))
