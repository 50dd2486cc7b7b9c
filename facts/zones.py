"""Regions and zones of Google Cloud.

Zones of AI clusters (`us-south1-ai1b`) are not here. The form of the data is one word a region:
`us-east1:bc` is `us-east1-b` and `us-east1-c`.
"""

from collections.abc import Iterable, Mapping
from functools import cache

from facts.files import machine_types, series


@cache
def unfold(text: str) -> frozenset[str]:
    """The zones that `us-east1:bc us-west1:a` names."""
    parts = (part.partition(":") for part in text.split())
    return frozenset(f"{region}-{letter}" for region, _, letters in parts for letter in letters)


def fold(zones: Iterable[str]) -> str:
    """The reverse of `unfold`, sorted."""
    regions: dict[str, list[str]] = {}
    for zone in sorted(set(zones)):
        region, _, letter = zone.rpartition("-")
        regions.setdefault(region, []).append(letter)
    return " ".join(f"{region}:{''.join(letters)}" for region, letters in sorted(regions.items()))


@cache
def by_region() -> Mapping[str, tuple[str, ...]]:
    """Region → its zones, both sorted."""
    found: dict[str, list[str]] = {region: [] for region in machine_types()["regions"].split()}
    for zone in unfold(machine_types()["zones"]) | unfold(series()["zones"]):
        found.setdefault(zone.rpartition("-")[0], []).append(zone)
    return {region: tuple(sorted(zones)) for region, zones in sorted(found.items())}


@cache
def zones() -> tuple[str, ...]:
    """All zones, sorted."""
    return tuple(sorted(zone for zones in by_region().values() for zone in zones))


def regions() -> tuple[str, ...]:
    """All regions, sorted."""
    return tuple(by_region())


def zones_of(region: str) -> tuple[str, ...]:
    """The zones of a region, sorted; none where the region is unknown."""
    return by_region().get(region, ())


def is_zone(location: str) -> bool:
    """Whether this is a zone."""
    return location in zones_of(location.rpartition("-")[0])


def is_region(location: str) -> bool:
    """Whether this is a region."""
    return location in by_region()


def region_of(location: str) -> str:
    """The region of a zone; a region is its own."""
    return location.rpartition("-")[0] if is_zone(location) else location
