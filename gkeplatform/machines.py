"""What Google Cloud offers where: machine types and accelerators, and what a node leaves to pods.

The facts stand in `catalog/machine_types.json` and `catalog/tpus.json`, which name their sources
and dates. A machine type
that is newer is not refused: nothing is known of it. Prices and quotas are not here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parent / "catalog" / "machine_types.json"
_TPUS = _FILE.with_name("tpus.json")
_SHARED_MILLICPU = {"e2-micro": 250, "e2-small": 500, "e2-medium": 1000}
# Accelerator-optimised machines have their GPUs by their name: a2-highgpu-4g has four.
_GPU_OF = {
    "a2-highgpu": "nvidia-tesla-a100",
    "a2-megagpu": "nvidia-tesla-a100",
    "a2-ultragpu": "nvidia-a100-80gb",
    "a3-highgpu": "nvidia-h100-80gb",
    "a3-megagpu": "nvidia-h100-mega-80gb",
    "a3-ultragpu": "nvidia-h200-141gb",
}
_L4_OF_G2 = {4: 1, 8: 1, 12: 1, 16: 1, 24: 2, 32: 1, 48: 4, 96: 8}

# https://docs.cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes
_CPU_STEPS = ((1, 60), (1, 10), (2, 5))
_CPU_REST = 2.5
_MEMORY_STEPS = ((4096, 0.25), (4096, 0.20), (8192, 0.10), (114688, 0.06))
_MEMORY_REST = 0.02
_EVICTION_MIB = 100
_SHARED_RESERVED_MILLICPU = 1060


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine type: vCPUs, MiB of memory, and the zones that have it."""

    name: str
    cpus: int
    memory_mib: int
    is_shared: bool
    zones: frozenset[str]
    tpus: int = 0
    """TPU chips."""

    @property
    def built_in_gpus(self) -> tuple[str, int] | None:
        """The GPUs that it comes with, type and count; none where they are attached."""
        series, _, size = self.name.rpartition("-")
        if series in _GPU_OF and size.endswith("g") and size[:-1].isdigit():
            return _GPU_OF[series], int(size[:-1])
        if series == "g2-standard" and size.isdigit() and int(size) in _L4_OF_G2:
            return "nvidia-l4", _L4_OF_G2[int(size)]
        return None

    @property
    def allocatable_millicpu(self) -> int:
        """Thousandths of a core that GKE leaves to pods."""
        if self.is_shared:
            kept = min(_SHARED_RESERVED_MILLICPU, self.cpus * 1000 * 53 // 100)
            return self.cpus * 1000 - kept
        reserved, left = 0.0, self.cpus
        for cores, each in _CPU_STEPS:
            taken = min(left, cores)
            reserved += taken * each
            left -= taken
        return self.cpus * 1000 - round(reserved + left * _CPU_REST)

    @property
    def allocatable_mib(self) -> int:
        """MiB of memory that GKE leaves to pods."""
        reserved, left = 0.0, self.memory_mib
        for amount, share in _MEMORY_STEPS:
            taken = min(left, amount)
            reserved += taken * share
            left -= taken
        kept = 255 if self.memory_mib < 1024 else round(reserved + left * _MEMORY_REST)
        return max(0, self.memory_mib - kept - _EVICTION_MIB)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Machine types by name, and the zones of each accelerator."""

    date: str
    machines: Mapping[str, Machine]
    accelerators: Mapping[str, frozenset[str]]


@cache
def catalogue() -> Catalogue:
    """All that is known."""
    raw: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    sets = [frozenset(_unfolded(text)) for text in raw["zone_sets"]]
    return Catalogue(
        date=raw["date"],
        machines={
            name: Machine(name, cpus, memory, bool(shared), sets[zones])
            for name, (cpus, memory, shared, zones) in raw["machine_types"].items()
        }
        | _with_tpus(),
        accelerators={name: sets[zones] for name, zones in raw["accelerators"].items()},
    )


def _with_tpus() -> dict[str, Machine]:
    raw: dict[str, Any] = json.loads(_TPUS.read_text(encoding="utf-8"))
    return {
        name: Machine(name, cpus, memory * 1024, False, frozenset(_unfolded(zones)), chips)
        for name, (cpus, memory, chips, zones, _) in raw["machine_types"].items()
    }


def _unfolded(text: str) -> list[str]:
    """`us-east1:bc` → `us-east1-b`, `us-east1-c`."""
    parts = (part.partition(":") for part in text.split())
    return [f"{region}-{letter}" for region, _, letters in parts for letter in letters]
