"""Which node pools can run a workload: its requests against what a node has for pods.

Whether a node is free is left to the scheduler.
"""

from collections.abc import Sequence
from dataclasses import replace

from facts.machines import machine_type
from gkeplatform.config import suggestion
from gkeplatform.contracts import NodePool, NodeTaint
from gkeplatform.errors import PlatformError
from infra.serving.models.workload import Workload
from infra.serving.placement.accelerators import asked, mismatch, offered
from infra.serving.placement.demand import Demand, cores, gibibytes, of_pod

HARD = ("NoSchedule", "NoExecute")
"""Effects of taints that keep pods off a node."""
UNLIMITED = 1_000_000
"""Replicas per node of a pool whose capacity is unknown."""


ARM_TAINT = NodeTaint(key="kubernetes.io/arch", value="arm64", effect="NoSchedule")
"""GKE's own, on all Arm nodes.

https://docs.cloud.google.com/kubernetes-engine/docs/how-to/prepare-arm-workloads-for-deployment
"""


def is_arm(pool: NodePool) -> bool:
    """Whether its nodes have Arm processors; False for an unknown machine type."""
    machine = machine_type(pool.machine_type)
    return machine is not None and machine.architecture == ARM_TAINT.value


def hard_taints(pool: NodePool) -> tuple[NodeTaint, ...]:
    """Taints that pods must tolerate, but for those of accelerators."""
    own = tuple(taint for taint in pool.taints if taint.effect in HARD)
    return (*own, ARM_TAINT) if is_arm(pool) and ARM_TAINT not in own else own


def is_reserved(pool: NodePool) -> bool:
    """Whether only pods with tolerations run on the pool: it has accelerators or taints."""
    return offered(pool) is not None or bool(hard_taints(pool))


def nodes(pool: NodePool) -> int:
    """The maximum number of nodes, over all zones."""
    return pool.max_nodes * len(pool.zones) if pool.max_total is None else pool.max_total


def is_eligible(workload: Workload, pool: NodePool) -> bool:
    """Whether the pod's node selector and tolerations allow the pool, whatever its size."""
    if pool.queued or (workload.node_pool is not None and workload.node_pool != pool.name):
        return False
    if pool.compute_class != (workload.compute_class or ""):
        return False
    wanted, has, gpu = asked(workload), offered(pool), workload.resources.gpu
    if gpu and gpu.sharing and gpu.sharing.clients not in {None, pool.gpu_clients}:
        return False
    if wanted is not None:
        return has is not None and has.kind == wanted.kind
    return _is_named(workload, pool) or not is_reserved(pool)


def _is_named(workload: Workload, pool: NodePool) -> bool:
    """Whether the workload names the pool, or its class, and so tolerates its taints."""
    return workload.node_pool == pool.name or workload.compute_class is not None


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
    return close(workload, fit) or fit


def close(workload: Workload, pools: Sequence[NodePool]) -> tuple[NodePool, ...]:
    """Of pools that can take a replica, those that keep its hosts close to each other.

    Empty where it has one host or none is compact; a compute class chooses by itself, and the
    nodes of a TPU slice always are.
    """
    if not workload.is_group or not workload.resources.gpu or workload.compute_class:
        return ()
    return tuple(pool for pool in pools if pool.compact and not shortages(workload, pool))


def shortages(workload: Workload, pool: NodePool) -> list[str]:
    """Why a replica cannot run on the pool, with the figures; empty if it can."""
    if pool.compute_class != (workload.compute_class or ""):
        if not pool.compute_class:
            return [f"it is not in class {workload.compute_class}"]
        return [f"it is kept for models with compute_class: {pool.compute_class}"]
    demand = of_pod(workload)
    reasons = [reason] if (reason := mismatch(workload, pool)) else []
    if pool.queued:
        reasons.append("its nodes are created for a ProvisioningRequest, which a model has not")
    if is_arm(pool) and workload.image == workload.preset.image:
        reasons.append(
            f"its nodes have Arm processors, and {workload.image} is the preset's; set image to "
            "one that is built for them"
        )
    if workload.node_pool != pool.name and asked(workload) is None:
        if offered(pool) is not None:
            kind = "TPUs" if pool.tpu else "GPUs"
            reasons.append(f"it is kept for models with {kind} unless node_pool names it")
        elif hard_taints(pool) and not workload.compute_class:
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
    if pool.ephemeral_bytes is not None and demand.ephemeral_bytes > pool.ephemeral_bytes:
        reasons.append(
            f"a node has {gibibytes(pool.ephemeral_bytes)} of disk for pods, "
            f"{gibibytes(demand.ephemeral_bytes)} asked (/tmp, files, cache, pod and logs)"
        )
    return reasons


def nearest(workload: Workload, pools: Sequence[NodePool]) -> NodePool:
    """The pool that lacks the least; of equal ones, the largest."""
    wanted, demand = asked(workload), of_pod(workload)

    def distance(pool: NodePool) -> tuple[bool, float, int]:
        has = offered(pool)
        lacking = sum(
            max(0.0, amount / has - 1) if has else 1.0 for amount, has in _pairs(demand, pool)
        )
        is_other = (has.kind if has else "") != (wanted.kind if wanted else "")
        return is_other, lacking, -(pool.ephemeral_bytes or 0)

    return min(pools, key=distance)


def replicas_per_node(demand: Demand, pool: NodePool) -> int:
    """How many replicas one node of the pool can hold, with nothing else on it."""
    return min((has // wanted for wanted, has in _pairs(demand, pool)), default=UNLIMITED)


def replicas_on(demand: Demand, pool: NodePool) -> int:
    """How many replicas the pool can hold at its maximum size, with nothing else on it."""
    return replicas_per_node(demand, pool) * nodes(pool)


def _pairs(demand: Demand, pool: NodePool) -> list[tuple[int, int]]:
    """Each amount that is requested, and what a node has of it, if both are known."""
    pairs = (
        (demand.gpus, pool.gpus),
        (demand.tpus, pool.tpus),
        (demand.cpu_millis, pool.cpu_millis),
        (demand.memory_bytes, pool.memory_bytes),
        (demand.ephemeral_bytes, pool.ephemeral_bytes),
    )
    return [(wanted, has) for wanted, has in pairs if wanted and has is not None]


def requested(workload: Workload) -> str:
    """A replica's requests, for messages."""
    demand, wanted = of_pod(workload), asked(workload)
    parts = [
        *([str(wanted)] if wanted else []),
        f"{cores(demand.cpu_millis)} cores",
        gibibytes(demand.memory_bytes),
    ]
    return ", ".join(parts)


def _unfit(workload: Workload, pools: Sequence[NodePool]) -> str:
    if missing := _missing_type(workload, pools):
        return missing
    near = nearest(workload, pools)
    others = ", ".join(sorted(pool.name for pool in pools if pool != near))
    return (
        f"resources: a replica asks for {requested(workload)} and fits no node pool; the nearest "
        f"is {near.name}: {'; '.join(shortages(workload, near))}; {_remedy(workload, near)}"
        f"{f' (others: {others})' if others else ''}"
    )


def _missing_type(workload: Workload, pools: Sequence[NodePool]) -> str:
    """The message for an accelerator type that no pool has; empty if one has it."""
    gpu, tpu = workload.resources.gpu, workload.resources.tpu
    key, wanted = ("tpu", tpu.type) if tpu else ("gpu", gpu.type if gpu else "")
    having = {pool.tpu if tpu else pool.accelerator: pool for pool in pools}
    kinds = {pool.tpu if tpu else pool.accelerator for pool in pools if not pool.compute_class} - {
        ""
    }
    if not wanted or wanted in kinds:
        return ""
    if found := having.get(wanted):
        return (
            f'resources.{key}.type: "{wanted}" is in compute classes only; set compute_class: '
            f"{found.compute_class}{'' if tpu else ', and remove type'}"
        )
    return (
        f'resources.{key}.type: no node pool has "{wanted}"; '
        f"{suggestion(wanted, kinds)}; or add a pool to gke-cluster:node_pools"
    )


def _remedy(workload: Workload, pool: NodePool) -> str:
    if workload.node_pool is None and not shortages(replace(workload, node_pool=pool.name), pool):
        return f"set node_pool: {pool.name}"
    demand, has, wanted = of_pod(workload), offered(pool), asked(workload)
    if wanted and has and wanted.kind != has.kind:
        return f"ask for {has.kind}, or add a pool to gke-cluster:node_pools"
    largest = [str(has)] if wanted and has else []
    if pool.cpu_millis is not None and pool.memory_bytes is not None:
        largest += [f"{cores(pool.cpu_millis)} cores", gibibytes(pool.memory_bytes)]
    if pool.ephemeral_bytes is not None and demand.ephemeral_bytes > pool.ephemeral_bytes:
        return (
            f"ask for at most {gibibytes(pool.ephemeral_bytes)} of disk (files, "
            "temporary_storage, pod), or give it a larger disk_size_gb or more local_ssd_count in "
            "gke-cluster:node_pools"
        )
    return (
        f"ask for at most {', '.join(largest)}, or give it larger nodes in gke-cluster:node_pools"
    )
