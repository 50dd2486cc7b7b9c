"""Active migration: pods of a compute class return to nodes that the class prefers.

Like GKE, it adds the better nodes first, and evicts pods only where they have room and their
disruption budgets allow it. One node at a time; the newest of its group, since groups shrink from
the end. Pure functions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.kubernetes.nodes import POOL
from sandbox.kubernetes.scaling import pods as needs
from sandbox.kubernetes.scaling.classes import LABEL, ComputeClass
from sandbox.kubernetes.scaling.plan import (
    Demand,
    Domains,
    Plan,
    Room,
    existing,
    new_room,
)
from sandbox.kubernetes.scaling.removal import is_of_node, is_pinned
from sandbox.kubernetes.specs import ScalingGroup, ScalingPool

Json = dict[str, Any]
LEAVING = "sandbox/pods-migrate"
"""Annotation of a node whose pods are moved to a preferred one."""


@dataclass(frozen=True, slots=True)
class Move:
    """A node to be left, or the nodes that have to be added before it can be."""

    node: str
    group: ScalingGroup
    growth: Counter[ScalingGroup] = field(default_factory=Counter)
    """Empty once there is room."""


def leaving(nodes: Sequence[Json]) -> list[str]:
    """The nodes that are being left."""
    return [
        node["metadata"]["name"]
        for node in nodes
        if LEAVING in (node["metadata"].get("annotations") or {})
    ]


def left_behind(name: str, pods: Sequence[Json]) -> list[Json]:
    """The pods of a node that have still to move."""
    return [pod for pod in pods if pod["spec"].get("nodeName") == name and not is_of_node(pod)]


def next_move(
    pools: Sequence[ScalingPool],
    nodes: Sequence[Json],
    pods: Sequence[Json],
    budgets: Sequence[Json],
    *,
    classes: Mapping[str, ComputeClass],
    backoff: Collection[str],
) -> Move | None:
    """The node that pods should leave next, from the least preferred ones on; None without any."""
    rooms = existing(nodes, pods)
    ranks = _ranks(pools, classes)
    found = (one for one in _candidates(pools, classes, ranks) if one[0])
    candidates = sorted(found, key=lambda one: (-one[0], one[1].path))
    for rank, group in candidates:
        own = left_behind(group.last_node, pods)
        if group.last_node not in rooms or not own or any(is_pinned(pod, budgets) for pod in own):
            continue
        class_ = group.template.labels[LABEL]
        better = [
            room
            for room in rooms.values()
            if room.labels.get(LABEL) == class_
            and ranks.get((room.labels.get(POOL, ""), room.zone), rank) < rank
        ]
        growth = _growth(
            own, better, pools, _placed(pods, rooms, own), classes=classes, below=rank, off=backoff
        )
        if growth is not None:
            return Move(group.last_node, group, growth)
    return None


def _ranks(
    pools: Sequence[ScalingPool], classes: Mapping[str, ComputeClass]
) -> dict[tuple[str, str], int]:
    """The choice of its class that a pool is in a zone. A pool that is none comes last."""
    found = {}
    for pool in pools:
        for group in pool.groups:
            class_ = classes.get(str(group.template.labels.get(LABEL) or ""))
            if class_ is not None:
                rank = class_.rank(pool, group)
                found[pool.name, group.zone] = len(class_.rules) if rank is None else rank
    return found


def _candidates(
    pools: Sequence[ScalingPool],
    classes: Mapping[str, ComputeClass],
    ranks: Mapping[tuple[str, str], int],
) -> Iterator[tuple[int, ScalingGroup]]:
    """Groups with nodes that are not of the first choice, and their choices."""
    for pool in pools:
        total = sum(group.size for group in pool.groups)
        for group in pool.groups:
            class_ = classes.get(str(group.template.labels.get(LABEL) or ""))
            can_shrink = (total if pool.is_total else group.size) > pool.min
            if class_ and class_.migrates and group.size and can_shrink:
                yield ranks[pool.name, group.zone], group


def _placed(
    pods: Sequence[Json], rooms: Mapping[str, Room], moving: Sequence[Json]
) -> list[tuple[Json, str]]:
    gone = {pod["metadata"]["uid"] for pod in moving}
    return [
        (pod, rooms[pod["spec"]["nodeName"]].zone)
        for pod in pods
        if pod["spec"].get("nodeName") in rooms and pod["metadata"]["uid"] not in gone
    ]


def _growth(
    own: Sequence[Json],
    better: Sequence[Room],
    pools: Sequence[ScalingPool],
    placed: list[tuple[Json, str]],
    *,
    classes: Mapping[str, ComputeClass],
    below: int,
    off: Collection[str],
) -> Counter[ScalingGroup] | None:
    """The nodes to add so that pods fit on better ones; None if they cannot all fit there."""
    plan = Plan()
    domains = Domains.of(better, pools)
    rooms = [
        Room(room.zone, room.labels, room.taints, Counter(room.free), room.group) for room in better
    ]
    for pod in own:
        requested, zones = needs.requests(pod), domains.zones(pod)
        room = next(
            (
                one
                for one in rooms
                if one.fits(pod, requested) and needs.spreads(pod, one.zone, placed, zones)
            ),
            None,
        )
        if room is None:
            demand = Demand(pod, requested, placed, zones)
            room, _ = new_room(pools, plan, demand, backoff=off, classes=classes, below=below)
            if room is None:
                return None
            rooms.append(room)
        room.free.subtract(requested)
        placed = [*placed, (pod, room.zone)]
    return plan.growth
