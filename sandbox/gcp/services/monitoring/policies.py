"""Validation of alert policies, service level objectives and notification channels."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call, project_number
from sandbox.gcp.services.monitoring import aggregations
from sandbox.gcp.services.monitoring.filters import Filter, FilterError, checked
from sandbox.gcp.services.monitoring.metrics import NUMERIC
from sandbox.well_known_types import seconds

_MOST_CONDITIONS = 6
_DAY = 86400
_UNKNOWN_METRIC = (
    "Invalid SLO definition: The metric referenced by the provided filter is unknown. Check the "
    "metric name and labels."
)
# Type of channel: its required labels.
CHANNELS: dict[str, tuple[str, ...]] = {
    "campfire": (),
    "cloud_mobile_app": (),
    "email": ("email_address",),
    "google_chat": ("space",),
    "hipchat": (),
    "pagerduty": ("service_key",),
    "pubsub": ("topic",),
    "slack": ("channel_name", "auth_token"),
    "sms": ("number",),
    "webhook_basicauth": ("url", "username", "password"),
    "webhook_tokenauth": ("url",),
}


def by_id(name: str, project: str) -> str:
    """`projects/NUMBER/…` as `projects/ID/…`."""
    return name.replace(f"projects/{project_number(project)}/", f"projects/{project}/", 1)


def check_filter(call: Call, text: str, field: str, project: str) -> Filter:
    """Parse the filter in a field of the request. Raises ApiError."""
    try:
        return checked(text, lambda name: f"monitoring/{by_id(name, project)}" in call.store)
    except FilterError as error:
        shown = text.replace('"', '\\"')
        raise ApiError(400, f'Field {field} had an invalid value of "{shown}": {error}') from None


def check_conditions(call: Call, policy: Json) -> None:
    """Check the conditions of an alert policy. Raises ApiError."""
    conditions = policy["conditions"]
    if len(conditions) > _MOST_CONDITIONS:
        raise ApiError(
            400,
            f"Field alert_policy.conditions had {len(conditions)} conditions; an alert policy has "
            f"at most {_MOST_CONDITIONS}.",
        )
    for index, condition in enumerate(conditions):
        field = f"alert_policy.conditions[{index}]"
        if not condition.get("displayName"):
            raise ApiError(400, f"Field {field}.display_name was not set")
        threshold = condition.get("conditionThreshold")
        if threshold is not None:
            _check_threshold(call, threshold, f"{field}.condition_threshold")
        absent = condition.get("conditionAbsent")
        if absent is not None:
            _check_series(call, absent, f"{field}.condition_absent")
    close = (policy.get("alertStrategy") or {}).get("autoClose")
    if close is not None and not 1800 <= _seconds(close) <= 7 * _DAY:
        raise ApiError(
            400,
            f'Field alert_policy.alert_strategy.auto_close had an invalid value of "{close}": '
            "must be between 30 minutes and 7 days.",
        )


def _seconds(duration: str) -> float:
    """The length of a duration; a malformed one is outside all limits."""
    try:
        return seconds(duration)
    except ValueError:
        return -1


def _check_threshold(call: Call, threshold: Json, field: str) -> None:
    if not threshold.get("comparison"):
        raise ApiError(400, f"Field {field}.comparison was not set")
    value = _check_series(call, threshold, field)
    if value and value not in NUMERIC:
        raise ApiError(
            400,
            f"Field {field}.aggregations had an invalid value: a threshold cannot be compared "
            f"with values of type {value}.",
        )


def _check_series(call: Call, condition: Json, field: str) -> str:
    """Check filter, aggregations and duration; the type of the values, or "" if unknown."""
    duration = str(condition.get("duration") or "0s")
    if not aggregations.is_minutes(duration):
        raise ApiError(
            400,
            f'Field {field}.duration had an invalid value of "{duration}": duration must be in '
            "multiples of one minute",
        )
    text = condition.get("filter")
    if not text:
        raise ApiError(400, f"Field {field}.filter was not set")
    found = check_filter(call, text, f"{field}.filter", call.path["projectsId"])
    given = condition.get("aggregations") or []
    return aggregations.check(given, found.metric, f"{field}.aggregations")


def check_objective(call: Call, objective: Json) -> None:
    """Check an objective: goal, period and indicator. Raises ApiError."""
    goal = objective.get("goal")
    if not isinstance(goal, int | float) or not 0 < goal < 1:
        raise ApiError(400, "An objective's goal must be greater than 0 and less than 1.")
    rolling = objective.get("rollingPeriod")
    if not rolling and not objective.get("calendarPeriod"):
        raise ApiError(400, "An objective must have a rolling_period or a calendar_period.")
    if rolling:
        length = _seconds(str(rolling))
        if length % _DAY or not 1 <= length / _DAY <= 30:
            raise ApiError(400, f'Invalid rolling_period "{rolling}": must be 1 to 30 whole days.')
    indicator = objective.get("serviceLevelIndicator") or {}
    if len(indicator) != 1:
        raise ApiError(400, "Invalid SLO definition: exactly one indicator must be set.")
    for filter_, wants in _measured(indicator.get("requestBased") or {}):
        _check_measured(call, filter_, wants)


def _measured(requests: Json) -> Iterator[tuple[str, str]]:
    """The filters of a request-based indicator, each with COUNT or DISTRIBUTION."""
    ratio, cut = requests.get("goodTotalRatio"), requests.get("distributionCut")
    if (ratio is None) == (cut is None):
        if requests:
            raise ApiError(400, "Invalid SLO definition: set a ratio or a distribution cut.")
        return
    if ratio is not None:
        given = [
            ratio[name]
            for name in ("goodServiceFilter", "badServiceFilter", "totalServiceFilter")
            if ratio.get(name)
        ]
        if len(given) != 2:
            raise ApiError(
                400,
                "Invalid SLO definition: exactly two of good_service_filter, bad_service_filter "
                "and total_service_filter must be set.",
            )
        yield from ((one, "COUNT") for one in given)
    elif cut is not None:
        if not (cut.get("range") or {}).keys() & {"min", "max"}:
            raise ApiError(400, "Invalid SLO definition: the range of the cut is not set.")
        yield str(cut.get("distributionFilter") or ""), "DISTRIBUTION"


def _check_measured(call: Call, text: str, wants: str) -> None:
    project = call.path["v3Id1"]
    try:
        metric = check_filter(call, text, "service_level_indicator.filter", project).metric
    except ApiError as error:
        if error.code == 404:
            raise ApiError(400, _UNKNOWN_METRIC) from None
        raise
    if metric is None:
        return
    if wants == "DISTRIBUTION" and metric.value != "DISTRIBUTION":
        raise ApiError(
            400, "Invalid SLO definition: a distribution cut needs a metric of distributions."
        )
    if wants == "COUNT" and (metric.kind == "GAUGE" or metric.value not in NUMERIC):
        raise ApiError(
            400,
            "Invalid SLO definition: a ratio needs metrics that count, of kind DELTA or "
            "CUMULATIVE.",
        )


def check_channel(channel: Json) -> None:
    """Check a channel: its type, and the labels that the type requires. Raises ApiError."""
    kind = channel.get("type")
    if kind not in CHANNELS:
        raise ApiError(400, f"Unknown notification channel type {kind!r}.")
    labels = channel.get("labels") or {}
    for name in CHANNELS[kind]:
        if not labels.get(name):
            raise ApiError(
                400, f"Field \"notification_channel.labels['{name}']\" is required for {kind}."
            )
