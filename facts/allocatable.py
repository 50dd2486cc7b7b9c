"""What GKE leaves to pods of a node's CPU, memory and disk.

The arithmetic is that of https://docs.cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes
(resource reservations, ephemeral storage). Kernel and firmware take a few dozen MiB more before
the kubelet sees the memory; they are not subtracted here.
"""

_CPU_STEPS = ((1, 60.0), (1, 10.0), (2, 5.0))
"""Cores, and thousandths of a core reserved in each of them."""
_CPU_REST = 2.5
_SHARED_CORE_MILLICPU = 1060
"""Reserved on a machine type that shares cores."""
_MEMORY_STEPS = ((4096, 0.25), (4096, 0.20), (8192, 0.10), (114688, 0.06))
"""MiB, and the share of them that is reserved."""
_MEMORY_REST = 0.02
_SMALL_MEMORY_MIB = 1024
_SMALL_MEMORY_RESERVED_MIB = 255
EVICTION_MIB = 100
"""Kept free so that pods can be evicted."""
_SSD_SYSTEM_GIB = {1: 50, 2: 75}
_SSD_SYSTEM_MAX_GIB = 100


def reserved_millicpu(cpus: int, *, is_shared: bool = False) -> int:
    """Thousandths of a core that GKE reserves."""
    if is_shared:
        # One amount is documented for all of them; it must not use up the smallest.
        return min(_SHARED_CORE_MILLICPU, cpus * 1000 * 53 // 100)
    reserved, left = 0.0, cpus
    for cores, each in _CPU_STEPS:
        taken = min(left, cores)
        reserved += taken * each
        left -= taken
    return round(reserved + left * _CPU_REST)


def reserved_memory_mib(memory_mib: int) -> int:
    """MiB of memory that GKE reserves, without `EVICTION_MIB`."""
    if memory_mib < _SMALL_MEMORY_MIB:
        return _SMALL_MEMORY_RESERVED_MIB
    reserved, left = 0.0, memory_mib
    for amount, share in _MEMORY_STEPS:
        taken = min(left, amount)
        reserved += taken * share
        left -= taken
    return round(reserved + left * _MEMORY_REST)


def allocatable_memory_mib(memory_mib: int) -> int:
    """MiB of memory for pods."""
    return max(0, memory_mib - reserved_memory_mib(memory_mib) - EVICTION_MIB)


def reserved_disk_gib(disk_gib: int) -> int:
    """GiB of the boot disk that are not for pods' ephemeral storage."""
    system = min(disk_gib * 0.5, 6 + disk_gib * 0.35, 100)
    return round(system + disk_gib * 0.1)


def reserved_local_ssd_gib(count: int, *, size_gib: int) -> int:
    """GiB of `count` local SSDs that are not for pods' ephemeral storage."""
    return round(_SSD_SYSTEM_GIB.get(count, _SSD_SYSTEM_MAX_GIB) + count * size_gib * 0.1)


def allocatable_disk_gib(disk_gib: int, *, local_ssds: int = 0, local_ssd_gib: int = 375) -> int:
    """GiB for pods' ephemeral storage; local SSDs, if any, replace the boot disk."""
    if local_ssds:
        size = local_ssds * local_ssd_gib
        return max(0, size - reserved_local_ssd_gib(local_ssds, size_gib=local_ssd_gib))
    return max(0, disk_gib - reserved_disk_gib(disk_gib))
