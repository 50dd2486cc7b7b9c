"""Which workloads a change loses or interrupts, and for how long at most.

The arithmetic follows Kubernetes: a rolling update keeps `replicas - maxUnavailable` pods, and a
drain evicts no more pods than the disruption budget allows. Of a LeaderWorkerSet both count groups.
Nothing here asks a cluster.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from cli import workloads
from cli.capacity.class_rules import COMPUTE_CLASS
from cli.impact.contracts import CLUSTER_TYPE, POOL_TYPE
from cli.impact.losses import Loss
from cli.impact.operations import Change, Operation
from cli.impact.replaced_cluster import REASON
from gkeplatform.contracts import COMPUTE_CLASS as CLASS_LABEL

Json = Mapping[str, Any]
CONTROLLERS = (
    workloads.DEPLOYMENT.token,
    workloads.GROUPS.token,
    "kubernetes:apps/v1:StatefulSet",
    "kubernetes:apps/v1:DaemonSet",
)
_BUDGET = "kubernetes:policy/v1:PodDisruptionBudget"
_AUTOSCALER = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
_GROUPS = workloads.GROUPS.token
_POOL_LABEL = "cloud.google.com/gke-nodepool"
DEADLINE = 600
"""The default of `progressDeadlineSeconds`: after it a rollout has failed."""
POOL_CREATION = 1800
"""Seconds that the Google provider waits for a node pool to be created, and to be deleted."""
CLUSTER_CREATION = 2400
"""Seconds that the Google provider waits for a cluster to be created, and to be deleted."""
_ROLLED = ("spec.template", "spec.leaderWorkerTemplate", "spec.networkConfig")
"""What rolls out when it changes: LWS replaces groups for the last two."""
_ROLLING = (workloads.DEPLOYMENT.token, _GROUPS)
DRAIN_HOUR = 3600
"""Seconds after which GKE ends the pods of a node that it upgrades, budget or not."""


def losses(changes: Sequence[Change]) -> Iterator[Loss]:
    """The workloads that are lost or interrupted by the changes of all layers."""
    pools = {
        one.step.name: one
        for one in changes
        if one.step.type == POOL_TYPE and one.operation is not Operation.SAME
    }
    cluster_goes = any(
        one.step.type == CLUSTER_TYPE and one.operation in (Operation.REPLACE, Operation.DELETE)
        for one in changes
    )
    scale = Scale(changes)
    reordered = {_object_name(one) for one in changes if _prefers_others(one)}
    for change in changes:
        if change.step.type in CONTROLLERS:
            yield from _of(change, pools, scale, cluster_goes=cluster_goes)
            yield from _migrating(change, reordered, scale)


class Scale:
    """Replicas and disruption budgets of the workloads, as they are after the update."""

    def __init__(self, changes: Iterable[Change]) -> None:
        alive = [one for one in changes if one.operation is not Operation.DELETE]
        self._budgets = [_spec(one) for one in alive if one.step.type == _BUDGET]
        self._budgeted = [_namespace(one) for one in alive if one.step.type == _BUDGET]
        self._least = {
            (_namespace(one), _at(_spec(one), "scaleTargetRef", "name")): _spec(one)
            for one in alive
            if one.step.type == _AUTOSCALER
        }

    def replicas(self, change: Change) -> int | None:
        """The least number of pods; None where it is not known, as for a DaemonSet."""
        if change.step.type.endswith(":DaemonSet"):
            return None
        autoscaler = self._least.get((_namespace(change), _object_name(change)))
        if autoscaler is not None:
            return _whole(autoscaler.get("minReplicas", 1))
        return _whole(_spec(change).get("replicas", 1))

    def evictable(self, change: Change) -> int | None:
        """How many of its pods a drain may evict at once; None where no budget limits it."""
        replicas = self.replicas(change)
        labels = _at(_template(change), "metadata", "labels") or {}
        hosts = _hosts(change)
        for namespace, budget in zip(self._budgeted, self._budgets, strict=True):
            wanted = _at(budget, "selector", "matchLabels")
            is_its = bool(wanted) and wanted.items() <= labels.items()
            if namespace != _namespace(change) or not is_its or replicas is None:
                continue
            # Kubernetes rounds both percentages up. It counts the pods of groups, and an evicted
            # one takes its group with it.
            pods = replicas * hosts
            if "minAvailable" in budget:
                least = amount(budget["minAvailable"], pods, up=True)
                return None if least is None else max(0, pods - least)
            return amount(budget.get("maxUnavailable"), pods, up=True)
        return None


def amount(value: Any, replicas: int, *, up: bool) -> int | None:
    """A number of pods, given as a number or as a percentage; None where it is neither."""
    if isinstance(value, str) and value.endswith("%") and value[:-1].isdigit():
        share = int(value[:-1]) * replicas / 100
        return math.ceil(share) if up else math.floor(share)
    return _whole(value)


def rollout(spec: Json, replicas: int) -> tuple[int, bool]:
    """The replicas that serve through the rollout of a Deployment or of groups; whether any do."""
    if "leaderWorkerTemplate" in spec:
        rolling = _at(spec, "rolloutStrategy", "rollingUpdateConfiguration") or {}
        stopped = amount(rolling.get("maxUnavailable", 1), replicas, up=False) or 0
        if not stopped and not amount(rolling.get("maxSurge", 0), replicas, up=True):
            stopped = 1  # the API server refuses both to be 0
        return max(0, replicas - stopped), True
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0, False
    rolling = strategy.get("rollingUpdate") or {}
    unavailable = amount(rolling.get("maxUnavailable", "25%"), replicas, up=False) or 0
    surge = amount(rolling.get("maxSurge", "25%"), replicas, up=True) or 0
    if not unavailable and not surge:
        unavailable = 1  # Kubernetes does so, since nothing could change otherwise
    return max(0, replicas - unavailable), True


def _of(
    change: Change, pools: Mapping[str, Change], scale: Scale, *, cluster_goes: bool
) -> Iterator[Loss]:
    spec = _spec(change)
    name = f"{change.step.kind} {_namespace(change)}/{_object_name(change)}"
    deadline = _whole(spec.get("progressDeadlineSeconds", DEADLINE)) or DEADLINE
    if change.operation is Operation.CREATE:
        return
    if change.operation is Operation.DELETE:
        yield Loss("workload", name, "is deleted", None, change.layer, is_final=True)
        return
    if change.operation is Operation.REPLACE:
        if cluster_goes or change.causes == (REASON,):
            told = "goes with the cluster, and is created again in the new one"
            limit = 2 * CLUSTER_CREATION + POOL_CREATION + deadline
        else:
            told, limit = "is deleted and created again", deadline
        yield Loss("workload", name, told, limit, change.layer)
        return
    template = [path for path in change.causes if path.startswith(_ROLLED)]
    if change.operation is Operation.UPDATE and template:
        yield _rolled(name, spec, scale.replicas(change), deadline, change)
    yield from _drained(name, change, pools, scale, deadline)


def _rolled(name: str, spec: Json, replicas: int | None, deadline: int, change: Change) -> Loss:
    if replicas is None or change.step.type not in _ROLLING:
        told = "rolls out; how many pods serve meanwhile is not known"
        return Loss("workload", name, told, None, change.layer, is_certain=False)
    remaining, is_rolling = rollout(spec, replicas)
    if remaining:
        told = f"rolls out; at least {remaining} of {replicas} replicas serve"
        return Loss("workload", name, told, 0, change.layer)
    why = "all pods stop before new ones start" if not is_rolling else "no replica may be left"
    return Loss("workload", name, f"rolls out; {why}", deadline, change.layer)


def _drained(
    name: str,
    change: Change,
    pools: Mapping[str, Change],
    scale: Scale,
    deadline: int,
) -> Iterator[Loss]:
    """What a change of its node pool does; only a pool that the pods name is known to be theirs."""
    selector = _at(_template(change), "spec", "nodeSelector") or {}
    pool = pools.get(selector.get(_POOL_LABEL, ""))
    if pool is None:
        return
    if pool.operation in (Operation.REPLACE, Operation.DELETE):
        gone = pool.operation is Operation.DELETE
        told = (
            f"waits for nodes: it runs in node pool {pool.step.name} only, which is deleted"
            if gone
            else f"has no nodes while node pool {pool.step.name} is replaced; GKE does not keep "
            "disruption budgets when it deletes a pool"
        )
        limit = None if gone else 2 * POOL_CREATION + deadline
        yield Loss("workload", name, told, limit, change.layer)
    elif pool.operation is Operation.UPDATE and renews_nodes(pool):
        replicas, evictable = scale.replicas(change), scale.evictable(change)
        yield upgraded(name, pool.step.name, replicas, evictable, change.layer)


def renews_nodes(pool: Change) -> bool:
    """Whether an update of a node pool in place creates its nodes anew."""
    return any(path.startswith(("nodeConfig.", "version")) for path in pool.causes)


def upgraded(name: str, pool: str, replicas: int | None, evictable: int | None, layer: str) -> Loss:
    """What it means for a workload that the nodes of its pool are replaced one after another."""
    told = f"moves while the nodes of pool {pool} are replaced"
    if replicas is None or evictable is None:
        return Loss(
            "workload", name, f"{told}; it has no disruption budget", None, layer, is_certain=False
        )
    if evictable == 0:
        told += (
            f"; its budget allows no eviction of {replicas}, and after an hour GKE ends the pods"
        )
        return Loss("workload", name, told, None, layer)
    if remaining := replicas - min(evictable, replicas):
        return Loss("workload", name, f"{told}; {remaining} of {replicas} serve", 0, layer)
    return Loss("workload", name, f"{told}; no replica may be left", DEADLINE, layer)


def _prefers_others(change: Change) -> bool:
    """Whether a compute class changes its choices, and GKE moves pods to those that it prefers."""
    return (
        change.step.type == COMPUTE_CLASS
        and change.operation is Operation.UPDATE
        and any(path.startswith("spec.priorities") for path in change.causes)
        and bool(_at(_spec(change), "activeMigration", "optimizeRulePriority"))
    )


def _migrating(change: Change, reordered: Collection[str], scale: Scale) -> Iterator[Loss]:
    """What GKE's active migration may do to a workload; it evicts no more than budgets allow."""
    selector = _at(_template(change), "spec", "nodeSelector") or {}
    class_ = selector.get(CLASS_LABEL, "")
    if class_ not in reordered or change.operation not in (Operation.SAME, Operation.UPDATE):
        return
    replicas, evictable = scale.replicas(change), scale.evictable(change)
    if evictable == 0 or not replicas:
        return
    told = f"may move to nodes that class {class_} prefers now"
    left = None if evictable is None else replicas - min(evictable, replicas)
    if left:
        told, seconds = f"{told}; {left} of {replicas} serve", 0
    else:
        told, seconds = f"{told}; no replica may be left", DEADLINE
    name = f"{change.step.kind} {_namespace(change)}/{_object_name(change)}"
    yield Loss("workload", name, told, seconds, change.layer)


def _object(change: Change) -> Json:
    return change.step.new or change.step.old


def _spec(change: Change) -> Json:
    spec: Json = _object(change).get("spec") or {}
    return spec


def _template(change: Change) -> Json:
    """The template of the pods that answer callers."""
    kind = workloads.GROUPS if change.step.type == _GROUPS else workloads.DEPLOYMENT
    return workloads.template(kind, _spec(change))


def _hosts(change: Change) -> int:
    """The pods of one replica."""
    return _whole(_at(_spec(change), "leaderWorkerTemplate", "size")) or 1


def _namespace(change: Change) -> str:
    return str(_at(_object(change), "metadata", "namespace") or "default")


def _object_name(change: Change) -> str:
    return str(_at(_object(change), "metadata", "name") or change.step.name)


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _whole(value: Any) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number else None
