"""GPU types by the names that GKE and Compute Engine use: where they are and how they are split.

https://docs.cloud.google.com/compute/docs/gpus and
https://docs.cloud.google.com/kubernetes-engine/docs/how-to/gpus-multi
"""

from collections.abc import Mapping
from functools import cache

from facts.files import machine_types, series
from facts.machines import catalog
from facts.zones import unfold


@cache
def accelerators() -> Mapping[str, frozenset[str] | None]:
    """GPU type → the zones that offer it; None where the zones are not known."""
    raw = machine_types()
    sets = [unfold(text) for text in raw["zone_sets"]]
    found: dict[str, frozenset[str] | None] = {
        name: sets[zones] for name, zones in raw["accelerators"].items()
    }
    for machine in catalog().machine_types.values():
        if machine.accelerators is not None:
            name = machine.accelerators.type
            known = found.get(name, frozenset())
            is_known = known is not None and machine.zones is not None
            found[name] = frozenset({*(known or ()), *(machine.zones or ())}) if is_known else None
    return found


def accelerator_zones(name: str) -> frozenset[str] | None:
    """The zones that offer a GPU type; None for an unknown type or unknown zones."""
    return accelerators().get(name)


@cache
def partitions() -> Mapping[str, Mapping[str, int]]:
    """GPU type → partition size (`1g.5gb`) → partitions of one GPU; only types that have MIG."""
    return dict(series()["partitions"])


def partition_count(accelerator: str, size: str) -> int | None:
    """How many partitions of `size` one GPU makes; None where the pair is not known."""
    return partitions().get(accelerator, {}).get(size)


@cache
def attachable() -> Mapping[str, Mapping[int, int | None]]:
    """GPU type → number of attached GPUs → maximum vCPUs of the machine, if limited."""
    return {
        name: {int(count): cpus for count, cpus in counts.items()}
        for name, counts in series()["attachable_gpus"].items()
    }


def attaches_gpus(machine_type: str) -> bool:
    """Whether GPUs can be attached to the machine type: N1 without shared cores."""
    return machine_type.startswith(("n1-", "custom-"))
