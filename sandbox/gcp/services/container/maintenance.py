"""Maintenance windows of a cluster: validation of their recurrence, and of the hours they leave.

Exclusions are stored as given; nothing is upgraded in a window.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from dateutil.rrule import rrule, rrulestr

from sandbox.gcp.services.container.checks import InvalidError
from sandbox.gcp.services.container.wire_format import Json
from sandbox.well_known_types import moment

_MIN_HOURS = 48
_PERIOD = timedelta(days=32)
_MIN_WINDOW = timedelta(hours=4)
"""Shorter windows do not count."""
_HORIZON = timedelta(days=366)
"""Rules are examined for a year: longer intervals leave 32 days without a window anyway."""
# dateutil never returns for an interval of 0, and fails on one of many digits.
_PART = r"INTERVAL=[1-9]\d{0,3}|(?!INTERVAL)[^;\s]+"
_RULE = re.compile(rf"FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;({_PART}))*")


def check(window: Json) -> None:
    """Check a cluster's maintenance window. Raises `InvalidError`."""
    if window.get("dailyMaintenanceWindow") and window.get("recurringWindow"):
        raise InvalidError("Only one of daily_maintenance_window and recurring_window may be set.")
    recurring = window.get("recurringWindow")
    if recurring and _least_hours(recurring) < _MIN_HOURS:
        raise InvalidError(
            "Error validating maintenance policy: maintenance policy would go longer than 32d "
            "without 48h maintenance availability (in windows of >=4h)."
        )


def _least_hours(recurring: Json) -> float:
    """The hours of a recurring window in the 32 days that have the fewest of them."""
    times = recurring.get("window") or {}
    try:
        start, end = (moment(str(times.get(key) or "")) for key in ("startTime", "endTime"))
    except ValueError:
        raise InvalidError("A recurring_window needs a window with a start and an end.") from None
    starts = _starts(str(recurring.get("recurrence") or ""), start)
    if end - start < _MIN_WINDOW:
        return 0
    # The fewest windows are in the days that begin just after one.
    fewest = min(
        sum(first < other <= first + _PERIOD for other in starts)
        for first in (start, *starts)
        if first <= start + _HORIZON - _PERIOD
    )
    return fewest * (end - start).total_seconds() / 3600


def _starts(text: str, start: datetime) -> list[datetime]:
    """When the windows of the first year start."""
    try:
        rule = rrulestr(text, dtstart=start) if _RULE.fullmatch(text) else None
    except ValueError:
        rule = None
    if not isinstance(rule, rrule):
        raise InvalidError(
            f"Invalid recurrence {text!r} of recurring_window: it must be an RRULE of RFC 5545 "
            "such as FREQ=WEEKLY;BYDAY=SA,SU; FREQ is DAILY, WEEKLY, MONTHLY or YEARLY."
        )
    return list(rule.between(start, start + _HORIZON, inc=True))
