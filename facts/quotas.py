"""Compute Engine's quotas: which of them a node, or another resource, counts against.

The metrics are those of `compute.regions.get` and `compute.projects.get`. Newer machine series and
GPUs have quotas with dimensions, which these two do not show: `hidden` names them.

Sources: the `Quota` schema of the compute v1 discovery document;
https://cloud.google.com/compute/resource-usage (allocation quotas, 2026-11).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from facts.machines import MachineType

GLOBAL = ""
"""The region of a quota of the whole project."""
_CPUS = {
    "a2": "A2_CPUS",
    "c2": "C2_CPUS",
    "c2d": "C2D_CPUS",
    "c3": "C3_CPUS",
    "e2": "CPUS",
    "g2": "CPUS",
    "m1": "M1_CPUS",
    "m2": "M2_CPUS",
    "m3": "M3_CPUS",
    "n1": "CPUS",
    "n2": "N2_CPUS",
    "n2d": "N2D_CPUS",
    "t2a": "T2A_CPUS",
    "t2d": "T2D_CPUS",
}
_GPUS = {
    "nvidia-a100-80gb": "NVIDIA_A100_80GB",
    "nvidia-l4": "NVIDIA_L4",
    "nvidia-tesla-a100": "NVIDIA_A100",
    "nvidia-tesla-k80": "NVIDIA_K80",
    "nvidia-tesla-p100": "NVIDIA_P100",
    "nvidia-tesla-p4": "NVIDIA_P4",
    "nvidia-tesla-t4": "NVIDIA_T4",
    "nvidia-tesla-v100": "NVIDIA_V100",
}
_TPUS = {
    "ct4p": "TPU_PODSLICE_V4",
    "ct5l": "TPU_LITE_DEVICE_V5",
    "ct5lp": "TPU_LITE_PODSLICE_V5",
}
_DISKS = {
    "hyperdisk-balanced": "HDB_TOTAL_GB",
    "pd-balanced": "SSD_TOTAL_GB",
    "pd-extreme": "SSD_TOTAL_GB",
    "pd-ssd": "SSD_TOTAL_GB",
    "pd-standard": "DISKS_TOTAL_GB",
}
_SPOT_CPUS = "PREEMPTIBLE_CPUS"


@dataclass(frozen=True, slots=True, order=True)
class Metric:
    """A quota: its name, and the region that it is of."""

    name: str
    region: str = GLOBAL
    otherwise: str = ""
    """The quota that counts instead where the project has none, or one of 0, of this name."""

    @property
    def where(self) -> str:
        """The scope as Google's messages end: `in region europe-west4`, or `globally`."""
        return f"in region {self.region}" if self.region else "globally"

    def settled(self, limits: Mapping[tuple[str, str], float]) -> "Metric":
        """The quota that counts in a project with these limits, by region and name."""
        if self.otherwise and not limits.get((self.region, self.name)):
            return Metric(self.otherwise, self.region)
        return Metric(self.name, self.region)


Demand = Counter[Metric]
"""Amounts by quota: cores, GPUs, chips, GB or pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A virtual machine of a node pool, as far as quotas are concerned."""

    machine: MachineType
    region: str
    gpu: str = ""
    """The type of its GPUs; empty for those that come with the machine type."""
    gpus: int = 0
    spot: bool = False
    disk: str = "pd-balanced"
    disk_gb: int = 100
    local_ssds: int = 0
    is_public: bool = False
    """Whether it has an external address."""

    @property
    def accelerators(self) -> tuple[str, int]:
        """Type and number of its GPUs."""
        own = self.machine.accelerators
        if not self.gpus and own is not None:
            return own.type, own.count
        return self.gpu, self.gpus


def of_node(node: Node) -> Demand:
    """What one node counts as."""
    found: Demand = Counter({Metric("INSTANCES", node.region): 1})
    cpus, machine = _CPUS.get(node.machine.family), node.machine
    found[Metric("CPUS_ALL_REGIONS")] += machine.cpus
    if cpus and node.spot:
        found[Metric(_SPOT_CPUS, node.region, cpus)] += machine.cpus
    elif cpus:
        found[Metric(cpus, node.region)] += machine.cpus
    kind, number = node.accelerators
    if number:
        found[Metric("GPUS_ALL_REGIONS")] += number
        if kind.removesuffix("-vws") in _GPUS:
            found[_scarce(gpu_metric(kind), node)] += number
    if machine.tpus and machine.family in _TPUS:
        found[_scarce(_TPUS[machine.family], node)] += machine.tpus
    disk = _DISKS.get(node.disk)
    if disk:
        found[Metric(disk, node.region)] += node.disk_gb
    ssds = max(node.local_ssds, machine.local_ssds)
    if ssds:
        plain = "LOCAL_SSD_TOTAL_GB"
        name = Metric("PREEMPTIBLE_LOCAL_SSD_GB", node.region, plain)
        found[name if node.spot else Metric(plain, node.region)] += ssds * machine.local_ssd_gib
    if node.is_public:
        found[Metric("IN_USE_ADDRESSES", node.region)] += 1
    return found


def hidden(node: Node) -> Iterator[str]:
    """The quotas of a node that the Compute API does not show."""
    machine = node.machine
    kind, number = node.accelerators
    if number and kind.removesuffix("-vws") not in _GPUS:
        yield f"GPUS_PER_GPU_FAMILY of {kind}"
    elif machine.tpus and machine.family not in _TPUS:
        yield f"the TPU quota of {machine.family}"
    elif machine.family not in _CPUS and not number and not machine.tpus:
        yield f"CPUS_PER_VM_FAMILY of {machine.family.upper()}"


def gpu_metric(kind: str) -> str:
    """The regional quota of an accelerator type, such as NVIDIA_L4_GPUS. Raises KeyError."""
    end = "_VWS_GPUS" if kind.endswith("-vws") else "_GPUS"
    return _GPUS[kind.removesuffix("-vws")] + end


def _scarce(name: str, node: Node) -> Metric:
    """The quota of GPUs or TPUs: nodes at Spot prices have one of their own, if it was granted."""
    if node.spot:
        return Metric(f"PREEMPTIBLE_{name}", node.region, name)
    return Metric(name, node.region)


def metrics() -> Iterator[str]:
    """Every metric that a node can count against."""
    yield from ("INSTANCES", "IN_USE_ADDRESSES", "LOCAL_SSD_TOTAL_GB", "PREEMPTIBLE_LOCAL_SSD_GB")
    yield from dict.fromkeys((*_CPUS.values(), _SPOT_CPUS, *_DISKS.values()))
    for name in (*(f"{one}_GPUS" for one in _GPUS.values()), *_TPUS.values()):
        yield from (name, f"PREEMPTIBLE_{name}")
