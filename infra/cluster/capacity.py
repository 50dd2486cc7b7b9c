"""Capacity of each node pool, as the contract publishes it. Pure functions."""

from facts.accelerators import partition_count
from facts.machines import machine_type
from gkeplatform.contracts import NodePool, NodeTaint
from infra.cluster.config import ClusterConfig
from infra.cluster.pool_settings import NodePoolArgs, Taint

_EFFECTS = {
    "NO_SCHEDULE": "NoSchedule",
    "PREFER_NO_SCHEDULE": "PreferNoSchedule",
    "NO_EXECUTE": "NoExecute",
}


def pools(config: ClusterConfig) -> tuple[NodePool, ...]:
    """All pools of a configuration."""
    return tuple(pool(one, config.cluster.zones) for one in config.node_pools)


def pool(args: NodePoolArgs, zones: tuple[str, ...]) -> NodePool:
    """One pool; `zones` are the cluster's."""
    machine = machine_type(args.machine_type)
    return NodePool(
        name=args.name,
        zones=args.zones or zones,
        machine_type=args.machine_type,
        min_nodes=args.min_nodes,
        max_nodes=args.max_nodes,
        cpu_millis=machine.allocatable_millicpu if machine else None,
        memory_bytes=machine.allocatable_mib * 2**20 if machine else None,
        accelerator=args.accelerator.type if args.accelerator else "",
        gpus=gpus(args),
        tpu_topology=args.tpu_topology or "",
        spot=args.spot,
        flex_start=args.flex_start,
        labels=args.labels,
        taints=tuple(_taint(taint) for taint in args.taints),
    )


def gpus(args: NodePoolArgs) -> int:
    """`nvidia.com/gpu` of one node: whole GPUs, partitions, or places where pods share."""
    gpu = args.accelerator
    if gpu is None:
        return 0
    count = gpu.count
    if gpu.partition:
        count *= partition_count(gpu.type, gpu.partition) or 1
    return count * (gpu.sharing.clients if gpu.sharing else 1)


def _taint(taint: Taint) -> NodeTaint:
    return NodeTaint(key=taint.key, value=taint.value, effect=_EFFECTS[taint.effect])  # type: ignore[arg-type]  # one of them
