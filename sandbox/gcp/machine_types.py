"""Names of `facts` under which the emulated services look up machine types and places."""

from facts.accelerators import accelerator_zones, accelerators
from facts.machines import Accelerators, Catalogue, MachineType, catalogue, machine_type
from facts.zones import is_region, is_zone, region_of, regions, zones, zones_of

__all__ = [
    "Accelerators",
    "Catalogue",
    "MachineType",
    "accelerator_zones",
    "accelerators",
    "catalogue",
    "is_region",
    "is_zone",
    "machine_type",
    "region_of",
    "regions",
    "zones",
    "zones_of",
]
