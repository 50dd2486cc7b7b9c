"""What exists where in Google Cloud: machine types, accelerators, zones and regions.

The facts stand in `catalog/machine_types.json`, which `machine_types_update` writes; it names its
source and its date (`CATALOGUE_DATE`). Whoever refuses something because it is not in here should
say that date, since a newer machine type may exist. Prices and quotas are not here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parent / "catalog" / "machine_types.json"
_TPUS = _FILE.with_name("tpus.json")

# The accelerator-optimised families come with their GPUs: nobody attaches them.
_BUILT_IN = {
    "a2-highgpu": "nvidia-tesla-a100",
    "a2-megagpu": "nvidia-tesla-a100",
    "a2-ultragpu": "nvidia-a100-80gb",
}
_L4_COUNT = {4: 1, 8: 1, 12: 1, 16: 1, 24: 2, 32: 1, 48: 4, 96: 8}
# Virtual machines that share a core are given a part of their vCPUs; GKE reckons with that part.
_SHARED_MILLICPU = {
    "e2-micro": 250,
    "e2-small": 500,
    "e2-medium": 1000,
    "f1-micro": 200,
    "g1-small": 500,
}
_CUSTOM = re.compile(
    r"(?:(?P<family>[a-z]\d[a-z]?)-)?custom-(?P<cpus>\d+)-(?P<memory>\d+)(?:-ext)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerators:
    """GPUs of one type."""

    type: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineType:
    """A machine type: what one virtual machine of it has, and in which zones it can be had."""

    name: str
    cpus: int
    memory_mib: int
    is_shared_cpu: bool
    zones: frozenset[str]
    deprecated: str | None = None
    accelerators: Accelerators | None = None
    tpus: int = 0
    """TPU chips."""
    tpu_kind: str = ""
    """As the label of GKE's nodes has it: `tpu-v6e-slice`."""

    @property
    def family(self) -> str:
        """`e2` of `e2-medium`; N1 for the oldest custom types, as Google has it."""
        head = self.name.partition("-")[0]
        return "n1" if head == "custom" else head

    @property
    def architecture(self) -> str:
        """The CPU architecture as Kubernetes names it."""
        return "arm64" if self.family in {"t2a", "c4a", "n4a"} else "amd64"

    @property
    def millicpus(self) -> int:
        """CPU time that a machine is sure of; less than its vCPUs where they are shared."""
        return _SHARED_MILLICPU.get(self.name, self.cpus * 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Everything in the catalogue file, unfolded."""

    source: str
    date: str
    machine_types: Mapping[str, MachineType]
    accelerators: Mapping[str, frozenset[str]]
    zones: Mapping[str, str]
    """Zone → region."""
    regions: Mapping[str, tuple[str, ...]]
    """Region → its zones, sorted."""


def _unfold(text: str) -> frozenset[str]:
    parts = (part.partition(":") for part in text.split())
    return frozenset(f"{region}-{letter}" for region, _, letters in parts for letter in letters)


def _built_in(name: str, cpus: int) -> Accelerators | None:
    series, _, size = name.rpartition("-")
    if series in _BUILT_IN:
        return Accelerators(type=_BUILT_IN[series], count=int(size.removesuffix("g")))
    if series == "g2-standard":
        return Accelerators(type="nvidia-l4", count=_L4_COUNT[cpus])
    return None


def _tpus() -> dict[str, MachineType]:
    """The machines with TPUs, which the catalogue's source does not have."""
    data: dict[str, Any] = json.loads(_TPUS.read_text(encoding="utf-8"))
    return {
        name: MachineType(
            name=name,
            cpus=cpus,
            memory_mib=memory * 1024,
            is_shared_cpu=False,
            zones=_unfold(where),
            tpus=chips,
            tpu_kind=kind,
        )
        for name, (cpus, memory, chips, where, kind) in data["machine_types"].items()
    }


@cache
def catalogue() -> Catalogue:
    """Read the catalogue, once per process."""
    data: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    sets = [_unfold(text) for text in data["zone_sets"]]
    deprecated = {name: state for state, names in data["deprecated"].items() for name in names}
    types = {
        name: MachineType(
            name=name,
            cpus=cpus,
            memory_mib=memory,
            is_shared_cpu=bool(shared),
            zones=sets[where],
            deprecated=deprecated.get(name),
            accelerators=_built_in(name, cpus),
        )
        for name, (cpus, memory, shared, where) in data["machine_types"].items()
    }
    types |= _tpus()
    zones = sorted(_unfold(data["zones"]))
    regions: dict[str, list[str]] = {region: [] for region in data["regions"].split()}
    for zone in zones:
        regions.setdefault(zone.rpartition("-")[0], []).append(zone)
    return Catalogue(
        source=data["source"],
        date=data["date"],
        machine_types=types,
        accelerators={name: sets[where] for name, where in data["accelerators"].items()},
        zones={zone: zone.rpartition("-")[0] for zone in zones},
        regions={region: tuple(zones) for region, zones in sorted(regions.items())},
    )


def machine_type(name: str) -> MachineType | None:
    """Return the machine type of this name, custom ones (`n2-custom-4-8192`) included."""
    known = catalogue().machine_types.get(name)
    if known is not None:
        return known
    custom = _CUSTOM.fullmatch(name)
    if custom is None:
        return None
    family = custom["family"] or "n1"
    peers = [
        t for t in catalogue().machine_types.values() if t.name.startswith(f"{family}-standard-")
    ]
    if not peers:
        return None
    return MachineType(
        name=name,
        cpus=int(custom["cpus"]),
        memory_mib=int(custom["memory"]),
        is_shared_cpu=False,
        zones=frozenset[str]().union(*(peer.zones for peer in peers)),
    )


def regions() -> tuple[str, ...]:
    """Return the names of all regions, sorted."""
    return tuple(catalogue().regions)


def zones() -> tuple[str, ...]:
    """Return the names of all zones, sorted."""
    return tuple(catalogue().zones)


def is_zone(location: str) -> bool:
    """Whether this is a zone."""
    return location in catalogue().zones


def is_region(location: str) -> bool:
    """Whether this is a region."""
    return location in catalogue().regions


def region_of(location: str) -> str:
    """Return the region of a zone; a region is its own."""
    return catalogue().zones.get(location, location)


def zones_of(region: str) -> tuple[str, ...]:
    """Return the zones of a region, sorted; none where the region is unknown."""
    return catalogue().regions.get(region, ())


def accelerator_zones(name: str) -> frozenset[str] | None:
    """Return where an accelerator can be had, or None where no such accelerator is known."""
    return catalogue().accelerators.get(name)


CATALOGUE_DATE = catalogue().date
