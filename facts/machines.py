"""Machine types of Compute Engine: size, zones, GPUs, TPUs, disks.

A type that is absent here may be newer than the data (`Catalog.date`), so the layers accept it with
a warning. Zones, boot disks or local SSDs that could not be verified are None.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from facts import allocatable, files, zones

LOCAL_SSD_GIB = 375
"""Size of a local SSD, except in the series whose data name another."""

_SHARED_N1 = {"f1", "g1"}
_CUSTOM = re.compile(
    r"(?:(?P<series>[a-z]\d[a-z]?)-)?custom-(?P<cpus>\d+)-(?P<memory>\d+)(?:-ext)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerators:
    """GPUs of one type."""

    type: str
    count: int


@dataclass(frozen=True, kw_only=True)
class MachineType:
    """A machine type. Memory is in MiB."""

    name: str
    cpus: int
    memory_mib: int
    is_shared_cpu: bool = False
    zones: frozenset[str] | None
    """Zones that offer it; None: not known."""
    deprecated: str | None = None
    accelerators: Accelerators | None = None
    """GPUs that come with it; None also where they are attached instead."""
    tpus: int = 0
    """TPU chips."""
    tpu_kind: str = ""
    """As nodes are labelled by GKE: `tpu-v6e-slice`."""
    local_ssds: int = 0
    """Local SSDs that come with it."""

    @property
    def family(self) -> str:
        """The machine series: `e2` of `e2-medium`, `n1` of N1's shared-core and custom types."""
        head = self.name.partition("-")[0]
        return "n1" if head == "custom" or head in _SHARED_N1 else head

    @property
    def architecture(self) -> str:
        """CPU architecture as Kubernetes spells it."""
        return str(_series_of(self.family).get("architecture", "amd64"))

    @property
    def tpu_topology(self) -> str:
        """Topology of a TPU slice of one such node, as GKE labels it: `2x2`; empty without TPUs."""
        topologies = _series_of(self.family).get("tpu_topologies", {})
        return str(topologies.get(str(self.tpus), ""))

    @property
    def allocatable_millicpu(self) -> int:
        """Thousandths of a core that GKE leaves to pods."""
        kept = allocatable.reserved_millicpu(self.cpus, is_shared=self.is_shared_cpu)
        return self.cpus * 1000 - kept

    @property
    def allocatable_mib(self) -> int:
        """MiB of memory that GKE leaves to pods."""
        return allocatable.allocatable_memory_mib(self.memory_mib)

    @property
    def boot_disks(self) -> frozenset[str] | None:
        """Boot disk types that it can have; None: not known."""
        series = _series_of(self.family)
        text = series.get("boot_disks_of", {}).get(self.name) or series.get("boot_disks")
        return frozenset(text.split()) if text else None

    @property
    def local_ssd_counts(self) -> frozenset[int] | None:
        """Numbers of local SSDs, other than none, that a node can have; None: not known.

        A type that comes with local SSDs has that number and no other.
        """
        series = _series_of(self.family)
        if not series:
            return None
        if self.local_ssds:
            return frozenset({self.local_ssds})
        counts = series.get("local_ssds_of", {}).get(self.name, ())
        if not self.is_shared_cpu and not self.is_without_local_ssds:
            for cpus, allowed in series.get("local_ssds", {}).items():
                if self.cpus <= int(cpus):
                    counts = allowed
                    break
        return frozenset(counts)

    @property
    def is_without_local_ssds(self) -> bool:
        """Whether it is the variant without local SSDs of another type."""
        return self.name.endswith("-nolssd")

    @property
    def local_ssd_gib(self) -> int:
        """Size of one of its local SSDs."""
        return int(_series_of(self.family).get("local_ssd_gib", LOCAL_SSD_GIB))

    def is_offered_in(self, zone: str) -> bool:
        """Whether the zone offers it; true where its zones are not known."""
        return self.zones is None or zone in self.zones


@dataclass(frozen=True)
class Catalog:
    """All machine types that are known."""

    sources: tuple[str, ...]
    date: str
    """Day on which the data was last compared with its sources."""
    machine_types: Mapping[str, MachineType]

    @cached_property
    def families(self) -> frozenset[str]:
        """Names of the machine series."""
        return frozenset(machine.family for machine in self.machine_types.values())


@cache
def catalog() -> Catalog:
    """The machine types, read once."""
    known = {machine.name: machine for machine in _listed()}
    known |= {machine.name: machine for machine in _of_series(known)}
    return Catalog(
        sources=(files.machine_types()["source"], *files.series()["sources"].values()),
        date=files.series()["date"],
        machine_types=known,
    )


def machine_type(name: str) -> MachineType | None:
    """The machine type of this name, custom ones (`n2-custom-4-8192`) included."""
    known = catalog().machine_types.get(name)
    custom = None if known else _CUSTOM.fullmatch(name)
    if custom is None:
        return known
    prefix = f"{custom['series'] or 'n1'}-standard-"
    peers = [m for m in catalog().machine_types.values() if m.name.startswith(prefix)]
    if not peers:
        return None
    offered = [peer.zones for peer in peers if peer.zones is not None]
    return MachineType(
        name=name,
        cpus=int(custom["cpus"]),
        memory_mib=int(custom["memory"]),
        zones=frozenset[str]().union(*offered) if len(offered) == len(peers) else None,
    )


def _listed() -> Iterator[MachineType]:
    raw = files.machine_types()
    sets = [zones.unfold(text) for text in raw["zone_sets"]]
    deprecated = {name: state for state, names in raw["deprecated"].items() for name in names}
    for name, (cpus, memory, shared, where) in raw["machine_types"].items():
        more = _more_zones(name.partition("-")[0])
        yield MachineType(
            name=name,
            cpus=cpus,
            memory_mib=memory,
            is_shared_cpu=bool(shared),
            zones=sets[where] | more if more else sets[where],
            deprecated=deprecated.get(name),
        )


def _of_series(listed: Mapping[str, MachineType]) -> Iterator[MachineType]:
    for series, facts in files.series()["series"].items():
        for name, cpus, gib, more in _rows(facts):
            text = facts.get("zones_of", {}).get(name) or facts.get("zones")
            where = zones.unfold(text) if text else None
            if name in listed and (before := listed[name].zones) is not None:
                where = before | (where or frozenset()) | _more_zones(series)
            yield MachineType(name=name, cpus=cpus, memory_mib=gib * 1024, zones=where, **more)


def _rows(facts: Mapping[str, Any]) -> Iterator[tuple[str, int, int, dict[str, Any]]]:
    """Name, vCPUs, GiB and the rest of each type that a series lists."""
    for pattern, sizes in facts.get("sizes", {}).items():
        for size in sizes.split():
            cpus, gib, ssds = (int(part) for part in f"{size}:0".split(":")[:3])
            yield pattern.replace("*", str(cpus)), cpus, gib, {"local_ssds": ssds}
    for name, (cpus, gib, ssds, gpu, count) in facts.get("types", {}).items():
        gpus = Accelerators(type=gpu, count=count)
        yield name, cpus, gib, {"local_ssds": ssds, "accelerators": gpus}
    for name, (cpus, gib, chips) in facts.get("tpus", {}).items():
        yield name, cpus, gib, {"tpus": chips, "tpu_kind": facts["tpu"]}


@cache
def _more_zones(series: str) -> frozenset[str]:
    """Zones that offer a series and that the list of machine types lacks."""
    return zones.unfold(_series_of(series).get("more_zones", ""))


def _series_of(family: str) -> dict[str, Any]:
    found: dict[str, Any] = files.series()["series"].get(family, {})
    return found
