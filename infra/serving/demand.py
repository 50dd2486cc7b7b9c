"""What a model asks of the cluster, as numbers: for its team's quota and for the node pools."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from infra.serving.files import Download, GcsFuse, SharedCache
from infra.serving.model import Model, files
from infra.serving.quantity import amount

MILLI = 1000
_FUSE_SIDECAR = (250, 256 * 2**20)
"""What GKE's container for Cloud Storage FUSE requests."""
_DOWNLOADER = (500, 512 * 2**20)


@dataclass(frozen=True, slots=True)
class Demand:
    """CPU in thousandths of a core, memory in bytes, whole GPUs, and how many pods."""

    cpu_millis: int = 0
    memory_bytes: int = 0
    gpus: int = 0
    pods: int = 0

    def times(self, count: int) -> "Demand":
        """The demand of `count` of these."""
        return Demand(
            self.cpu_millis * count, self.memory_bytes * count, self.gpus * count, self.pods * count
        )


def of_pod(model: Model) -> Demand:
    """What the scheduler reserves for one replica, with the containers that are put beside it."""
    asked = model.resources.requests
    cpu, memory = int(amount(asked.cpu) * MILLI), int(amount(asked.memory))
    how = files(model)
    if isinstance(how, GcsFuse):
        cpu, memory = cpu + _FUSE_SIDECAR[0], memory + _FUSE_SIDECAR[1]
    elif isinstance(how, Download | SharedCache):
        # It runs before the server, not beside it.
        cpu, memory = max(cpu, _DOWNLOADER[0]), max(memory, _DOWNLOADER[1])
    gpu = model.resources.gpu
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
    """Cores for people: `1.5`."""
    return f"{Decimal(millis) / MILLI:f}"


def gibibytes(size: int) -> str:
    """Memory for people: `3.5 GiB`."""
    return f"{size / 2**30:.4g} GiB"
