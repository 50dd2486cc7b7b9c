"""When programs that ended are started again: the pauses of a kubelet, a tenth as long.

A kubelet starts a container that ended at once, the next time ten seconds after its end, and then
doubles the pause up to five minutes. It forgets a pod that has not failed for ten minutes.
Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
"""

from __future__ import annotations

FIRST, LONGEST, FORGOTTEN = 1.0, 30.0, 60.0
"""Seconds."""


class Restarts:
    """The pauses of the programs of pods, by a pod's uid. Times are of a monotonic clock."""

    def __init__(self) -> None:
        self._ends: dict[str, tuple[float, float]] = {}
        """When the program last ended, and the pause that began then."""

    def ended(self, uid: str, now: float) -> None:
        """Take note that a pod's program ended by itself."""
        before, pause = self._ends.get(uid, (now, -1.0))
        if now - before > FORGOTTEN:
            pause = -1.0
        longer = 0.0 if pause < 0 else min(max(pause * 2, FIRST), LONGEST)
        self._ends[uid] = (now, longer)

    def is_due(self, uid: str, now: float) -> bool:
        """Whether a pod's program may be started."""
        ended, pause = self._ends.get(uid, (now, 0.0))
        return now - ended >= pause

    def forget(self, uid: str) -> None:
        """A pod is gone."""
        self._ends.pop(uid, None)
