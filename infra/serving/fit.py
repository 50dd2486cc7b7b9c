"""Which node pools a model's pods can run on: requests against what one node has for pods.

Pure functions over numbers. That pools exist, grow and are free is the scheduler's matter; what no
node of any pool could ever take is refused here, before anything is touched.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from gkeplatform.config import suggestion
from gkeplatform.contracts import NodePool, NodeTaint
from gkeplatform.errors import PlatformError
from infra.serving.demand import Demand, cores, gibibytes, of_pod
from infra.serving.model import Model

HARD = ("NoSchedule", "NoExecute")
"""Effects of taints that keep pods off, in Kubernetes' spelling."""


def hard_taints(pool: NodePool) -> tuple[NodeTaint, ...]:
    """Those that pods must tolerate."""
    return tuple(taint for taint in pool.taints if taint.effect in HARD)


def nodes(pool: NodePool) -> int:
    """Nodes at most, over all zones."""
    return pool.max_nodes * len(pool.zones)


def fitting(key: str, model: Model, pools: Sequence[NodePool]) -> tuple[NodePool, ...]:
    """The pools that can take a replica; `PlatformError` with the nearest where there are none."""
    if model.node_pool is not None:
        [named] = [pool for pool in pools if pool.name == model.node_pool]
        if short := shortages(model, named):
            others = [pool.name for pool in pools if not shortages(model, pool)]
            remedy = f"pool {others[0]} can" if others else _remedy(model, named)
            raise PlatformError(
                f"{key}.node_pool: pool {named.name} cannot take a replica, which asks for "
                f"{asked(model)}: {'; '.join(short)}; {remedy}"
            )
        return (named,)
    fit = tuple(pool for pool in pools if not shortages(model, pool))
    if not fit:
        raise PlatformError(f"{key}.{_unfit(model, pools)}")
    return fit


def shortages(model: Model, pool: NodePool) -> list[str]:
    """Why a replica cannot run on the pool, with the figures; empty where it can."""
    want, gpu = of_pod(model), model.resources.gpu
    said = []
    if gpu and pool.accelerator != gpu.type:
        said.append(f"it has {pool.accelerator or 'no GPUs'}, not {gpu.type}")
    elif gpu and pool.gpus < gpu.count:
        said.append(f"a node has {pool.gpus} GPUs, {gpu.count} asked")
    if model.node_pool != pool.name and not gpu:
        if pool.accelerator:
            said.append("it is kept for models with GPUs unless node_pool names it")
        elif hard_taints(pool):
            taint = hard_taints(pool)[0]
            said.append(f"it is tainted {taint.key}={taint.value} unless node_pool names it")
    if pool.cpu_millis is not None and want.cpu_millis > pool.cpu_millis:
        said.append(
            f"a node has {cores(pool.cpu_millis)} cores for pods, {cores(want.cpu_millis)} asked"
        )
    if pool.memory_bytes is not None and want.memory_bytes > pool.memory_bytes:
        said.append(
            f"a node has {gibibytes(pool.memory_bytes)} for pods, "
            f"{gibibytes(want.memory_bytes)} asked"
        )
    return said


def nearest(model: Model, pools: Sequence[NodePool]) -> NodePool:
    """The pool that lacks least."""
    gpu, want = model.resources.gpu, of_pod(model)

    def distance(pool: NodePool) -> tuple[bool, float]:
        return pool.accelerator != (gpu.type if gpu else ""), sum(
            max(0.0, wanted / has - 1) if has else 1.0 for wanted, has in _pairs(want, pool)
        )

    return min(pools, key=distance)


def replicas_on(want: Demand, pool: NodePool) -> int:
    """How many replicas the pool can take at its largest, with nothing else on it."""
    return min(has // wanted for wanted, has in _pairs(want, pool)) * nodes(pool)


def _pairs(want: Demand, pool: NodePool) -> list[tuple[int, int]]:
    """What is wanted and what a node has of it, as far as both are known."""
    pairs = (
        (want.gpus, pool.gpus),
        (want.cpu_millis, pool.cpu_millis),
        (want.memory_bytes, pool.memory_bytes),
    )
    return [(wanted, has) for wanted, has in pairs if wanted and has is not None]


def asked(model: Model) -> str:
    """A replica's requests, for people."""
    want, gpu = of_pod(model), model.resources.gpu
    parts = [f"{gpu.count} x {gpu.type}"] if gpu else []
    return ", ".join([*parts, f"{cores(want.cpu_millis)} cores", gibibytes(want.memory_bytes)])


def _unfit(model: Model, pools: Sequence[NodePool]) -> str:
    gpu = model.resources.gpu
    kinds = {pool.accelerator for pool in pools if pool.accelerator}
    if gpu and gpu.type not in kinds:
        return (
            f'resources.gpu.type: no node pool has "{gpu.type}"; '
            f"{suggestion(gpu.type, kinds)}; or add a pool to gke-cluster:node_pools"
        )
    near = nearest(model, pools)
    others = ", ".join(sorted(pool.name for pool in pools if pool != near))
    return (
        f"resources: a replica asks for {asked(model)} and fits no node pool; the nearest is "
        f"{near.name}: {'; '.join(shortages(model, near))}; {_remedy(model, near)}"
        f"{f' (others: {others})' if others else ''}"
    )


def _remedy(model: Model, pool: NodePool) -> str:
    if model.node_pool is None and not shortages(replace(model, node_pool=pool.name), pool):
        return f"set node_pool: {pool.name}"
    want = of_pod(model)
    most = [f"{pool.gpus} x {pool.accelerator}"] if want.gpus and pool.accelerator else []
    if pool.cpu_millis is not None and pool.memory_bytes is not None:
        most += [f"{cores(pool.cpu_millis)} cores", gibibytes(pool.memory_bytes)]
    return f"ask for at most {', '.join(most)}, or give it larger nodes in gke-cluster:node_pools"
