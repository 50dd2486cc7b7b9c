"""What each node pool offers, for whoever wants to run something there. Pure."""

from gkeplatform import machines
from gkeplatform.contracts import NodePool, NodeTaint
from infra.cluster.config import ClusterConfig
from infra.cluster.pool_settings import NodePoolArgs, Taint

_EFFECTS = {
    "NO_SCHEDULE": "NoSchedule",
    "PREFER_NO_SCHEDULE": "PreferNoSchedule",
    "NO_EXECUTE": "NoExecute",
}
_SLICES = {"1g": 7, "2g": 3, "3g": 2, "7g": 1}
"""Slices of one GPU by their size: NVIDIA's profiles of Multi-Instance GPUs."""


def pools(config: ClusterConfig) -> tuple[NodePool, ...]:
    """All pools of a configuration."""
    return tuple(pool(one, config.cluster.zones) for one in config.node_pools)


def pool(args: NodePoolArgs, zones: tuple[str, ...]) -> NodePool:
    """One pool; `zones` are the cluster's."""
    machine = machines.catalogue().machines.get(args.machine_type)
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
    """How many `nvidia.com/gpu` a node has."""
    if args.accelerator is None:
        return 0
    whole = args.accelerator.count
    if args.accelerator.partition:
        whole *= _SLICES.get(args.accelerator.partition.partition(".")[0], 1)
    return whole * (args.accelerator.sharing.clients if args.accelerator.sharing else 1)


def _taint(taint: Taint) -> NodeTaint:
    return NodeTaint(key=taint.key, value=taint.value, effect=_EFFECTS[taint.effect])  # type: ignore[arg-type]  # one of them
