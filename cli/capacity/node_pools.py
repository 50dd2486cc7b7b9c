"""What the nodes of a pool count as against quotas: at first, and at most. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facts import quotas
from facts.machines import machine_type
from facts.quotas import Demand, Metric, Node
from facts.zones import region_of, zones_of

Json = Mapping[str, Any]
_DEFAULT_MACHINE = "e2-medium"
_DEFAULT_DISK_GB = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a resource's own inputs do not say."""

    region: str
    """The environment's."""
    zones: tuple[str, ...] = ()
    """The zones of the cluster's nodes."""
    public_nodes: bool = False
    """Whether nodes have external addresses, unless their pool says otherwise."""


def pool(inputs: Json, around: Surroundings) -> tuple[Demand, Demand, tuple[str, ...]]:
    """A pool's demand when it is created, its demand at most, and quotas that are not shown."""
    zones = _zones(inputs, around)
    found = node(inputs, zones[0], around)
    groups: Demand = Counter()
    for name in ("INSTANCE_GROUPS", "INSTANCE_GROUP_MANAGERS"):
        groups[Metric(name, region_of(zones[0]))] += len(zones)
    if found is None:
        machine = str(_config(inputs).get("machineType") or "")
        return groups, groups, (f"what machine type {machine} counts as",)
    one = quotas.of_node(found)
    now = times(one, nodes_now(inputs, around))
    most = times(one, nodes_at_most(inputs, around))
    return now + groups, most + groups, tuple(quotas.hidden(found))


def nodes_now(inputs: Json, around: Surroundings) -> int:
    """The number of nodes that a pool begins with."""
    count = len(_zones(inputs, around))
    scaling = inputs.get("autoscaling") or {}
    initial = _count(inputs.get("initialNodeCount") or inputs.get("nodeCount"))
    least = max(initial, _count(scaling.get("minNodeCount"))) * count
    return max(least, _count(scaling.get("totalMinNodeCount")))


def autoscaled(inputs: Json, around: Surroundings) -> int:
    """The autoscaler's maximum, in all zones; at least the nodes that the pool begins with."""
    count = len(_zones(inputs, around))
    scaling = inputs.get("autoscaling") or {}
    most = _count(scaling.get("maxNodeCount")) * count
    return max(most, _count(scaling.get("totalMaxNodeCount")), nodes_now(inputs, around))


def nodes_at_most(inputs: Json, around: Surroundings) -> int:
    """The largest number of nodes: the autoscaler's maximum, and what an upgrade adds to it."""
    most = autoscaled(inputs, around)
    upgrade = inputs.get("upgradeSettings") or {}
    if upgrade.get("strategy") == "BLUE_GREEN":
        return 2 * most
    surge = upgrade.get("maxSurge")
    # GKE adds one node where nothing is said; several zones are upgraded one after the other.
    return most + (_count(surge) if surge is not None else 1)


def node(inputs: Json, zone: str, around: Surroundings) -> Node | None:
    """One node of a pool; None for a machine type that is not known."""
    config = _config(inputs)
    name = str(config.get("machineType") or _DEFAULT_MACHINE)
    machine = machine_type(name)
    if machine is None:
        return None
    gpus: Json = next(iter(config.get("guestAccelerators") or ()), {})
    private = (inputs.get("networkConfig") or {}).get("enablePrivateNodes")
    disks = machine.boot_disks
    default = "pd-balanced" if not disks or "pd-balanced" in disks else "hyperdisk-balanced"
    ssds = (config.get("ephemeralStorageLocalSsdConfig") or {}).get("localSsdCount")
    return Node(
        machine=machine,
        region=region_of(zone),
        gpu=str(gpus.get("type") or ""),
        gpus=_count(gpus.get("count")),
        spot=bool(config.get("spot") or config.get("preemptible")),
        disk=str(config.get("diskType") or default),
        disk_gb=_count(config.get("diskSizeGb")) or _DEFAULT_DISK_GB,
        local_ssds=_count(ssds or config.get("localSsdCount")),
        is_public=around.public_nodes if private is None else not private,
    )


def first_nodes(inputs: Json, around: Surroundings) -> Demand:
    """The nodes of the default pool that each new cluster has, if only until it is removed."""
    zones = _zones(inputs, around)
    found = node(inputs, zones[0], around)
    count = _count(inputs.get("initialNodeCount"))
    return times(quotas.of_node(found), count * len(zones)) if found else Counter()


def times(demand: Demand, factor: int) -> Demand:
    """The demand of several equal nodes."""
    return Counter({metric: amount * factor for metric, amount in demand.items() if factor})


def _config(inputs: Json) -> Json:
    config: Json = inputs.get("nodeConfig") or {}
    return config


def _zones(inputs: Json, around: Surroundings) -> tuple[str, ...]:
    named = tuple(inputs.get("nodeLocations") or ())
    location = str(inputs.get("location") or "")
    if not named and location and location != region_of(location):
        named = (location,)
    # GKE takes three of the region's zones where none are named.
    return named or around.zones or tuple(zones_of(around.region)[:3]) or (around.region,)


def _count(value: Any) -> int:
    """A number of the inputs; 0 for none, and for one that is not known before the update."""
    try:
        return int(value or 0)
    except (TypeError, ValueError):
        return 0
