"""Protobuf's well-known types as JSON carries them: field masks, durations and timestamps.

Parsed by protobuf itself. A value that protobuf refuses is a ValueError here; the service that
reads it answers in its own words.
"""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp


def mask_paths(text: str) -> list[str]:
    """The paths of a field mask, in camelCase. Google takes camelCase and snake_case. Raises."""
    mask = FieldMask()
    for path in (part.strip() for part in text.split(",")):
        if "_" in path:
            mask.paths.append(path)
        elif path:
            camel = FieldMask()
            camel.FromJsonString(path)
            mask.paths.extend(camel.paths)
    return [path for path in mask.ToJsonString().split(",") if path]


def seconds(text: str) -> float:
    """The length of a duration such as `3600s`. Raises."""
    duration = Duration()
    duration.FromJsonString(text)
    return duration.ToNanoseconds() / 1e9


def moment(text: str) -> datetime:
    """A timestamp in RFC 3339, in UTC. Raises."""
    timestamp = Timestamp()
    timestamp.FromJsonString(text)
    return timestamp.ToDatetime(tzinfo=UTC)
