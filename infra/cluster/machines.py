"""Checks of a node pool's machine type, GPUs, TPUs and disks against `facts`.

A machine type or GPU that `facts` does not have may be newer than its data: it passes, and
`unknown` has a warning for it. Nothing else of such a pool is checked here.
"""

import difflib
from collections.abc import Iterable, Iterator
from math import prod

from facts import accelerators, compact_placement
from facts.machines import MachineType, catalog, machine_type
from gkeplatform.errors import PlatformError
from infra.cluster.compute_classes import created
from infra.cluster.config import ClusterConfig
from infra.cluster.pool_settings import Accelerator, NodePoolArgs

_NEAREST = 3


def check(key: str, pool: NodePoolArgs, zones: tuple[str, ...]) -> None:
    """Refuses a pool whose hardware Google does not offer in `zones`, or not in combination."""
    machine = machine_type(pool.machine_type)
    if machine is not None:
        _check_zones(key, machine, zones)
    if pool.accelerator is not None:
        _check_accelerator_zones(key, pool.accelerator, zones)
        _check_partition(key, pool.accelerator)
        if machine is not None and pool.accelerator.type in accelerators.accelerators():
            _check_accelerator(key, pool.accelerator, machine)
    elif machine is not None:
        _refuse_unnamed_gpus(key, machine)
    if pool.compact:
        _check_compact(key, pool, zones)
    if machine is not None:
        _check_boot_disk(key, pool.disk_type, machine)
        _check_local_ssds(key, pool.local_ssd_count, machine)
        if pool.tpu_topology is not None and machine.tpus:
            _check_slice(key, pool, pool.tpu_topology, machine, zones)


def unknown(config: ClusterConfig) -> Iterator[str]:
    """A warning for each machine type and GPU that `facts` does not have."""
    provisioning = config.cluster.auto_provisioning
    for kind in provisioning.gpus if provisioning else ():
        if kind not in accelerators.accelerators():
            key = "gke-cluster:cluster.auto_provisioning.gpus"
            yield _warning(key, "accelerator", kind, accelerators.accelerators())
    pools = [(f"node_pools[{index}]", pool) for index, pool in enumerate(config.node_pools)]
    pools += [(key, args.pool(key)) for key, args in created(config.compute_classes)]
    for place, pool in pools:
        key = f"gke-cluster:{place}"
        if machine_type(pool.machine_type) is None:
            known = catalog().machine_types
            yield _warning(f"{key}.machine_type", "machine type", pool.machine_type, known)
        gpu = pool.accelerator
        if gpu and gpu.type not in accelerators.accelerators():
            known_gpus = accelerators.accelerators()
            yield _warning(f"{key}.accelerator.type", "accelerator", gpu.type, known_gpus)


def _warning(key: str, kind: str, name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=_NEAREST)
    meant = f"; did you mean {_either(near)}?" if near else ""
    return (
        f'{key}: {kind} "{name}" is not known (catalog of {catalog().date}), so that its zones '
        f"and limits are not checked{meant}"
    )


def _check_zones(key: str, machine: MachineType, zones: tuple[str, ...]) -> None:
    if missing := [zone for zone in zones if not machine.is_offered_in(zone)]:
        region = zones[0].rpartition("-")[0]
        near = [zone for zone in sorted(machine.zones or ()) if zone.rpartition("-")[0] == region]
        raise PlatformError(
            f"{key}.machine_type: {', '.join(missing)} has no {machine.name} (catalog of "
            f"{catalog().date}); zones of the region that have it: {', '.join(near) or 'none'}"
        )


def _check_accelerator_zones(key: str, gpu: Accelerator, zones: tuple[str, ...]) -> None:
    offered = accelerators.accelerator_zones(gpu.type)
    if offered is None:
        return
    if missing := [zone for zone in zones if zone not in offered]:
        region = zones[0].rpartition("-")[0]
        near = [zone for zone in sorted(offered) if zone.rpartition("-")[0] == region]
        here = sorted(
            name for name, there in accelerators.accelerators().items() if zones[0] in (there or ())
        )
        raise PlatformError(
            f"{key}.accelerator.type: {', '.join(missing)} has no {gpu.type} (catalog of "
            f"{catalog().date}); zones of {region} that have it: {', '.join(near) or 'none'}; "
            f"accelerators of {zones[0]}: {', '.join(here) or 'none'}"
        )


def _check_accelerator(key: str, gpu: Accelerator, machine: MachineType) -> None:
    own = machine.accelerators
    if own is not None:
        if (own.type, own.count) != (gpu.type, gpu.count):
            raise PlatformError(
                f"{key}.accelerator: {machine.name} comes with {own.count} x {own.type}, not "
                f"{gpu.count} x {gpu.type}; set that type and count"
            )
        return
    counts = accelerators.attachable().get(gpu.type.removesuffix("-vws"))
    if counts is None or not accelerators.attaches_gpus(machine.name):
        raise PlatformError(
            f"{key}.accelerator: {machine.name} cannot have {gpu.type}; {_alternative(gpu.type)}"
        )
    if gpu.count not in counts:
        raise PlatformError(
            f"{key}.accelerator.count: a node can have {_either(counts)} x {gpu.type}, not "
            f"{gpu.count}"
        )
    most = counts[gpu.count]
    if most is not None and machine.cpus > most:
        raise PlatformError(
            f"{key}.accelerator.count: with {gpu.count} x {gpu.type} a node can have {most} vCPUs "
            f"at most, and {machine.name} has {machine.cpus}; choose a smaller machine type, or "
            "more GPUs"
        )


def _refuse_unnamed_gpus(key: str, machine: MachineType) -> None:
    """Refuses a pool without `accelerator` whose machine type comes with GPUs.

    Its nodes would have GPUs that the contract does not know: no model with GPUs would get them,
    and models without would be placed on nodes that are tainted for GPUs.
    """
    if own := machine.accelerators:
        count = f", count: {own.count}" if own.count > 1 else ""
        raise PlatformError(
            f"{key}.accelerator: missing, and {machine.name} comes with {own.count} x {own.type}; "
            f"set accelerator: {{type: {own.type}{count}}}, or choose a machine type without GPUs"
        )


def _alternative(gpu: str) -> str:
    """What to do for a machine that has `gpu`."""
    having = sorted(
        (
            machine
            for machine in catalog().machine_types.values()
            if machine.accelerators is not None and machine.accelerators.type == gpu
        ),
        key=lambda machine: machine.cpus,
    )
    names = [machine.name for machine in having[:_NEAREST]]
    return f"choose a machine type such as {_either(names or ['n1-standard-8'], quote='')}"


def _check_partition(key: str, gpu: Accelerator) -> None:
    if gpu.partition is None or gpu.type not in accelerators.accelerators():
        return
    sizes = accelerators.partitions().get(gpu.type, {})
    if gpu.partition not in sizes:
        allowed = f"choose {_either(sizes)}" if sizes else "leave it out"
        raise PlatformError(
            f'{key}.accelerator.partition: {gpu.type} has no partitions of "{gpu.partition}"; '
            f"{allowed}"
        )


def _check_boot_disk(key: str, disk: str, machine: MachineType) -> None:
    allowed = machine.boot_disks
    if allowed is not None and disk not in allowed:
        raise PlatformError(
            f"{key}.disk_type: {machine.name} cannot boot from {disk}; set "
            f"{_either(sorted(allowed), quote='')}"
        )


def _check_local_ssds(key: str, count: int, machine: MachineType) -> None:
    allowed = machine.local_ssd_counts
    if count == 0 or allowed is None or count in allowed:
        return
    if machine.local_ssds:
        has = f"comes with {machine.local_ssds} local SSDs"
    elif allowed:
        has = f"can have {_either(sorted(allowed))} local SSDs"
    else:
        has = "has no local SSDs"
    raise PlatformError(
        f"{key}.local_ssd_count: {machine.name} {has}, not {count}; set "
        f"{_either(sorted({0, *allowed}))}"
    )


def _check_compact(key: str, pool: NodePoolArgs, zones: tuple[str, ...]) -> None:
    remedies = {"machine_type": "choose one of them", "zones": f"set zones: [{zones[0]}]"}
    for setting, reason in compact_placement.problems(
        pool.machine_type,
        zones,
        blue_green=pool.blue_green is not None,
        queued=pool.queued,
        flex_start=pool.flex_start,
    ):
        remedy = remedies.get(setting, f"remove {setting}")
        raise PlatformError(f"{key}.{setting}: {reason}; {remedy}, or remove compact")


def _check_slice(
    key: str, pool: NodePoolArgs, topology: str, machine: MachineType, zones: tuple[str, ...]
) -> None:
    """A TPU slice of several nodes has all of its nodes, in one zone."""
    chips = prod(int(side) for side in topology.split("x"))
    size, rest = divmod(chips, machine.tpus)
    if rest:
        raise PlatformError(
            f'{key}.tpu_topology: "{topology}" is {chips} chips, and {machine.name} has '
            f"{machine.tpus}: choose a topology of a multiple of {machine.tpus}"
        )
    if size == 1:  # each node is a slice, and the pool scales like any other
        return
    if len(zones) != 1:
        raise PlatformError(
            f"{key}.zones: a TPU slice is in one zone, not in {', '.join(zones)}; set zones: "
            f"[{zones[0]}]"
        )
    if pool.max_nodes != size:
        raise PlatformError(
            f"{key}.max_nodes: {pool.max_nodes}, and a slice of {topology} is {size} nodes "
            f"({chips} chips, {machine.tpus} in each {machine.name}), all or none; set {size}"
        )


def _either(choices: Iterable[object], *, quote: str | None = None) -> str:
    """`1, 2 or 4`; texts in quotation marks unless `quote` is empty."""
    mark = '"' if quote is None else quote
    words = [f"{mark}{one}{mark}" if isinstance(one, str) else str(one) for one in choices]
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
