"""Projects, regions, zones, and the machine and accelerator types of a zone (read-only)."""

from __future__ import annotations

from collections.abc import Iterable

from facts.accelerators import accelerators
from facts.machines import catalog, machine_type
from facts.zones import is_region, is_zone, region_of, regions, zones, zones_of
from sandbox.gcp import quotas
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, not_found
from sandbox.gcp.filters import page
from sandbox.gcp.service import Call, Handler, project_number
from sandbox.gcp.services.compute.place import PREFIX
from sandbox.gcp.store import Store

_CREATED = "1969-12-31T16:00:00.000-08:00"


async def get_project(call: Call) -> Json:
    """`projects.get`."""
    project = call.path["project"]
    return {
        "commonInstanceMetadata": {"kind": "compute#metadata"},
        "defaultNetworkTier": "PREMIUM",
        "id": project_number(project),
        "kind": "compute#project",
        "name": project,
        "quotas": quotas.shown(call.store, project),
        "selfLink": f"{PREFIX}projects/{project}",
        "xpnProjectStatus": "UNSPECIFIED_XPN_PROJECT_STATUS",
    }


def _region(store: Store, project: str, name: str) -> Json:
    return {
        "creationTimestamp": _CREATED,
        "description": name,
        "id": project_number(name),
        "kind": "compute#region",
        "name": name,
        "quotas": quotas.shown(store, project, name),
        "selfLink": f"{PREFIX}projects/{project}/regions/{name}",
        "status": "UP",
        "zones": [f"{PREFIX}projects/{project}/zones/{z}" for z in zones_of(name)],
    }


def _zone(project: str, name: str) -> Json:
    region = region_of(name)
    return {
        "creationTimestamp": _CREATED,
        "description": name,
        "id": project_number(name),
        "kind": "compute#zone",
        "name": name,
        "region": f"{PREFIX}projects/{project}/regions/{region}",
        "selfLink": f"{PREFIX}projects/{project}/zones/{name}",
        "status": "UP",
    }


def _machine_type(project: str, zone: str, name: str) -> Json | None:
    known = machine_type(name)
    if known is None or not known.is_offered_in(zone):
        return None
    shown: Json = {
        "architecture": "ARM64" if known.architecture == "arm64" else "X86_64",
        "creationTimestamp": _CREATED,
        "description": f"{known.cpus} vCPUs, {known.memory_mib / 1024:g} GB RAM",
        "guestCpus": known.cpus,
        "id": project_number(name),
        "imageSpaceGb": 0,
        "isSharedCpu": known.is_shared_cpu,
        "kind": "compute#machineType",
        "maximumPersistentDisks": 128,
        "maximumPersistentDisksSizeGb": "263168",
        "memoryMb": known.memory_mib,
        "name": name,
        "selfLink": f"{PREFIX}projects/{project}/zones/{zone}/machineTypes/{name}",
        "zone": zone,
    }
    if known.accelerators is not None:
        shown["accelerators"] = [
            {
                "guestAcceleratorCount": known.accelerators.count,
                "guestAcceleratorType": known.accelerators.type,
            }
        ]
    if known.deprecated:
        shown["deprecated"] = {"state": known.deprecated}
    return shown


def _accelerator_type(project: str, zone: str, name: str) -> Json | None:
    offered = accelerators().get(name, frozenset())
    if offered is not None and zone not in offered:
        return None
    return {
        "creationTimestamp": _CREATED,
        "description": name,
        "id": project_number(name),
        "kind": "compute#acceleratorType",
        "maximumCardsPerInstance": 8,
        "name": name,
        "selfLink": f"{PREFIX}projects/{project}/zones/{zone}/acceleratorTypes/{name}",
        "zone": f"{PREFIX}projects/{project}/zones/{zone}",
    }


def _listed(call: Call, kind: str, items: Iterable[Json | None]) -> Json:
    chosen, token = page(call, [item for item in items if item is not None])
    head: Json = {"id": call.url_path, "items": chosen, "kind": kind}
    head["selfLink"] = PREFIX + call.url_path
    return head | ({"nextPageToken": token} if token else {})


async def get_region(call: Call) -> Json:
    """`regions.get`."""
    if not is_region(call.path["region"]):
        raise not_found(call.url_path)
    return _region(call.store, call.path["project"], call.path["region"])


async def list_regions(call: Call) -> Json:
    """`regions.list`."""
    project = call.path["project"]
    items = (_region(call.store, project, name) for name in regions())
    return _listed(call, "compute#regionList", items)


async def get_zone(call: Call) -> Json:
    """`zones.get`."""
    if not is_zone(call.path["zone"]):
        raise not_found(call.url_path)
    return _zone(call.path["project"], call.path["zone"])


async def list_zones(call: Call) -> Json:
    """`zones.list`."""
    project = call.path["project"]
    items = (_zone(project, name) for name in zones())
    return _listed(call, "compute#zoneList", items)


def _checked_zone(call: Call) -> str:
    zone = call.path["zone"]
    if not is_zone(zone):
        raise ApiError(400, f"Invalid value for field 'zone': '{zone}'. Unknown zone.")
    return zone


async def get_machine_type(call: Call) -> Json:
    """`machineTypes.get`."""
    found = _machine_type(call.path["project"], _checked_zone(call), call.path["machineType"])
    if found is None:
        raise not_found(call.url_path)
    return found


async def list_machine_types(call: Call) -> Json:
    """`machineTypes.list`."""
    project, zone = call.path["project"], _checked_zone(call)
    names = sorted(catalog().machine_types)
    items = (_machine_type(project, zone, name) for name in names)
    return _listed(call, "compute#machineTypeList", items)


async def get_accelerator_type(call: Call) -> Json:
    """`acceleratorTypes.get`."""
    name = call.path["acceleratorType"]
    found = _accelerator_type(call.path["project"], _checked_zone(call), name)
    if found is None:
        raise not_found(call.url_path)
    return found


async def list_accelerator_types(call: Call) -> Json:
    """`acceleratorTypes.list`."""
    project, zone = call.path["project"], _checked_zone(call)
    names = sorted(accelerators())
    items = (_accelerator_type(project, zone, name) for name in names)
    return _listed(call, "compute#acceleratorTypeList", items)


METHODS: dict[str, Handler] = {
    "compute.acceleratorTypes.get": get_accelerator_type,
    "compute.acceleratorTypes.list": list_accelerator_types,
    "compute.machineTypes.get": get_machine_type,
    "compute.machineTypes.list": list_machine_types,
    "compute.projects.get": get_project,
    "compute.regions.get": get_region,
    "compute.regions.list": list_regions,
    "compute.zones.get": get_zone,
    "compute.zones.list": list_zones,
}
