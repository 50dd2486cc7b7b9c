"""What runs in an environment's cluster: nodes with what is used of them, and the models' pods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from facts.quantity import amount

Json = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name."""
KINDS = (
    "nodes",
    "pods",
    "deployments.apps",
    "horizontalpodautoscalers.autoscaling",
    "poddisruptionbudgets.policy",
)
_POOL, _ZONE = "cloud.google.com/gke-nodepool", "topology.kubernetes.io/zone"
_NAME, _COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/component"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod of a model server."""

    name: str
    node: str
    zone: str
    state: str
    """ready, starting, pending, stopping or failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A PodDisruptionBudget: how many healthy pods it wants, and evictions that it allows now."""

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
    """By the Deployment that they belong to."""
    replicas: Mapping[Key, tuple[int, int]] = field(default_factory=dict)
    """Ready and wanted replicas of each Deployment."""
    images: Mapping[Key, str] = field(default_factory=dict)
    """Of the first container of each Deployment: the model server's."""
    scalers: Mapping[Key, Scaler] = field(default_factory=dict)
    """By the Deployment that they scale."""
    budgets: Mapping[Key, Budget] = field(default_factory=dict)
    """By the label `app.kubernetes.io/name` that they select."""


def of_items(items: Iterable[Json]) -> Live:
    """The picture's objects from those of the API."""
    by_kind: dict[str, list[Json]] = {}
    for item in items:
        by_kind.setdefault(item["kind"], []).append(item)
    pods = by_kind.get("Pod", [])
    used = _requested(pods)
    nodes = [_node(item, used) for item in by_kind.get("Node", [])]
    zones = {node.name: node.zone for node in nodes}
    return Live(
        nodes=sorted(nodes, key=lambda node: (node.pool, node.zone, node.name)),
        pods=_servers(pods, zones),
        replicas={
            _key(item): (
                (item.get("status") or {}).get("readyReplicas", 0),
                item["spec"].get("replicas", 1),
            )
            for item in by_kind.get("Deployment", [])
        },
        images={_key(item): _image(item) for item in by_kind.get("Deployment", [])},
        scalers={
            (item["metadata"]["namespace"], item["spec"]["scaleTargetRef"]["name"]): Scaler(
                minimum=item["spec"].get("minReplicas", 1),
                maximum=item["spec"]["maxReplicas"],
                desired=(item.get("status") or {}).get("desiredReplicas", 0),
            )
            for item in by_kind.get("HorizontalPodAutoscaler", [])
        },
        budgets=dict(filter(None, map(_budget, by_kind.get("PodDisruptionBudget", [])))),
    )


def _key(item: Json) -> Key:
    return item["metadata"]["namespace"], item["metadata"]["name"]


def _image(deployment: Json) -> str:
    template = deployment["spec"].get("template") or {}
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


def _servers(pods: Iterable[Json], zones: Mapping[str, str]) -> dict[Key, list[Pod]]:
    found: dict[Key, list[Pod]] = {}
    for item in pods:
        labels = item["metadata"].get("labels") or {}
        if labels.get(_COMPONENT) != "model-server" or _NAME not in labels:
            continue
        node = item["spec"].get("nodeName", "")
        pod = Pod(
            name=item["metadata"]["name"],
            node=node,
            zone=zones.get(node, ""),
            state=_state(item),
        )
        found.setdefault((item["metadata"]["namespace"], labels[_NAME]), []).append(pod)
    for listed in found.values():
        listed.sort(key=lambda pod: (pod.zone, pod.name))
    return found


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


def _budget(item: Json) -> tuple[Key, Budget] | None:
    selected = ((item["spec"].get("selector") or {}).get("matchLabels") or {}).get(_NAME)
    if selected is None:
        return None
    status = item.get("status") or {}
    budget = Budget(
        wanted=status.get("desiredHealthy", 0),
        healthy=status.get("currentHealthy", 0),
        allowed=status.get("disruptionsAllowed", 0),
    )
    return (item["metadata"]["namespace"], selected), budget
