"""Capacity of node pools and compute classes, as the contract publishes it. Pure functions."""

from collections import Counter

from msgspec import structs

from facts.accelerators import partition_count
from facts.allocatable import allocatable_disk_gib
from facts.machines import LOCAL_SSD_GIB, machine_type
from gkeplatform.contracts import ComputeClass, CreatedPool, NodePool, NodeTaint
from infra.cluster import created_pools
from infra.cluster.compute_classes import bound, of_class
from infra.cluster.config import ClusterConfig
from infra.cluster.created_pools import CreatedPoolArgs
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


def classes(config: ClusterConfig, account: str) -> tuple[ComputeClass, ...]:
    """All compute classes of a configuration; `account` is that of nodes that GKE creates."""
    limits, zones = config.cluster.auto_provisioning, config.cluster.zones
    room = created_pools.left(limits, config.node_pools, zones) if limits else Counter[str]()
    untaken = Counter(room)
    found = []
    for one in config.compute_classes:
        made = []
        for place, priority in enumerate(one.priorities):
            if args := priority.create:
                most = created_pools.most_nodes(args, room)
                # What one choice may take is not counted again for the next.
                total = created_pools.most_nodes(args, untaken)
                taken = {kind: total * amount for kind, amount in created_pools.costs(args).items()}
                untaken.subtract(taken)
                made.append(_created(args, one.name, place, (most, total), zones))
        found.append(
            ComputeClass(
                name=one.name,
                priorities=tuple(priority.node_pools for priority in one.priorities),
                active_migration=one.active_migration,
                created=tuple(made),
                account=account if made else "",
            )
        )
    return tuple(found)


def _created(
    args: CreatedPoolArgs, class_: str, place: int, most: tuple[int, int], zones: tuple[str, ...]
) -> CreatedPool:
    """One choice; `most` are its nodes in one zone, and those that count in all zones together."""
    own = of_class(args.pool(f"{class_}/{place}", most[0]), class_)
    declared = pool(own, zones)
    return CreatedPool(
        priority=place,
        nodes=structs.replace(declared, max_total=most[1], fixed={}),
        gpu_driver=args.accelerator.driver if args.accelerator else "",
        reservation=args.reservation or "",
        zones=args.zones,
        disk_size_gb=args.disk_size_gb,
        disk_type=args.disk_type,
        local_ssds=args.local_ssd_count,
        max_run_seconds=args.max_run_seconds,
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
