"""Compares what an update asks for with a project's quotas. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cli.capacity import class_rules, node_pools
from cli.capacity.class_rules import COMPUTE_CLASS
from cli.capacity.node_pools import Surroundings
from cli.capacity.resources import CLUSTER, POOL, Size, size
from facts import quotas
from facts.quotas import Demand, Metric

Json = Mapping[str, Any]
_NOTHING = Size()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A resource before and after an update."""

    type: str
    name: str
    before: Json | None = None
    """Its inputs now; None where it does not exist."""
    after: Json | None = None
    """Its inputs afterwards; None where it is deleted."""
    stands_beside: bool = False
    """Whether it is replaced, and the new one is created while the old one exists."""
    outputs: Json = field(default_factory=dict)
    """Its properties now, as the state has them."""

    @property
    def groups(self) -> list[str]:
        """The URLs of a pool's managed instance groups, where it exists."""
        return [str(one) for one in self.outputs.get("managedInstanceGroupUrls") or ()]


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota as Google shows it."""

    limit: float
    usage: float


@dataclass(frozen=True, slots=True)
class Row:
    """A quota that the update touches."""

    metric: Metric
    used: float
    now: float
    """What the update asks for."""
    most: float
    """What it asks for together with the autoscaler's growth of all the environment's pools."""
    limit: float

    @property
    def fits(self) -> bool:
        """Whether the update fits."""
        return self.used + self.now <= self.limit

    @property
    def fits_at_most(self) -> bool:
        """Whether the update fits with all that the autoscaler and an upgrade may add."""
        return self.used + self.most <= self.limit


@dataclass(frozen=True, slots=True)
class Comparison:
    """The quotas that an update touches."""

    rows: Sequence[Row] = ()
    unknown: Sequence[str] = ()
    """What could not be compared, a line each."""

    @property
    def exceeded(self) -> list[Row]:
        """The quotas that refuse the update."""
        return [row for row in self.rows if not row.fits]

    @property
    def narrow(self) -> list[Row]:
        """The quotas that the update fits into, and its growth does not."""
        return [row for row in self.rows if row.fits and not row.fits_at_most]


def surroundings(changes: Iterable[Change], region: str) -> Surroundings:
    """What the cluster and its pools say about the rest."""
    zones: dict[str, None] = {}
    public = False
    for change in changes:
        inputs = change.after or change.before or {}
        if change.type == POOL:
            zones.update(dict.fromkeys(map(str, inputs.get("nodeLocations") or ())))
        elif change.type == CLUSTER:
            private = inputs.get("privateClusterConfig") or {}
            public = not private.get("enablePrivateNodes")
    return Surroundings(region=region, zones=tuple(sorted(zones)), public_nodes=public)


def regions(changes: Iterable[Change], around: Surroundings) -> set[str]:
    """The regions whose quotas the changes touch; GLOBAL is one of them."""
    found = {quotas.GLOBAL, around.region}
    for change in changes:
        for inputs in (change.before, change.after):
            if inputs is not None:
                found |= {metric.region for metric in size(change.type, inputs, around).most}
    return found


def touches(changes: Iterable[Change], around: Surroundings) -> bool:
    """Whether the changes ask for anything at all."""
    return any(_asked(change, around)[0] or _asked(change, around)[1] for change in changes)


def compare(
    changes: Sequence[Change],
    around: Surroundings,
    known: Mapping[tuple[str, str], Quota],
    running: Mapping[str, int],
) -> Comparison:
    """Compare the changes with the quotas, by region and name.

    `running` has the nodes of each pool now, by the pool's name; without its number a pool counts
    as having those that it began with.
    """
    limits = {key: quota.limit for key, quota in known.items()}
    now, more = Counter[Metric](), Counter[Metric]()
    hidden: dict[str, None] = {}
    for change in changes:
        asked, growth, unseen = _asked(change, around)
        now += _settled(asked, limits)
        more += _settled(growth, limits)
        hidden.update(dict.fromkeys(unseen))
    most = _at_most(changes, around, limits, running)
    rows = []
    for metric in sorted(now.keys() | more.keys()):
        quota = known.get((metric.region, metric.name))
        if quota is not None:
            at_most = max(most[metric], now[metric])
            rows.append(Row(metric, quota.usage, now[metric], at_most, quota.limit))
    unknown = [f"the Compute API does not show {one}" for one in hidden]
    return Comparison(tuple(rows), tuple(unknown))


def _asked(change: Change, around: Surroundings) -> tuple[Demand, Demand, tuple[str, ...]]:
    """What a change adds now, what it adds at most, and quotas of it that are not shown."""
    after = _NOTHING if change.after is None else size(change.type, change.after, around)
    before = _NOTHING if change.before is None else size(change.type, change.before, around)
    if change.type == CLUSTER and before is not _NOTHING and not change.stands_beside:
        return Counter(), Counter(), ()  # the first nodes are those of a new cluster only
    # Counter's difference keeps what is positive: what goes is freed only later.
    now = after.now if change.stands_beside else after.now - before.now
    most = after.most if change.stands_beside else after.most - before.most
    is_new = after.hidden if now or most else ()
    return now, most, is_new


def _at_most(
    changes: Sequence[Change],
    around: Surroundings,
    limits: Mapping[tuple[str, str], float],
    running: Mapping[str, int],
) -> Demand:
    """What all resources may still ask for: pools at their maximum, less the nodes they have.

    With them what compute classes may have Kubernetes Engine create.
    """
    found = Counter(_settled(_of_classes(changes, around), limits))
    for change in changes:
        if change.after is None or change.type == COMPUTE_CLASS:
            continue
        after = size(change.type, change.after, around)
        if change.type != POOL or change.before is None:
            found.update(_settled(_asked(change, around)[0], limits))
            if change.type == POOL:
                found.update(_settled(after.most, limits))
                found.subtract(_settled(after.now, limits))
            continue
        found.update(_settled(after.most, limits))
        if change.stands_beside:
            continue
        found.subtract(_settled(_present(change.name, change.before, around, running), limits))
    return found


def _of_classes(changes: Sequence[Change], around: Surroundings) -> Demand:
    alive = [(one, one.after) for one in changes if one.after is not None]
    pools = [inputs for one, inputs in alive if one.type == POOL]
    room: dict[str, int] = {}
    for one, inputs in alive:
        if one.type == CLUSTER:
            room = class_rules.room(inputs, pools, around)
    classes = [(inputs, not one.before) for one, inputs in alive if one.type == COMPUTE_CLASS]
    return class_rules.at_most(classes, around, room)


def _present(name: str, inputs: Json, around: Surroundings, running: Mapping[str, int]) -> Demand:
    """The demand of the nodes that a pool has now, with its groups."""
    before = size(POOL, inputs, around)
    if name not in running:
        return before.now
    groups = Counter({m: n for m, n in before.now.items() if m.name.startswith("INSTANCE_GROUP")})
    zones = tuple(map(str, inputs.get("nodeLocations") or ())) or around.zones
    node = node_pools.node(inputs, zones[0], around) if zones else None
    return groups + (node_pools.times(quotas.of_node(node), running[name]) if node else Counter())


def _settled(demand: Demand, limits: Mapping[tuple[str, str], float]) -> Demand:
    found = Counter[Metric]()
    for metric, amount in demand.items():
        found[metric.settled(limits)] += amount
    return found
