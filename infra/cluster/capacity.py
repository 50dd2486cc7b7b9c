"""Capacity of each node pool, as the contract publishes it. Pure functions."""

from facts.accelerators import partition_count
from facts.allocatable import allocatable_disk_gib
from facts.machines import LOCAL_SSD_GIB, machine_type
from gkeplatform.contracts import NodePool, NodeTaint
from infra.cluster.compute_classes import bound
from infra.cluster.config import ClusterConfig
from infra.cluster.fixed_settings import fixed
from infra.cluster.pool_settings import NodePoolArgs, Taint

_EFFECTS = {
    "NO_SCHEDULE": "NoSchedule",
    "PREFER_NO_SCHEDULE": "PreferNoSchedule",
    "NO_EXECUTE": "NoExecute",
}


def pools(config: ClusterConfig) -> tuple[NodePool, ...]:
    """All pools of a configuration."""
    declared = bound(config.node_pools, config.compute_classes)
    return tuple(pool(one, config.cluster.zones) for one in declared)


def pool(args: NodePoolArgs, zones: tuple[str, ...]) -> NodePool:
    """One pool; `zones` are the cluster's."""
    machine = machine_type(args.machine_type)
    gpu = args.accelerator
    return NodePool(
        name=args.name,
        zones=args.zones or zones,
        machine_type=args.machine_type,
        min_nodes=args.min_nodes,
        max_nodes=args.max_nodes,
        cpu_millis=machine.allocatable_millicpu if machine else None,
        memory_bytes=machine.allocatable_mib * 2**20 if machine else None,
        ephemeral_bytes=ephemeral_bytes(args),
        accelerator=gpu.type if gpu else "",
        gpus=gpus(args),
        gpu_sharing=gpu.sharing.strategy if gpu and gpu.sharing else "",
        gpu_clients=gpu.sharing.clients if gpu and gpu.sharing else 0,
        gpu_partition=(gpu.partition or "") if gpu else "",
        tpu=machine.tpu_kind if machine else "",
        tpus=machine.tpus if machine else 0,
        tpu_topology=args.tpu_topology or (machine.tpu_topology if machine else ""),
        compact=args.compact,
        spot=args.spot,
        flex_start=args.flex_start,
        queued=args.queued,
        labels=args.labels,
        taints=tuple(_taint(taint) for taint in args.taints),
        fixed=fixed(args),
    )


def ephemeral_bytes(args: NodePoolArgs) -> int:
    """Bytes of ephemeral storage that GKE leaves to the pods of one node."""
    machine = machine_type(args.machine_type)
    return 2**30 * allocatable_disk_gib(
        args.disk_size_gb,
        local_ssds=args.local_ssd_count,
        local_ssd_gib=machine.local_ssd_gib if machine else LOCAL_SSD_GIB,
    )


def gpus(args: NodePoolArgs) -> int:
    """`nvidia.com/gpu` of one node: whole GPUs, partitions, or shares of either."""
    gpu = args.accelerator
    if gpu is None:
        return 0
    count = gpu.count
    if gpu.partition:
        count *= partition_count(gpu.type, gpu.partition) or 1
    return count * (gpu.sharing.clients if gpu.sharing else 1)


def _taint(taint: Taint) -> NodeTaint:
    return NodeTaint(key=taint.key, value=taint.value, effect=_EFFECTS[taint.effect])  # type: ignore[arg-type]  # one of them
