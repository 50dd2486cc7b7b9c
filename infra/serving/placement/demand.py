"""Resources that a workload requests, as numbers."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import Decimal

from infra.serving.models import adapter_sidecar, storage
from infra.serving.models.files import DOWNLOADER_AMOUNTS, Download, GcsFuse
from infra.serving.models.shared_cache import SharedCache
from infra.serving.models.workload import Workload
from infra.serving.placement import extra_containers
from infra.serving.quantity import MILLI, amount, millis


@dataclass(frozen=True, slots=True)
class Demand:
    """CPU in thousandths of a core, memory and ephemeral storage in bytes, GPUs, TPUs and pods."""

    cpu_millis: int = 0
    memory_bytes: int = 0
    gpus: int = 0
    pods: int = 0
    ephemeral_bytes: int = 0
    tpus: int = 0

    def times(self, count: int) -> "Demand":
        """`count` times this demand."""
        return Demand(**{one.name: getattr(self, one.name) * count for one in fields(self)})


def of_pod(workload: Workload) -> Demand:
    """What the scheduler reserves for one pod, sidecars and init containers included.

    A replica has as many pods as `hosts`.
    """
    requests = workload.resources.requests
    cpu, memory = millis(requests.cpu), int(amount(requests.memory))
    files = workload.files
    extra = extra_containers.amounts(workload.pod, adapter_sidecar.containers(workload))
    cpu, memory = cpu + extra.running[0], memory + extra.running[1]
    cpu, memory = max(cpu, extra.starting[0]), max(memory, extra.starting[1])
    disk = max(storage.of_server(workload) + extra.running[2], extra.starting[2])
    if isinstance(files, GcsFuse):
        # It runs before and beside all other containers.
        sidecar = files.sidecar_resources
        cpu += millis(sidecar["cpu"])
        memory += int(amount(sidecar["memory"]))
    elif isinstance(files, Download | SharedCache):
        # It runs before the server, so the larger of the two counts.
        cpu = max(cpu, millis(DOWNLOADER_AMOUNTS["cpu"]))
        memory = max(memory, int(amount(DOWNLOADER_AMOUNTS["memory"])))
    gpu = workload.resources.gpu
    return Demand(
        cpu,
        memory,
        gpus=gpu.count if gpu else 0,
        pods=1,
        ephemeral_bytes=disk + storage.of_sidecar(workload),
        tpus=workload.chips,
    )


def of_import() -> Demand:
    """What the scheduler reserves for an import from Hugging Face while it runs."""
    return Demand(
        millis(DOWNLOADER_AMOUNTS["cpu"]), int(amount(DOWNLOADER_AMOUNTS["memory"])), pods=1
    )


def total(demands: Iterable[Demand]) -> Demand:
    """The sum."""
    parts = list(demands)
    return Demand(
        **{one.name: sum(getattr(part, one.name) for part in parts) for one in fields(Demand)}
    )


def cores(thousandths: int) -> str:
    """Cores for messages: `1.5`."""
    return f"{Decimal(thousandths) / MILLI:f}"


def gibibytes(size: int) -> str:
    """Memory or storage for messages: `3.5 GiB`."""
    return f"{size / 2**30:.4g} GiB"
