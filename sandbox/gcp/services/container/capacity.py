"""What a GKE node has, and what of it GKE leaves to pods.

The arithmetic is the one that Google documents under "Plan node sizes": CPU and memory are held
back for the kubelet and the system in steps, 100 MiB of memory for eviction, and of the boot disk
the smallest of three amounts plus a tenth. The real kernel and firmware take some more of the
memory before the kubelet sees it; a few dozen MiB, which are not subtracted here.
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.gcp.machine_types import MachineType

_GIB = 1024
_EVICTION_MIB = 100
_SHARED_CORE_RESERVED = 1060
_CPU_STEPS = ((1, 6.0), (1, 1.0), (2, 0.5))
_CPU_REST = 0.25
_MEMORY_STEPS = ((4 * _GIB, 0.25), (4 * _GIB, 0.20), (8 * _GIB, 0.10), (112 * _GIB, 0.06))
_MEMORY_REST = 0.02
_SMALL_MEMORY_MIB = 255
LOCAL_SSD_GB = 375
_SSD_SYSTEM = {1: 50, 2: 75}
_SSD_SYSTEM_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Amounts of one node, in the units that the kubelet reports."""

    cpu_milli: int
    memory_kib: int
    ephemeral_storage_kib: int

    @property
    def cpu(self) -> str:
        """As Kubernetes writes it: `2`, or `940m`."""
        cores, rest = divmod(self.cpu_milli, 1000)
        return f"{self.cpu_milli}m" if rest else str(cores)

    @property
    def memory(self) -> str:
        """As Kubernetes writes it."""
        return f"{self.memory_kib}Ki"

    @property
    def ephemeral_storage(self) -> str:
        """As Kubernetes writes it."""
        return f"{self.ephemeral_storage_kib}Ki"


def reserved_cpu(machine: MachineType) -> int:
    """Return the millicores that GKE keeps for itself."""
    if machine.is_shared_cpu:
        # Documented for the shared-core E2 types as one sum; never all that a smaller one has.
        return min(_SHARED_CORE_RESERVED, machine.cpus * 1000 * 53 // 100)
    reserved, left = 0.0, machine.cpus
    for cores, percent in _CPU_STEPS:
        taken = min(left, cores)
        reserved += taken * percent * 10
        left -= taken
    return round(reserved + left * _CPU_REST * 10)


def reserved_memory(memory_mib: int) -> int:
    """Return the MiB that GKE keeps for itself, without what is kept for eviction."""
    if memory_mib < _GIB:
        return _SMALL_MEMORY_MIB
    reserved, left = 0.0, memory_mib
    for amount, share in _MEMORY_STEPS:
        taken = min(left, amount)
        reserved += taken * share
        left -= taken
    return round(reserved + left * _MEMORY_REST)


def reserved_disk(disk_gb: int) -> int:
    """Return the GiB of the boot disk that are not for pods' ephemeral storage."""
    system = min(disk_gb * 0.5, 6 + disk_gb * 0.35, 100)
    return round(system + disk_gb * 0.1)


def reserved_ssds(count: int) -> int:
    """Return the GiB of local SSDs that are not for pods' ephemeral storage."""
    return round(_SSD_SYSTEM.get(count, _SSD_SYSTEM_MAX) + count * LOCAL_SSD_GB * 0.1)


def capacity(machine: MachineType, *, disk_gb: int, local_ssds: int = 0) -> Capacity:
    """Return all that the node has; its local SSDs take the place of the boot disk for pods."""
    disk_gb = local_ssds * LOCAL_SSD_GB or disk_gb
    return Capacity(
        cpu_milli=machine.cpus * 1000,
        memory_kib=machine.memory_mib * 1024,
        ephemeral_storage_kib=disk_gb * 1024 * 1024,
    )


def allocatable(machine: MachineType, *, disk_gb: int, local_ssds: int = 0) -> Capacity:
    """Return what the scheduler may give to pods."""
    kept = reserved_ssds(local_ssds) if local_ssds else reserved_disk(disk_gb)
    disk_gb = local_ssds * LOCAL_SSD_GB or disk_gb
    memory = machine.memory_mib - reserved_memory(machine.memory_mib) - _EVICTION_MIB
    return Capacity(
        cpu_milli=machine.cpus * 1000 - reserved_cpu(machine),
        memory_kib=max(memory, 0) * 1024,
        ephemeral_storage_kib=max(disk_gb - kept, 0) * 1024 * 1024,
    )
