"""Instance groups that could not grow: when they are asked again, and what their pods are told.

The times are those of the cluster autoscaler, which waits five minutes after a failure, and twice
as long after each further one, half an hour at most. Its loop runs ten times as often here, and so
the times are a tenth. The texts are those of its events on GKE.
"""

from __future__ import annotations

FIRST, LONGEST = 30.0, 180.0
"""Seconds."""
_REASONS = {
    "QUOTA_EXCEEDED": "GCE quota exceeded",
    "ZONE_RESOURCE_POOL_EXHAUSTED": "GCE out of resources",
}


class Backoff:
    """The groups that are left alone for a while. Times are of a monotonic clock."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._waits: dict[str, float] = {}

    def failed(self, group: str, now: float) -> None:
        """Take note that a group could not grow."""
        wait = min(self._waits.get(group, FIRST / 2) * 2, LONGEST)
        self._waits[group], self._until[group] = wait, now + wait

    def grew(self, group: str) -> None:
        """Take note that a group has grown: the next failure is the first one again."""
        self._waits.pop(group, None)
        self._until.pop(group, None)

    def groups(self, now: float) -> frozenset[str]:
        """The groups that are not to be asked now."""
        return frozenset(group for group, until in self._until.items() if until > now)


def failure(zone: str, code: str) -> str:
    """The message of a FailedScaleUp event."""
    reason = _REASONS.get(code, "GCE error")
    return (
        f"Node scale up in zones {zone} associated with this pod failed: {reason}. "
        "Pod is at risk of not being scheduled."
    )
