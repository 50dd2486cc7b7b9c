"""Resources that a workload requests, as numbers."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from infra.serving.models.files import Download, GcsFuse, SharedCache
from infra.serving.models.workload import Workload
from infra.serving.placement import extra_containers
from infra.serving.placement.units import MILLI
from infra.serving.quantity import amount

_FUSE_SIDECAR = (250, 256 * 2**20)
"""Requests of GKE's sidecar for Cloud Storage FUSE."""
_DOWNLOADER = (500, 512 * 2**20)


@dataclass(frozen=True, slots=True)
class Demand:
    """CPU in thousandths of a core, memory in bytes, whole GPUs, and a number of pods."""

    cpu_millis: int = 0
    memory_bytes: int = 0
    gpus: int = 0
    pods: int = 0

    def times(self, count: int) -> "Demand":
        """`count` times this demand."""
        return Demand(
            self.cpu_millis * count, self.memory_bytes * count, self.gpus * count, self.pods * count
        )


def of_pod(workload: Workload) -> Demand:
    """What the scheduler reserves for one replica, sidecars and init containers included."""
    requests = workload.resources.requests
    cpu, memory = int(amount(requests.cpu) * MILLI), int(amount(requests.memory))
    files = workload.files
    extra = extra_containers.amounts(workload.pod)
    cpu, memory = cpu + extra.running[0], memory + extra.running[1]
    cpu, memory = max(cpu, extra.starting[0]), max(memory, extra.starting[1])
    if isinstance(files, GcsFuse):
        # It runs before and beside all other containers.
        cpu, memory = cpu + _FUSE_SIDECAR[0], memory + _FUSE_SIDECAR[1]
    elif isinstance(files, Download | SharedCache):
        # It runs before the server, so the larger of the two counts.
        cpu, memory = max(cpu, _DOWNLOADER[0]), max(memory, _DOWNLOADER[1])
    gpu = workload.resources.gpu
    return Demand(cpu, memory, gpu.count if gpu else 0, 1)


def total(demands: Iterable[Demand]) -> Demand:
    """The sum."""
    parts = list(demands)
    return Demand(
        sum(d.cpu_millis for d in parts),
        sum(d.memory_bytes for d in parts),
        sum(d.gpus for d in parts),
        sum(d.pods for d in parts),
    )


def cores(millis: int) -> str:
    """Cores for messages: `1.5`."""
    return f"{Decimal(millis) / MILLI:f}"


def gibibytes(size: int) -> str:
    """Memory for messages: `3.5 GiB`."""
    return f"{size / 2**30:.4g} GiB"
