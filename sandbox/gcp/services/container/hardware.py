"""Whether a node's machine type, GPUs, boot disk and local SSDs can be combined, as Google judges.

The data is `facts`; the judgement is this module's own, and the layers do not share it.
"""

from __future__ import annotations

from collections.abc import Iterator

from facts import accelerators, zones
from facts.machines import MachineType, catalog, machine_type
from sandbox.gcp.services.container.wire_format import Json

_DEFAULT_DISK = "pd-balanced"
_SSD_FIELDS = (
    "ephemeralStorageConfig",
    "ephemeralStorageLocalSsdConfig",
    "localNvmeSsdBlockConfig",
)
_HYPERDISK = "hyperdisk-balanced"


def default_disk(machine: str) -> str:
    """The boot disk type of nodes that name none."""
    known = machine_type(machine)
    allowed = known.boot_disks if known else None
    return _HYPERDISK if allowed and _DEFAULT_DISK not in allowed else _DEFAULT_DISK


def problems(config: Json, name: str, locations: tuple[str, ...]) -> Iterator[str]:
    """What Google answers 400 to, first the reason that it would name."""
    machine = machine_type(name)
    for zone in locations:
        # By region: the list of zones lags behind what Google opens in them.
        region = zones.zones_of(zones.region_of(zone))
        if machine is None or not any(machine.is_offered_in(one) for one in region):
            yield (
                f'Machine type with name "{name}" does not exist in zone "{zone}" '
                f"(the sandbox's catalog is of {catalog().date})."
            )
            return
    if machine is None:
        return
    for entry in config.get("accelerators") or []:
        wanted = str(entry.get("acceleratorType") or "")
        yield from _missing(wanted, locations)
        yield from _gpus(wanted, int(entry.get("acceleratorCount") or 0), machine)
    yield from _disks(config, machine)


def _missing(wanted: str, locations: tuple[str, ...]) -> Iterator[str]:
    where = accelerators.accelerators().get(wanted, frozenset())
    for zone in locations:
        if where is not None and zone not in where:
            yield (
                f'Accelerator type "{wanted}" does not exist in zone {zone} '
                f"(the sandbox's catalog is of {catalog().date})."
            )


def _gpus(wanted: str, count: int, machine: MachineType) -> Iterator[str]:
    own = machine.accelerators
    if own is not None and own.type != wanted:
        yield f'Machine type "{machine.name}" comes with {own.type}, not with {wanted}.'
        return
    attached = accelerators.attachable().get(wanted.removesuffix("-vws"))
    if own is not None:
        allowed = [own.count]
    elif attached is None or not accelerators.attaches_gpus(machine.name):
        yield (
            f"[{wanted}] features and [instance_type: {machine.name}] are not compatible for "
            "creating instance."
        )
        return
    else:
        allowed = [
            number for number, cpus in attached.items() if cpus is None or machine.cpus <= cpus
        ]
    if count not in allowed:
        yield (
            f"Number of accelerators of type {wanted} for an instance of type {machine.name} "
            f"should be one of {allowed}, while [{count}] is requested."
        )


def _local_ssds(config: Json) -> int:
    """The number of local SSDs, whatever they are for."""
    holders = (config.get(field) or {} for field in _SSD_FIELDS)
    counts = [holder.get("localSsdCount") for holder in holders]
    return max(int(count or 0) for count in (config.get("localSsdCount"), *counts))


def _disks(config: Json, machine: MachineType) -> Iterator[str]:
    disk = config.get("diskType") or (config.get("bootDisk") or {}).get("diskType")
    if disk and machine.boot_disks is not None and disk not in machine.boot_disks:
        yield f"{disk} disk type cannot be used by {machine.name} machine type."
    ssds = _local_ssds(config)
    allowed = machine.local_ssd_counts
    if ssds and allowed is not None and ssds not in allowed:
        yield (
            f"Number of local SSDs for an instance of type {machine.name} should be one of "
            f"{sorted({0, *allowed})}, while [{ssds}] is requested."
        )
