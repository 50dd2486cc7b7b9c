"""Configuration of maintenance windows: `gke-cluster:cluster.maintenance`."""

import re
from datetime import datetime
from math import ceil
from typing import Annotated, Literal

from msgspec import Meta

from gkeplatform.config import Settings, suggestion

Moment = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
ROLLING_DAYS = 32
LEAST_HOURS = 48
"""GKE requires at least so many hours of windows in any `ROLLING_DAYS`."""


class Exclusion(Settings):
    """A maintenance exclusion."""

    name: Annotated[str, Meta(min_length=1, description="Name of the exclusion.")]
    start: Annotated[Moment, Meta(description="Start, in UTC: `2026-12-18T00:00:00Z`.")]
    end: Annotated[Moment, Meta(description="End, in UTC.")]
    scope: Annotated[
        Literal["NO_UPGRADES", "NO_MINOR_UPGRADES", "NO_MINOR_OR_NODE_UPGRADES"],
        Meta(description="Upgrades that are excluded."),
    ] = "NO_UPGRADES"

    def __post_init__(self) -> None:
        days = (moment(self.end) - moment(self.start)).total_seconds() / 86400
        if days <= 0:
            raise ValueError(f"start {self.start} is not before end {self.end}")
        if self.scope == "NO_UPGRADES" and days > _LONGEST_WITHOUT_UPGRADES:
            raise ValueError(
                f"end: {days:.0f} days without any upgrade; GKE allows "
                f"{_LONGEST_WITHOUT_UPGRADES}, or more with scope NO_MINOR_UPGRADES"
            )


_LONGEST_WITHOUT_UPGRADES = 90
_SHORTEST_WINDOW_HOURS = 4


class Maintenance(Settings):
    """The recurring maintenance window of the cluster."""

    start: Annotated[Moment, Meta(description="Start of the first window, in UTC.")]
    end: Annotated[Moment, Meta(description="End of the first window, in UTC.")]
    recurrence: Annotated[
        str,
        Meta(pattern=r"^FREQ=(DAILY|WEEKLY)", description="Recurrence rule (RFC 5545)."),
    ] = "FREQ=WEEKLY;BYDAY=SA,SU"
    exclusions: Annotated[tuple[Exclusion, ...], Meta(description="Maintenance exclusions.")] = ()

    def __post_init__(self) -> None:
        hours = (moment(self.end) - moment(self.start)).total_seconds() / 3600
        if not _SHORTEST_WINDOW_HOURS <= hours <= 24:
            raise ValueError(
                f"end: the window of {hours:g} hours is not between {_SHORTEST_WINDOW_HOURS} and 24"
            )
        times = occurrences(self.recurrence)
        if times * hours < LEAST_HOURS:
            raise ValueError(
                f"recurrence: {times} windows of {hours:g} hours in {ROLLING_DAYS} days are "
                f"{times * hours:g} hours, and GKE requires {LEAST_HOURS}; {_remedy(times)}"
            )


def occurrences(recurrence: str) -> int:
    """The minimum number of windows in `ROLLING_DAYS`; `ValueError` for an invalid rule."""
    parts = dict(part.partition("=")[::2] for part in recurrence.split(";"))
    interval = parts.get("INTERVAL", "1")
    if not re.fullmatch(r"[1-9]\d*", interval):
        raise ValueError(f'recurrence: INTERVAL "{interval}" is not a positive integer')
    days = parts["BYDAY"].split(",") if "BYDAY" in parts else ["MO"]
    for day in days:
        if day not in DAYS:
            raise ValueError(f'recurrence: "{day}" is not a day; {suggestion(day, DAYS)}')
    if parts["FREQ"] == "DAILY":
        return ROLLING_DAYS // int(interval)
    return len(days) * (ROLLING_DAYS // (7 * int(interval)))


def _remedy(times: int) -> str:
    hours = ceil(LEAST_HOURS / times) if times else 25
    if hours <= 24:
        return f"set end {hours} hours after start, or a shorter interval"
    return "set a shorter interval"


def moment(text: str) -> datetime:
    """A point in time in UTC; `ValueError` for an invalid date or time."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
