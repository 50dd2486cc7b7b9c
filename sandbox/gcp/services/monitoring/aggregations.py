"""Which aligners and reducers Cloud Monitoring applies to time series of which kind and type."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.services.monitoring.metrics import NUMERIC, Metric
from sandbox.well_known_types import seconds

_DISTRIBUTION = frozenset({"DISTRIBUTION"})
_BOOL = frozenset({"BOOL"})
_ANY = NUMERIC | _DISTRIBUTION | _BOOL | {"STRING"}
_FLOWS = frozenset({"CUMULATIVE", "DELTA"})
_STILL = frozenset({"GAUGE"})
_MEASURED = frozenset({"GAUGE", "DELTA"})
# Aligner: kinds and value types of its input, and those of its output ("" means unchanged).
_ALIGNERS: dict[str, tuple[frozenset[str], frozenset[str], str, str]] = {
    "ALIGN_DELTA": (_FLOWS, NUMERIC | _DISTRIBUTION, "DELTA", ""),
    "ALIGN_RATE": (_FLOWS, NUMERIC, "GAUGE", "DOUBLE"),
    "ALIGN_INTERPOLATE": (_STILL, NUMERIC, "GAUGE", ""),
    "ALIGN_NEXT_OLDER": (_STILL, _ANY, "GAUGE", ""),
    "ALIGN_MIN": (_STILL, NUMERIC, "GAUGE", ""),
    "ALIGN_MAX": (_STILL, NUMERIC, "GAUGE", ""),
    "ALIGN_MEAN": (_STILL, NUMERIC, "GAUGE", "DOUBLE"),
    "ALIGN_COUNT": (_MEASURED, NUMERIC | _BOOL, "GAUGE", "INT64"),
    "ALIGN_SUM": (_MEASURED, NUMERIC | _DISTRIBUTION, "", ""),
    "ALIGN_STDDEV": (_MEASURED, NUMERIC, "GAUGE", "DOUBLE"),
    "ALIGN_COUNT_TRUE": (_STILL, _BOOL, "GAUGE", "INT64"),
    "ALIGN_COUNT_FALSE": (_STILL, _BOOL, "GAUGE", "INT64"),
    "ALIGN_FRACTION_TRUE": (_STILL, _BOOL, "GAUGE", "DOUBLE"),
    "ALIGN_PERCENTILE_99": (_MEASURED, _DISTRIBUTION, "GAUGE", "DOUBLE"),
    "ALIGN_PERCENTILE_95": (_MEASURED, _DISTRIBUTION, "GAUGE", "DOUBLE"),
    "ALIGN_PERCENTILE_50": (_MEASURED, _DISTRIBUTION, "GAUGE", "DOUBLE"),
    "ALIGN_PERCENTILE_05": (_MEASURED, _DISTRIBUTION, "GAUGE", "DOUBLE"),
    "ALIGN_PERCENT_CHANGE": (_MEASURED, NUMERIC, "GAUGE", "DOUBLE"),
}
_REDUCERS: dict[str, tuple[frozenset[str], str]] = {
    "REDUCE_MEAN": (NUMERIC | _DISTRIBUTION, "DOUBLE"),
    "REDUCE_MIN": (NUMERIC, ""),
    "REDUCE_MAX": (NUMERIC, ""),
    "REDUCE_SUM": (NUMERIC | _DISTRIBUTION, ""),
    "REDUCE_STDDEV": (NUMERIC | _DISTRIBUTION, "DOUBLE"),
    "REDUCE_COUNT": (_ANY, "INT64"),
    "REDUCE_COUNT_TRUE": (_BOOL, "INT64"),
    "REDUCE_COUNT_FALSE": (_BOOL, "INT64"),
    "REDUCE_FRACTION_TRUE": (_BOOL, "DOUBLE"),
    "REDUCE_PERCENTILE_99": (NUMERIC | _DISTRIBUTION, "DOUBLE"),
    "REDUCE_PERCENTILE_95": (NUMERIC | _DISTRIBUTION, "DOUBLE"),
    "REDUCE_PERCENTILE_50": (NUMERIC | _DISTRIBUTION, "DOUBLE"),
    "REDUCE_PERCENTILE_05": (NUMERIC | _DISTRIBUTION, "DOUBLE"),
}


def check(aggregations: Sequence[Json], metric: Metric | None, field: str) -> str:
    """Check the aggregations in `field`; the value type of their result, or "" if unknown."""
    kind, value = (metric.kind, metric.value) if metric else ("", "")
    for index, one in enumerate(aggregations):
        kind, value = _step(one, kind, value, f"{field}[{index}]")
    return value


def _step(one: Json, kind: str, value: str, field: str) -> tuple[str, str]:
    _check_period(one, field)
    aligner = str(one.get("perSeriesAligner") or "ALIGN_NONE")
    reducer = str(one.get("crossSeriesReducer") or "REDUCE_NONE")
    if one.get("groupByFields") and reducer == "REDUCE_NONE":
        raise ApiError(400, "An aggregation cannot have group-by fields without a reducer.")
    if reducer != "REDUCE_NONE" and aligner == "ALIGN_NONE":
        raise ApiError(
            400,
            f'Field {field}.cross_series_reducer had an invalid value of "{reducer}": A reducer '
            "cannot be applied without an aligner.",
        )
    if aligner != "ALIGN_NONE" and kind:
        kinds, values, kind_after, value_after = _ALIGNERS[aligner]
        if kind not in kinds or value not in values:
            raise ApiError(
                400,
                f'Field {field}.per_series_aligner had an invalid value of "{aligner}": The '
                f"aligner cannot be applied to metrics with kind {kind} and value type {value}.",
            )
        kind, value = kind_after or kind, value_after or value
    if reducer != "REDUCE_NONE" and value:
        values, value_after = _REDUCERS[reducer]
        if value not in values:
            raise ApiError(
                400,
                f'Field {field}.cross_series_reducer had an invalid value of "{reducer}": The '
                f"reducer cannot be applied to metrics with value type {value}.",
            )
        value = value_after or value
    return kind, value


def _check_period(one: Json, field: str) -> None:
    given = str(one.get("alignmentPeriod") or "")
    if given and not is_minutes(given, least=60):
        raise ApiError(
            400,
            f'Field {field}.alignment_period had an invalid value of "{given}": alignment period '
            "must be in multiples of one minute",
        )


def is_minutes(duration: str, *, least: int = 0) -> bool:
    """Whether a duration is valid, whole minutes, and at least `least` seconds."""
    try:
        length = seconds(duration)
    except ValueError:
        return False
    return length % 60 == 0 and length >= least
