"""GPUs and TPUs: what a workload asks for, what a node pool offers, and whether the two match."""

from dataclasses import dataclass

from gkeplatform.contracts import NodePool
from infra.serving.models.workload import Workload


@dataclass(frozen=True, slots=True)
class Accelerators:
    """A number of accelerators of one kind. Kinds are not interchangeable."""

    kind: str
    """For messages: `nvidia-l4`, `1g.5gb partition of nvidia-tesla-a100`, `tpu-v6e-slice 2x2`.

    In a compute class all types of GPUs are one kind, `GPU of class NAME`: a model takes any."""
    count: int

    def __str__(self) -> str:
        return f"{self.count} x {self.kind}"


def asked(workload: Workload) -> Accelerators | None:
    """What one replica asks for, over all its hosts; None without accelerators."""
    gpu, tpu = workload.resources.gpu, workload.resources.tpu
    class_ = workload.compute_class or ""
    if tpu:
        return Accelerators(_tpu(tpu.type, tpu.topology, class_), tpu.total)
    if gpu is None:
        return None
    strategy = gpu.sharing.strategy if gpu.sharing else ""
    return Accelerators(_gpu(gpu.type, strategy, gpu.partition or "", class_), workload.gpus)


def offered(pool: NodePool) -> Accelerators | None:
    """What a node of the pool has; None without accelerators."""
    if pool.tpu:
        kind = _tpu(pool.tpu, pool.tpu_topology, pool.compute_class)
        return Accelerators(kind, pool.tpus)
    if not pool.accelerator:
        return None
    kind = _gpu(pool.accelerator, pool.gpu_sharing, pool.gpu_partition, pool.compute_class)
    return Accelerators(kind, pool.gpus)


def mismatch(workload: Workload, pool: NodePool) -> str:
    """Why the pool's accelerators are not those asked for; empty if they are, or none are."""
    wanted, has = asked(workload), offered(pool)
    if wanted is None:
        return ""
    if has is None:
        return f"it has no {'TPUs' if workload.resources.tpu else 'GPUs'}, not {wanted.kind}"
    if has.kind != wanted.kind:
        return f"it has {has.kind}, not {wanted.kind}{_advice(workload, pool)}"
    return _too_small(workload, pool)


def _too_small(workload: Workload, pool: NodePool) -> str:
    """Why a node has too few accelerators of the right kind; empty if it has enough."""
    gpu, tpu = workload.resources.gpu, workload.resources.tpu
    if tpu and (span := max(1, tpu.total // pool.tpus)) != workload.hosts:
        return (
            f"its slice of {pool.tpu_topology} spans {span} nodes, and hosts is {workload.hosts}; "
            f"set hosts: {span}, or a topology of {_nodes(workload.hosts)}"
        )
    if gpu and gpu.sharing and gpu.sharing.clients not in {None, pool.gpu_clients}:
        return f"{pool.gpu_clients} pods share a GPU, not {gpu.sharing.clients}"
    if gpu and pool.gpus < gpu.count:
        return f"a node has {pool.gpus} GPUs, {gpu.count} asked"
    if gpu and pool.max_nodes < workload.hosts:
        return (
            f"it has at most {_nodes(pool.max_nodes)} in a zone, and a replica runs on "
            f"{workload.hosts} hosts of one zone; raise max_nodes"
        )
    return ""


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"


def _advice(workload: Workload, pool: NodePool) -> str:
    """How the workload would ask for what the pool has, if the GPUs are of the same type."""
    gpu = workload.resources.gpu
    if gpu is None or (gpu.type != pool.accelerator and not workload.compute_class):
        return ""
    keys = []
    if pool.gpu_sharing:
        keys.append(f"gpu.sharing: {{strategy: {pool.gpu_sharing}}}")
    if pool.gpu_partition:
        keys.append(f"gpu.partition: {pool.gpu_partition}")
    if not keys:
        return " (whole GPUs: leave out gpu.sharing and gpu.partition)"
    many = "; a pod can have only one" if gpu.count > 1 else ""
    return f" (to ask for one: {' and '.join(keys)}{many})"


def _gpu(type_: str, sharing: str, partition: str, class_: str) -> str:
    type_ = f"GPU of class {class_}" if class_ else type_
    whole = f"{partition} partition of {type_}" if partition else type_
    return f"{sharing} share of {whole}" if sharing else whole


def _tpu(type_: str, topology: str, class_: str) -> str:
    return f"{type_} {topology}" + (f" of class {class_}" if class_ else "")
