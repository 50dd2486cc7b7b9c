"""When a cluster is maintained, and when not: `gke-cluster:cluster.maintenance`. Pure."""

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
"""GKE wants so many hours of windows in any so many days."""


class Exclusion(Settings):
    """A time in which the cluster is left alone."""

    name: Annotated[str, Meta(min_length=1, description="What it is for.")]
    start: Annotated[Moment, Meta(description="From, in UTC: `2026-12-18T00:00:00Z`.")]
    end: Annotated[Moment, Meta(description="To, in UTC.")]
    scope: Annotated[
        Literal["NO_UPGRADES", "NO_MINOR_UPGRADES", "NO_MINOR_OR_NODE_UPGRADES"],
        Meta(description="What is not to happen."),
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
    """When the cluster is upgraded and repaired."""

    start: Annotated[Moment, Meta(description="Begin of the first window, in UTC.")]
    end: Annotated[Moment, Meta(description="End of the first window, in UTC.")]
    recurrence: Annotated[
        str,
        Meta(pattern=r"^FREQ=(DAILY|WEEKLY)", description="How it recurs, as RFC 5545 has it."),
    ] = "FREQ=WEEKLY;BYDAY=SA,SU"
    exclusions: Annotated[
        tuple[Exclusion, ...], Meta(description="Times in which the cluster is left alone.")
    ] = ()

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
                f"{times * hours:g} hours, and GKE wants {LEAST_HOURS}; {_remedy(times)}"
            )


def occurrences(recurrence: str) -> int:
    """How many windows there are at least in the days that GKE looks at. Raises `ValueError`."""
    parts = dict(part.partition("=")[::2] for part in recurrence.split(";"))
    interval = parts.get("INTERVAL", "1")
    if not re.fullmatch(r"[1-9]\d*", interval):
        raise ValueError(f'recurrence: INTERVAL "{interval}" is no whole number')
    days = parts["BYDAY"].split(",") if "BYDAY" in parts else ["MO"]
    for day in days:
        if day not in DAYS:
            raise ValueError(f'recurrence: "{day}" is no day; {suggestion(day, DAYS)}')
    if parts["FREQ"] == "DAILY":
        return ROLLING_DAYS // int(interval)
    return len(days) * (ROLLING_DAYS // (7 * int(interval)))


def _remedy(times: int) -> str:
    hours = ceil(LEAST_HOURS / times) if times else 25
    if hours <= 24:
        return f"set end {hours} hours after start, or let it recur more often"
    return "let it recur more often"


def moment(text: str) -> datetime:
    """A moment in UTC; `ValueError` where there is no such day or hour."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
