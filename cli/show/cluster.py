"""What runs in an environment's cluster: nodes with what is used of them, and the models' pods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from cli import workloads
from facts.quantity import amount
from gkeplatform.contracts import COMPUTE_CLASS
from gkeplatform.leader_worker_sets import INDEX_LABEL, NAME_LABEL

Json = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name."""
KINDS = (
    "nodes",
    "pods",
    workloads.DEPLOYMENT.resource,
    "horizontalpodautoscalers.autoscaling",
    "poddisruptionbudgets.policy",
)
_POOL, _ZONE = "cloud.google.com/gke-nodepool", "topology.kubernetes.io/zone"
_NAME, _COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/component"
_TYPES = ("cloud.google.com/gke-accelerator", "cloud.google.com/gke-tpu-accelerator")
_ACCELERATORS = ("nvidia.com/gpu", "google.com/tpu")


@dataclass(frozen=True, slots=True)
class Amounts:
    """Cores, bytes of memory, and GPUs or TPU chips."""

    cpu: float = 0
    memory: float = 0
    accelerators: float = 0

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(
            round(self.cpu + other.cpu, 6),  # nano cores and sums of them in binary are noise
            self.memory + other.memory,
            self.accelerators + other.accelerators,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node: what pods may use of it, and what they request."""

    name: str
    pool: str
    zone: str
    is_ready: bool
    allocatable: Amounts
    requested: Amounts
    machine_type: str = ""
    accelerator: str = ""
    """GPU or TPU type; empty without any."""
    compute_class: str = ""
    """Empty for a node of none."""
    spot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One replica of a model server: its pod, or the leader of its group."""

    name: str
    node: str
    zone: str
    state: str
    """ready, starting, pending, stopping or failed; of a group, the first that is not ready."""
    workers: tuple[str, ...] = ()
    """The nodes of the group's other pods; empty for those without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A PodDisruptionBudget: how many healthy replicas it wants, and evictions allowed now."""

    wanted: int
    healthy: int
    allowed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaler:
    """A HorizontalPodAutoscaler: its bounds, and the replicas that it wants now."""

    minimum: int
    maximum: int
    desired: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The objects of a cluster that a picture needs, by namespace and name."""

    nodes: Sequence[Node] = ()
    pods: Mapping[Key, Sequence[Pod]] = field(default_factory=dict)
    """By the workload that they belong to."""
    replicas: Mapping[Key, tuple[int, int]] = field(default_factory=dict)
    """Ready and wanted replicas of each workload."""
    hosts: Mapping[Key, int] = field(default_factory=dict)
    """The pods of one replica, of each workload."""
    images: Mapping[Key, str] = field(default_factory=dict)
    """Of the first container of each workload: the model server's."""
    scalers: Mapping[Key, Scaler] = field(default_factory=dict)
    """By the workload that they scale."""
    budgets: Mapping[Key, Budget] = field(default_factory=dict)
    """By the workload whose label they select."""


def of_items(items: Iterable[Json]) -> Live:
    """The picture's objects from those of the API."""
    by_kind: dict[str, list[Json]] = {}
    for item in items:
        by_kind.setdefault(item["kind"], []).append(item)
    pods = by_kind.get("Pod", [])
    used = _requested(pods)
    nodes = [_node(item, used) for item in by_kind.get("Node", [])]
    zones = {node.name: node.zone for node in nodes}
    runs = {_key(item): item for kind in workloads.KINDS for item in by_kind.get(kind, [])}
    return Live(
        nodes=sorted(nodes, key=lambda node: (node.pool, node.zone, node.name)),
        pods=_servers(pods, zones),
        replicas={
            key: (workloads.ready(item), workloads.replicas(item)) for key, item in runs.items()
        },
        hosts={key: workloads.hosts(item) for key, item in runs.items()},
        images={key: _image(item) for key, item in runs.items()},
        scalers={
            (item["metadata"]["namespace"], item["spec"]["scaleTargetRef"]["name"]): Scaler(
                minimum=item["spec"].get("minReplicas", 1),
                maximum=item["spec"]["maxReplicas"],
                desired=(item.get("status") or {}).get("desiredReplicas", 0),
            )
            for item in by_kind.get("HorizontalPodAutoscaler", [])
        },
        budgets=dict(_budgets(by_kind.get("PodDisruptionBudget", []), runs)),
    )


def _key(item: Json) -> Key:
    return item["metadata"]["namespace"], item["metadata"]["name"]


def _image(workload: Json) -> str:
    template = workloads.template_of(workload)
    containers = (template.get("spec") or {}).get("containers") or [{}]
    return str(containers[0].get("image", ""))


def _node(item: Json, used: Mapping[str, Amounts]) -> Node:
    metadata, status = item["metadata"], item.get("status") or {}
    labels = metadata.get("labels") or {}
    return Node(
        name=metadata["name"],
        pool=labels.get(_POOL, ""),
        zone=labels.get(_ZONE, ""),
        is_ready=_has(status, "Ready"),
        allocatable=_amounts(status.get("allocatable") or {}),
        requested=used.get(metadata["name"], Amounts()),
        machine_type=labels.get("node.kubernetes.io/instance-type", ""),
        accelerator=next((labels[one] for one in _TYPES if one in labels), ""),
        compute_class=labels.get(COMPUTE_CLASS, ""),
        spot=labels.get("cloud.google.com/gke-spot") == "true",
    )


def _requested(pods: Iterable[Json]) -> dict[str, Amounts]:
    """What the pods of each node request, as the scheduler counts them, without overhead."""
    found: dict[str, Amounts] = {}
    for pod in pods:
        node = pod["spec"].get("nodeName")
        if node and (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}:
            requests = [_requests(one) for one in pod["spec"].get("containers") or ()]
            sidecars = [
                _requests(one)
                for one in pod["spec"].get("initContainers") or ()
                if one.get("restartPolicy") == "Always"
            ]
            found[node] = sum([*requests, *sidecars], found.get(node, Amounts()))
    return found


def _requests(container: Json) -> Amounts:
    return _amounts((container.get("resources") or {}).get("requests") or {})


def _amounts(quantities: Mapping[str, Any]) -> Amounts:
    return Amounts(
        float(amount(quantities.get("cpu", 0))),
        float(amount(quantities.get("memory", 0))),
        float(sum((amount(quantities.get(one, 0)) for one in _ACCELERATORS), Fraction())),
    )


def _servers(pods: Sequence[Json], zones: Mapping[str, str]) -> dict[Key, list[Pod]]:
    groups = _groups(pods)
    found: dict[Key, list[Pod]] = {}
    for item in pods:
        labels = item["metadata"].get("labels") or {}
        if labels.get(_COMPONENT) != "model-server" or _NAME not in labels:
            continue
        node = item["spec"].get("nodeName", "")
        members = groups.get((item["metadata"]["namespace"], workloads.group_of(item)), [item])
        pod = Pod(
            name=item["metadata"]["name"],
            node=node,
            zone=zones.get(node, ""),
            state=_state_of_group(members),
            workers=tuple(one["spec"].get("nodeName", "") for one in members[1:]),
        )
        found.setdefault((item["metadata"]["namespace"], labels[_NAME]), []).append(pod)
    for listed in found.values():
        listed.sort(key=lambda pod: (pod.zone, pod.name))
    return found


def _groups(pods: Iterable[Json]) -> dict[tuple[str, str | None], list[Json]]:
    """The pods of each group, the leader first."""
    found: dict[tuple[str, str | None], list[Json]] = {}
    for pod in pods:
        if (group := workloads.group_of(pod)) is not None:
            found.setdefault((pod["metadata"]["namespace"], group), []).append(pod)
    for members in found.values():
        members.sort(key=lambda pod: int(pod["metadata"]["labels"].get(INDEX_LABEL, 0)))
    return found


def _state_of_group(pods: Sequence[Json]) -> str:
    """The state of a replica: of the first of its pods that is not ready."""
    states = [state for state in map(_state, pods) if state != "ready"]
    if states:
        return states[0]
    return "ready" if workloads.whole(pods) else "starting"


def _state(pod: Json) -> str:
    status = pod.get("status") or {}
    if "deletionTimestamp" in pod["metadata"]:
        return "stopping"
    if status.get("phase") == "Failed":
        return "failed"
    if not pod["spec"].get("nodeName"):
        return "pending"
    return "ready" if _has(status, "Ready") else "starting"


def _has(status: Mapping[str, Any], condition: str) -> bool:
    conditions = status.get("conditions") or ()
    return any(one["type"] == condition and one["status"] == "True" for one in conditions)


def _budgets(items: Iterable[Json], runs: Mapping[Key, Json]) -> Iterator[tuple[Key, Budget]]:
    for item in items:
        labels = (item["spec"].get("selector") or {}).get("matchLabels") or {}
        selected = labels.get(NAME_LABEL) or labels.get(_NAME)
        if selected is None:
            continue
        key, status = (item["metadata"]["namespace"], selected), item.get("status") or {}
        wanted, healthy = workloads.budget(runs.get(key), status)
        yield (
            key,
            Budget(wanted=wanted, healthy=healthy, allowed=status.get("disruptionsAllowed", 0)),
        )
