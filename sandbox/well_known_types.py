"""Protobuf's durations and timestamps, as JSON carries them.

Parsed by protobuf itself. A value that protobuf refuses is a ValueError here; an emulated service
that reads it answers with an error message of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp


def seconds(text: str) -> float:
    """The length of a duration such as `3600s`. Raises."""
    duration = Duration()
    duration.FromJsonString(text)
    return duration.ToNanoseconds() / 1e9


def moment(text: str) -> datetime:
    """A timestamp in RFC 3339, in UTC. Raises."""
    parsed = Timestamp()
    parsed.FromJsonString(text)
    return parsed.ToDatetime(tzinfo=UTC)


def timestamp(at: datetime) -> str:
    """A moment as Google formats it: UTC with microseconds, so that text order is time order."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
