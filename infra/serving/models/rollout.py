"""How a Deployment replaces its pods: surge and unavailability of a rolling update."""

from dataclasses import dataclass

from infra.serving.manifest import Manifest
from infra.serving.models.availability import Rollout


@dataclass(frozen=True, slots=True)
class RollingUpdate:
    """Pods above and below the replicas during a rolling update."""

    surge: int
    unavailable: int

    def spec(self) -> Manifest:
        """The `rollingUpdate` of a Deployment's strategy."""
        return {"maxSurge": self.surge, "maxUnavailable": self.unavailable}


def rolling_update(rollout: Rollout, *, can_surge: bool = True) -> RollingUpdate:
    """A surge of one pod unless the entry sets another, or nothing is free for one.

    Without a surge one pod is stopped before its successor starts.
    """
    surge, unavailable = rollout.max_surge, rollout.max_unavailable
    if surge is None:
        surge = 1 if can_surge and not unavailable else 0
    return RollingUpdate(surge, (0 if surge else 1) if unavailable is None else unavailable)
