"""How a Deployment replaces its pods, and how long that may take."""

from dataclasses import dataclass

from infra.serving.manifest import Manifest
from infra.serving.models.availability import Rollout
from infra.serving.models.files import Download
from infra.serving.models.shared_cache import SharedCache
from infra.serving.models.workload import Workload
from infra.serving.quantity import amount

PROVISIONING_SECONDS = 300
"""Time for a new node, and for the image to be pulled onto it."""
_COPY_RATE = 50 * 2**20
"""Bytes per second at which files are assumed to be copied from the bucket at least."""
_SHORTEST_DEADLINE = 600
"""Kubernetes' own default."""


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


def start_seconds(workload: Workload) -> int:
    """The longest time from a pod's creation until it serves: node, image, files and loading."""
    files = workload.files
    size = files.size if isinstance(files, Download | SharedCache) else "0"
    return PROVISIONING_SECONDS + int(amount(size) / _COPY_RATE) + workload.startup_seconds


def progress_deadline(workload: Workload) -> int:
    """Seconds in which a rollout must replace at least one pod, else the Deployment reports it.

    A new pod may have to wait until an old one has drained and left its GPUs.
    """
    return max(_SHORTEST_DEADLINE, workload.grace_seconds + start_seconds(workload))


def wait_seconds(workload: Workload, update: RollingUpdate) -> int:
    """How long the engine waits for a whole rollout, which replaces a few pods at a time.

    Kubernetes goes on after that. On GKE a pod that the load balancer does not find healthy counts
    as ready after ten minutes, and the rollout continues: a shorter time tells of it before.
    """
    if workload.rollout.timeout_seconds is not None:
        return workload.rollout.timeout_seconds
    at_once = max(1, update.surge + update.unavailable)
    turns = -(-workload.replicas.max // at_once)
    return turns * progress_deadline(workload)
