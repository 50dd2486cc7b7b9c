"""What runs a model server: a Deployment, or a LeaderWorkerSet of groups. Pure functions.

A group is one replica on several hosts: a leader and its workers. It is available when all of them
are ready, and an evicted pod takes its whole group with it. Replicas, budgets and rollouts are
therefore counted in groups, which the API server counts in pods. Fields are those of
LeaderWorkerSet v1 of LWS 0.9 (https://lws.sigs.k8s.io/docs/reference/leaderworkerset.v1/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gkeplatform.leader_worker_sets import API, GROUP_LABEL, KIND, NAME_LABEL, SIZE

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind that runs model servers."""

    name: str
    api: str
    """The path of its API group and version."""
    collection: str
    templates: tuple[tuple[str, ...], ...]
    """Where its pod templates are. The first is of the pods that answer callers."""

    @property
    def resource(self) -> str:
        """As kubectl names it, with the API group."""
        return f"{self.collection}.{self.api.split('/')[2]}"

    @property
    def token(self) -> str:
        """The type of its resources in Pulumi."""
        return f"kubernetes:{self.api.removeprefix('/apis/')}:{self.name}"


DEPLOYMENT = Kind(
    name="Deployment",
    api="/apis/apps/v1",
    collection="deployments",
    templates=(("template",),),
)
GROUPS = Kind(
    name=KIND,
    api=f"/apis/{API}",
    collection="leaderworkersets",
    templates=(
        ("leaderWorkerTemplate", "leaderTemplate"),
        ("leaderWorkerTemplate", "workerTemplate"),
    ),
)
KINDS = {kind.name: kind for kind in (DEPLOYMENT, GROUPS)}


def is_groups(workload: Mapping[str, Any]) -> bool:
    """Whether its replicas are groups of pods."""
    return bool(workload["kind"] == KIND)


def hosts(workload: Mapping[str, Any]) -> int:
    """The pods of one replica."""
    return (
        int(workload["spec"]["leaderWorkerTemplate"].get("size", 1)) if is_groups(workload) else 1
    )


def replicas(workload: Mapping[str, Any]) -> int:
    """The replicas that it is to have."""
    return int(workload["spec"].get("replicas", 1))


def ready(workload: Mapping[str, Any]) -> int:
    """Its ready replicas: of groups, those whose leader and workers are all ready."""
    return int((workload.get("status") or {}).get("readyReplicas", 0))


def template(kind: Kind, spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """The template of the pods that answer callers, of a workload's spec.

    A LeaderWorkerSet without a template for leaders makes them of the workers'.
    """
    for path in kind.templates:
        found: Any = spec
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        if isinstance(found, Mapping):
            return found
    return {}


def template_of(workload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The template of the pods of a workload that answer callers."""
    return template(KINDS[workload["kind"]], workload["spec"])


def selector(workload: Mapping[str, Any]) -> dict[str, str]:
    """Labels of all its pods."""
    if is_groups(workload):
        return {NAME_LABEL: workload["metadata"]["name"]}
    return dict((workload["spec"].get("selector") or {}).get("matchLabels") or {})


def is_over(workload: Mapping[str, Any]) -> bool:
    """Whether a rollout is over, as `kubectl rollout status` says, and no replica is missing."""
    status, wanted = workload.get("status") or {}, replicas(workload)
    available = "readyReplicas" if is_groups(workload) else "availableReplicas"
    counts = ("updatedReplicas", "replicas", available)
    return bool(
        status.get("observedGeneration", 0) >= workload["metadata"]["generation"]
        and all(status.get(count, 0) == wanted for count in counts)
    )


def budget(workload: Mapping[str, Any] | None, status: Mapping[str, Any]) -> tuple[int, int]:
    """Replicas that a disruption budget demands, and those that are healthy.

    Of groups the budget's status counts pods: it lets `expectedPods - desiredHealthy` of them go,
    and each takes a group.
    """
    desired, healthy = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
    if workload is None or not is_groups(workload):
        return desired, healthy
    disrupted = status.get("expectedPods", 0) - desired
    return max(0, replicas(workload) - disrupted), ready(workload)


def group_of(pod: Mapping[str, Any]) -> str | None:
    """What the pods of one group have in common; None for a pod of its own."""
    value = (pod["metadata"].get("labels") or {}).get(GROUP_LABEL)
    return None if value is None else str(value)


def whole(pods: Sequence[Json]) -> bool:
    """Whether all pods of a group are there."""
    sizes = {int((pod["metadata"].get("annotations") or {}).get(SIZE, 1)) for pod in pods}
    return len(pods) >= max(sizes, default=1)
