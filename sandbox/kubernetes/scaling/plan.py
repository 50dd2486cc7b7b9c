"""Scale-up decisions of the cluster autoscaler. Pure functions.

Like the cluster autoscaler, it simulates adding nodes of each group and checks which pods fit. It
ignores inter-pod affinity and zonal volumes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from sandbox.kubernetes.nodes import manifest, status
from sandbox.kubernetes.scaling import classes as compute_classes
from sandbox.kubernetes.scaling import pods as needs
from sandbox.kubernetes.scaling.classes import ComputeClass
from sandbox.kubernetes.specs import ScalingGroup, ScalingPool

Json = dict[str, Any]


@dataclass(slots=True)
class Room:
    """An existing or simulated node with its free resources."""

    zone: str
    labels: Mapping[str, str]
    taints: Sequence[Mapping[str, str]]
    free: Counter[str]
    group: ScalingGroup | None = None
    """The group of a simulated node; None for an existing one."""
    is_cordoned: bool = False

    def fits(self, pod: Json, requested: Mapping[str, Any]) -> bool:
        """Whether the pod fits on the node, and the node takes pods."""
        return (
            not self.is_cordoned
            and needs.tolerates(pod, self.taints) is None
            and needs.selects(pod, self.labels)
            and all(self.free.get(name, 0) >= amount for name, amount in requested.items())
        )


@dataclass(slots=True)
class Plan:
    """New group sizes, and the pods that no group can help."""

    growth: Counter[ScalingGroup] = field(default_factory=Counter)
    helped: list[tuple[Json, ScalingGroup]] = field(default_factory=list)
    unschedulable: list[tuple[Json, str]] = field(default_factory=list)
    """Pods that fit no group's nodes, each with the reasons."""


def existing(
    nodes: Iterable[Json], pods: Iterable[Json], *, cordoned: bool = False
) -> dict[str, Room]:
    """Return the cluster's nodes by name, with their free resources.

    `cordoned`: those too that take no pods.
    """
    rooms = {
        node["metadata"]["name"]: Room(
            zone=node["metadata"]["labels"].get("topology.kubernetes.io/zone", ""),
            labels=node["metadata"]["labels"],
            taints=node["spec"].get("taints") or (),
            free=needs.amounts((node.get("status") or {}).get("allocatable") or {}),
            is_cordoned=bool(node["spec"].get("unschedulable")),
        )
        for node in nodes
        if cordoned or not node["spec"].get("unschedulable")
    }
    for pod in pods:
        room = rooms.get(pod["spec"].get("nodeName") or "")
        if room is not None and (pod.get("status") or {}).get("phase") not in _OVER:
            room.free.subtract(needs.requests(pod))
    return rooms


@dataclass(frozen=True, slots=True)
class Domains:
    """Zones with their nodes' labels. A pod is spread over those of nodes that it selects.

    https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
    (`nodeAffinityPolicy`, by default Honor)
    """

    nodes: tuple[tuple[str, Mapping[str, str]], ...]

    @classmethod
    def of(cls, rooms: Iterable[Room], pools: Iterable[ScalingPool]) -> Domains:
        """Those of nodes, and of nodes that pools could have."""
        new = (_room(pool, group) for pool in pools for group in pool.groups)
        return cls(tuple((room.zone, room.labels) for room in (*rooms, *new)))

    def zones(self, pod: Json) -> set[str]:
        """The zones of nodes that the pod selects."""
        return {zone for zone, labels in self.nodes if needs.selects(pod, labels)}


def is_starting(node: Json) -> bool:
    """Whether a node is new and takes no pods yet; one that has failed is not starting.

    It says what pods may use a moment after it is created, and Kubernetes removes its taint
    another moment later.
    """
    found = node.get("status") or {}
    ready = {c["status"] for c in found.get("conditions") or () if c["type"] == "Ready"}
    taints = {taint["key"] for taint in node["spec"].get("taints") or ()}
    return not found.get("allocatable") or (ready == {"True"} and _NOT_READY in taints)


_NOT_READY = "node.kubernetes.io/not-ready"
_OVER = ("Succeeded", "Failed")


def scale_up(
    pools: Sequence[ScalingPool],
    nodes: Sequence[Json],
    pods: Sequence[Json],
    backoff: Collection[str] = (),
    classes: Mapping[str, ComputeClass] = MappingProxyType({}),
) -> Plan:
    """Return the group sizes that all unschedulable pods need.

    `backoff`: the paths of groups that could not grow, and are left alone for a while. `classes`:
    the compute classes by name.
    """
    plan = Plan()
    rooms = existing(nodes, pods)
    domains = Domains.of(rooms.values(), pools)
    placed = [
        (pod, rooms[pod["spec"]["nodeName"]].zone)
        for pod in pods
        if pod["spec"].get("nodeName") in rooms
    ]
    open_rooms = list(rooms.values())
    for pod in sorted(filter(needs.is_unschedulable, pods), key=_age):
        requested, zones = needs.requests(pod), domains.zones(pod)
        room = next(
            (
                room
                for room in open_rooms
                if room.fits(pod, requested) and needs.spreads(pod, room.zone, placed, zones)
            ),
            None,
        )
        if room is None:
            demand = Demand(pod, requested, placed, zones)
            room, reasons = new_room(pools, plan, demand, backoff=backoff, classes=classes)
            if room is None:
                plan.unschedulable.append((pod, reasons))
                continue
            open_rooms += [room, *_rest(room)]
        room.free.subtract(requested)
        placed.append((pod, room.zone))
        if room.group is not None:
            plan.helped.append((pod, room.group))
    return plan


def _rest(room: Room) -> list[Room]:
    """The nodes that come with a new one."""
    assert room.group is not None  # noqa: S101 (for mypy: it is new)
    return [replace(room, free=Counter(room.free)) for _ in range(room.group.step - 1)]


def _age(pod: Json) -> tuple[int, str]:
    return (
        -int(pod["spec"].get("priority") or 0),
        str(pod["metadata"].get("creationTimestamp", "")),
    )


@dataclass(frozen=True, slots=True)
class Demand:
    """A pod that needs a node, and where the others are, which may limit its zones."""

    pod: Json
    requested: Counter[str]
    placed: Sequence[tuple[Json, str]]
    """The scheduled pods with their zones."""
    zones: set[str]


def new_room(
    pools: Sequence[ScalingPool],
    plan: Plan,
    demand: Demand,
    *,
    backoff: Collection[str],
    classes: Mapping[str, ComputeClass],
    below: int | None = None,
) -> tuple[Room | None, str]:
    """Choose a new node for the pod: by its class, then least waste, then the smallest group.

    Of one choice a pool that exists is preferred to one that could be created. `below`: only
    choices of its class before this one. The reasons are those of existing pools.
    """
    pod, requested = demand.pod, demand.requested
    reasons: Counter[str] = Counter()
    found: list[tuple[int, bool, Fraction, int, str, Room]] = []
    named = compute_classes.of_pod(pod)
    if named and named not in classes:
        return None, f'there is no ComputeClass "{named}"'
    for pool in pools:
        told = reasons if pool.exists else Counter[str]()
        for group in pool.groups:
            room = _room(pool, group)
            rank = classes[named].rank(pool, group) if named else 0
            taint = needs.tolerates(pod, room.taints)
            if not needs.selects(pod, room.labels):
                told["node(s) didn't match Pod's node affinity/selector"] += 1
            elif taint is not None:
                told[f"node(s) had untolerated taint {{{taint['key']}}}"] += 1
            elif rank is None or (below is not None and rank >= below):
                told[f"node(s) didn't match a priority of ComputeClass {named}"] += 1
            elif lacking := [n for n, amount in requested.items() if room.free.get(n, 0) < amount]:
                told[f"Insufficient {lacking[0]}"] += 1
            elif not _may_grow(pool, group, plan):
                told["max node group size reached"] += 1
            elif group.path in backoff:
                told["in backoff after failed scale-up"] += 1
            elif not needs.spreads(pod, group.zone, demand.placed, demand.zones):
                told["node(s) didn't match pod topology spread constraints"] += 1
            else:
                size = group.size + plan.growth[group]
                waste = _waste(room, requested)
                found.append((rank, not pool.exists, waste, size, group.path, room))
    if not found:
        texts = ", ".join(f"{count} {text}" for text, count in sorted(reasons.items()))
        return None, texts or "there is no node pool that autoscales"
    *_, room = min(found, key=lambda one: one[:5])
    assert room.group is not None  # noqa: S101 (for mypy: _room sets it)
    plan.growth[room.group] += room.group.step
    return room, ""


def _room(pool: ScalingPool, group: ScalingGroup) -> Room:
    made = manifest(group.template, pool.name, project="", pod_cidr=None)
    reported = status(group.template, version="", kubelet_port=0)
    return Room(
        zone=group.zone,
        labels=made["metadata"]["labels"],
        taints=made["spec"].get("taints") or (),
        free=needs.amounts(reported["allocatable"]),
        group=group,
    )


def _may_grow(pool: ScalingPool, group: ScalingGroup, plan: Plan) -> bool:
    if pool.is_total:
        return sum(g.size + plan.growth[g] for g in pool.groups) + group.step <= pool.max
    return group.size + plan.growth[group] + group.step <= pool.max


def _waste(room: Room, requested: Counter[str]) -> Fraction:
    """Return the unused share of a new node's CPU and memory. GPUs have the highest weight."""
    shares = [
        1 - Fraction(requested.get(name, 0)) / Fraction(amount)
        for name, amount in room.free.items()
        if amount and name in ("cpu", "memory", "nvidia.com/gpu", "google.com/tpu")
    ]
    return sum(shares, Fraction(0)) / max(len(shares), 1)
