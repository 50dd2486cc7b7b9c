"""Capacity and allocatable resources of a GKE node, in the units that the kubelet reports.

What GKE reserves is computed by `facts.allocatable`.
"""

from __future__ import annotations

from dataclasses import dataclass

from facts import allocatable as reserved
from facts.machines import MachineType


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


def capacity(machine: MachineType, *, disk_gb: int, local_ssds: int = 0) -> Capacity:
    """All that the node has. Local SSDs replace the boot disk as ephemeral storage."""
    disk_gb = local_ssds * machine.local_ssd_gib or disk_gb
    return Capacity(
        cpu_milli=machine.cpus * 1000,
        memory_kib=machine.memory_mib * 1024,
        ephemeral_storage_kib=disk_gb * 1024 * 1024,
    )


def allocatable(machine: MachineType, *, disk_gb: int, local_ssds: int = 0) -> Capacity:
    """What the scheduler may give to pods."""
    size = machine.local_ssd_gib
    kept = (
        reserved.reserved_local_ssd_gib(local_ssds, size_gib=size)
        if local_ssds
        else reserved.reserved_disk_gib(disk_gb)
    )
    disk_gb = local_ssds * size or disk_gb
    return Capacity(
        cpu_milli=machine.allocatable_millicpu,
        memory_kib=machine.allocatable_mib * 1024,
        ephemeral_storage_kib=max(disk_gb - kept, 0) * 1024 * 1024,
    )
