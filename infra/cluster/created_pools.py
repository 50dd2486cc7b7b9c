"""Settings: nodes that a compute class may ask GKE to create pools for, and how many there can be.

Such pools are GKE's: it creates one when a pod needs it, and deletes it once it is empty. What it
may create is bounded by `cluster.auto_provisioning`, whose limits count all nodes of the cluster:
https://docs.cloud.google.com/kubernetes-engine/docs/how-to/node-auto-provisioning
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated

from msgspec import Meta

from facts.machines import machine_type
from infra.cluster.cluster_settings import AutoProvisioning
from infra.cluster.node_settings import Nodes
from infra.cluster.pool_settings import Accelerator, NodePoolArgs

FLEX_START_SECONDS = 7 * 24 * 3600
"""The longest run of a flex-start node:
https://docs.cloud.google.com/kubernetes-engine/docs/concepts/dws"""
_LIMITS = "gke-cluster:cluster.auto_provisioning"


class CreatedPoolArgs(Nodes):
    """Nodes for which GKE creates pools, within the limits of `cluster.auto_provisioning`."""

    max_run_seconds: Annotated[
        Annotated[int, Meta(ge=600, le=10_368_000)] | None,
        Meta(description="A node ends after this time, and its pods move. Default: never."),
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.may_have_tpus:
            raise ValueError(
                f"machine_type: {self.machine_type} has TPUs, whose slices are pools of their own; "
                "add one to node_pools, and name it in the class"
            )
        if self.flex_start and (self.max_run_seconds or 0) > FLEX_START_SECONDS:
            raise ValueError(
                f"max_run_seconds {self.max_run_seconds}: a flex-start node runs for "
                f"{FLEX_START_SECONDS} seconds (7 days) at most; set less, or leave it out"
            )

    def pool(self, name: str, most: int = 1) -> NodePoolArgs:
        """A node pool of such nodes, for the checks and the capacity of declared ones."""
        shared = {key: getattr(self, key) for key in Nodes.__struct_fields__}
        if gpu := self.accelerator:
            shared["accelerator"] = Accelerator(type=gpu.type, count=gpu.count, driver=gpu.driver)
        return NodePoolArgs(name=name, max_nodes=most, **shared)


def costs(pool: Nodes) -> Counter[str]:
    """What one node takes of each limit; nothing of cores and memory if its machine is unknown."""
    machine, gpu = machine_type(pool.machine_type), pool.accelerator
    found: Counter[str] = Counter()
    if machine:
        found.update(cpu=machine.cpus, memory_gb=-(-machine.memory_mib // 1024))
    if gpu:
        found[gpu.type] += gpu.count
    return found


def left(
    limits: AutoProvisioning, pools: Sequence[NodePoolArgs], zones: Sequence[str]
) -> Counter[str]:
    """What of each limit no declared pool may take; below zero where they may take more."""
    found = Counter({"cpu": limits.cpu, "memory_gb": limits.memory_gb, **limits.gpus})
    for pool in pools:
        nodes = pool.max_nodes * len(pool.zones or zones)
        found.subtract({kind: amount * nodes for kind, amount in costs(pool).items()})
    return found


def most_nodes(args: CreatedPoolArgs, room: Counter[str]) -> int:
    """How many of its nodes there can be in what is left of the limits."""
    return max(
        0, min((room[kind] // amount for kind, amount in costs(args).items() if amount), default=0)
    )


def problems(
    key: str,
    args: CreatedPoolArgs,
    limits: AutoProvisioning | None,
    pools: Sequence[NodePoolArgs],
    zones: Sequence[str],
) -> Iterator[str]:
    """Why GKE would create no such node."""
    for zone in args.zones:
        if zone not in zones:
            yield f'{key}.zones: "{zone}" is not one of cluster.zones ({", ".join(zones)})'
    needs = costs(args)
    if limits is None:
        yield (
            f"{key}: nothing limits what GKE may create; set {_LIMITS}, with cpu, memory_gb and "
            "gpus above what the node pools may take"
        )
        return
    if args.accelerator and args.accelerator.type not in limits.gpus:
        yield (
            f"{key}.accelerator.type: GKE creates no nodes with {args.accelerator.type}, for which "
            f"there is no limit; set {_LIMITS}.gpus.{args.accelerator.type}"
        )
        return
    room = left(limits, pools, zones)
    given = {"cpu": limits.cpu, "memory_gb": limits.memory_gb, **limits.gpus}
    for kind, amount in needs.items():
        if room[kind] < amount:
            name = kind if kind in ("cpu", "memory_gb") else f"gpus.{kind}"
            taken = given[kind] - room[kind]
            yield (
                f"{key}: a node of {args.machine_type} takes {amount} of the {given[kind]} of "
                f"{_LIMITS}.{name}, of which the node pools may take {taken} at their maximum; set "
                f"at least {taken + amount}"
            )
