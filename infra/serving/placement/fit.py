"""Which node pools can run a workload: its requests against what a node has for pods.

Whether a node is free is left to the scheduler.
"""

from collections.abc import Sequence
from dataclasses import replace

from gkeplatform.config import suggestion
from gkeplatform.contracts import NodePool, NodeTaint
from gkeplatform.errors import PlatformError
from infra.serving.models.workload import Workload
from infra.serving.placement.demand import Demand, cores, gibibytes, of_pod

HARD = ("NoSchedule", "NoExecute")
"""Effects of taints that keep pods off a node."""


def hard_taints(pool: NodePool) -> tuple[NodeTaint, ...]:
    """Taints that pods must tolerate."""
    return tuple(taint for taint in pool.taints if taint.effect in HARD)


def nodes(pool: NodePool) -> int:
    """The maximum number of nodes, over all zones."""
    return pool.max_nodes * len(pool.zones)


def fitting(workload: Workload, pools: Sequence[NodePool]) -> tuple[NodePool, ...]:
    """The pools that can take a replica; `PlatformError` with the nearest if there is none."""
    key = workload.key
    if workload.node_pool is not None:
        [named] = [pool for pool in pools if pool.name == workload.node_pool]
        if short := shortages(workload, named):
            others = [pool.name for pool in pools if not shortages(workload, pool)]
            remedy = f"pool {others[0]} can" if others else _remedy(workload, named)
            raise PlatformError(
                f"{key}.node_pool: pool {named.name} cannot take a replica, which asks for "
                f"{requested(workload)}: {'; '.join(short)}; {remedy}"
            )
        return (named,)
    fit = tuple(pool for pool in pools if not shortages(workload, pool))
    if not fit:
        raise PlatformError(f"{key}.{_unfit(workload, pools)}")
    return fit


def shortages(workload: Workload, pool: NodePool) -> list[str]:
    """Why a replica cannot run on the pool, with the figures; empty if it can."""
    demand, gpu = of_pod(workload), workload.resources.gpu
    reasons = []
    if gpu and pool.accelerator != gpu.type:
        reasons.append(f"it has {pool.accelerator or 'no GPUs'}, not {gpu.type}")
    elif gpu and pool.gpus < gpu.count:
        reasons.append(f"a node has {pool.gpus} GPUs, {gpu.count} asked")
    if workload.node_pool != pool.name and not gpu:
        if pool.accelerator:
            reasons.append("it is kept for models with GPUs unless node_pool names it")
        elif hard_taints(pool):
            taint = hard_taints(pool)[0]
            reasons.append(f"it is tainted {taint.key}={taint.value} unless node_pool names it")
    if pool.cpu_millis is not None and demand.cpu_millis > pool.cpu_millis:
        reasons.append(
            f"a node has {cores(pool.cpu_millis)} cores for pods, {cores(demand.cpu_millis)} asked"
        )
    if pool.memory_bytes is not None and demand.memory_bytes > pool.memory_bytes:
        reasons.append(
            f"a node has {gibibytes(pool.memory_bytes)} for pods, "
            f"{gibibytes(demand.memory_bytes)} asked"
        )
    return reasons


def nearest(workload: Workload, pools: Sequence[NodePool]) -> NodePool:
    """The pool that lacks the least."""
    gpu, demand = workload.resources.gpu, of_pod(workload)

    def distance(pool: NodePool) -> tuple[bool, float]:
        return pool.accelerator != (gpu.type if gpu else ""), sum(
            max(0.0, wanted / has - 1) if has else 1.0 for wanted, has in _pairs(demand, pool)
        )

    return min(pools, key=distance)


def replicas_on(demand: Demand, pool: NodePool) -> int:
    """How many replicas the pool can hold at its maximum size, with nothing else on it."""
    return min(has // wanted for wanted, has in _pairs(demand, pool)) * nodes(pool)


def _pairs(demand: Demand, pool: NodePool) -> list[tuple[int, int]]:
    """Each amount that is requested, and what a node has of it, if both are known."""
    pairs = (
        (demand.gpus, pool.gpus),
        (demand.cpu_millis, pool.cpu_millis),
        (demand.memory_bytes, pool.memory_bytes),
    )
    return [(wanted, has) for wanted, has in pairs if wanted and has is not None]


def requested(workload: Workload) -> str:
    """A replica's requests, for messages."""
    demand, gpu = of_pod(workload), workload.resources.gpu
    parts = [f"{gpu.count} x {gpu.type}"] if gpu else []
    return ", ".join([*parts, f"{cores(demand.cpu_millis)} cores", gibibytes(demand.memory_bytes)])


def _unfit(workload: Workload, pools: Sequence[NodePool]) -> str:
    gpu = workload.resources.gpu
    kinds = {pool.accelerator for pool in pools if pool.accelerator}
    if gpu and gpu.type not in kinds:
        return (
            f'resources.gpu.type: no node pool has "{gpu.type}"; '
            f"{suggestion(gpu.type, kinds)}; or add a pool to gke-cluster:node_pools"
        )
    near = nearest(workload, pools)
    others = ", ".join(sorted(pool.name for pool in pools if pool != near))
    return (
        f"resources: a replica asks for {requested(workload)} and fits no node pool; the nearest "
        f"is {near.name}: {'; '.join(shortages(workload, near))}; {_remedy(workload, near)}"
        f"{f' (others: {others})' if others else ''}"
    )


def _remedy(workload: Workload, pool: NodePool) -> str:
    if workload.node_pool is None and not shortages(replace(workload, node_pool=pool.name), pool):
        return f"set node_pool: {pool.name}"
    demand = of_pod(workload)
    largest = [f"{pool.gpus} x {pool.accelerator}"] if demand.gpus and pool.accelerator else []
    if pool.cpu_millis is not None and pool.memory_bytes is not None:
        largest += [f"{cores(pool.cpu_millis)} cores", gibibytes(pool.memory_bytes)]
    return (
        f"ask for at most {', '.join(largest)}, or give it larger nodes in gke-cluster:node_pools"
    )
