"""Instance groups, instance group managers, and network endpoint groups."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid, not_found
from sandbox.gcp.service import Call, State
from sandbox.gcp.services.compute import operations
from sandbox.gcp.services.compute.place import PREFIX, Place, parse


def complete_group(state: State, place: Place, document: Json, old: Json | None) -> None:  # noqa: ARG001
    """Set the defaults of an instance group."""
    document.setdefault("size", 0)
    document.setdefault("description", "")
    ports = document.get("namedPorts") or []
    if len({(p.get("name"), p.get("port")) for p in ports}) != len(ports):
        raise ApiError(400, "Invalid value for field 'resource.namedPorts': duplicate named ports.")


def complete_manager(state: State, place: Place, document: Json, old: Json | None) -> None:  # noqa: ARG001
    """Set the defaults of an instance group manager; only GKE creates them here."""
    document.setdefault("targetSize", 0)
    document.setdefault("namedPorts", [])


async def list_instances(call: Call) -> Json:
    """`instanceGroups.listInstances`."""
    path = call.url_path.removesuffix("/listInstances")
    group = call.store.get(f"compute/{path}")
    if group is None:
        raise not_found(path)
    place = parse(path)
    zone = f"{PREFIX}projects/{place.project}/{place.scope}" if place else ""
    ports = {"namedPorts": group["namedPorts"]} if group.get("namedPorts") else {}
    items = [
        {"instance": f"{zone}/instances/{name}", "status": "RUNNING"} | ports
        for name in group.get("_instances", [])
    ]
    listed: Json = {"kind": "compute#instanceGroupsListInstances"}
    return listed | ({"items": items} if items else {})


async def list_managed_instances(call: Call) -> Json:
    """`instanceGroupManagers.listManagedInstances`."""
    path = call.url_path.removesuffix("/listManagedInstances")
    if f"compute/{path}" not in call.store:
        raise not_found(path)
    group = call.store.get(f"compute/{path.replace('/instanceGroupManagers/', '/instanceGroups/')}")
    zone = PREFIX + path.partition("/instanceGroupManagers/")[0]
    return {
        "managedInstances": [
            {
                "currentAction": "NONE",
                "instance": f"{zone}/instances/{name}",
                "instanceStatus": "RUNNING",
                "name": name,
            }
            for name in (group or {}).get("_instances", [])
        ]
    }


async def list_errors(call: Call) -> Json:
    """`instanceGroupManagers.listErrors`: virtual machines that could not be created."""
    path = call.url_path.removesuffix("/listErrors")
    if f"compute/{path}" not in call.store:
        raise not_found(path)
    items = (call.store.get(f"compute-errors/{path}") or {}).get("items")
    return {"items": items} if items else {}


async def resize(call: Call) -> Json:
    """`instanceGroupManagers.resize`: called by the cluster autoscaler."""
    path = call.url_path.removesuffix("/resize")
    place = parse(path)
    group = call.store.get(f"compute/{path}")
    if place is None or group is None or call.state.resize_group is None:
        raise not_found(path)
    size = int(call.one("size"))
    if size < 0:
        raise invalid("size", str(size), "Must be greater than or equal to 0.")
    call.state.resize_group(path, size)
    return operations.start(call.state, place, "compute.instanceGroupManagers.resize", group["id"])


def complete_endpoint_group(
    state: State,  # noqa: ARG001
    place: Place,
    document: Json,
    old: Json | None,  # noqa: ARG001
) -> None:
    """Set the defaults of a network endpoint group."""
    kind = document.setdefault("networkEndpointType", "GCE_VM_IP_PORT")
    if place.zone and kind.startswith("GCE_"):
        default = f"{PREFIX}projects/{place.project}/global/networks/default"
        document.setdefault("network", default)
    document.setdefault("size", 0)


def _endpoints_prefix(place: Place) -> str:
    return f"compute-endpoints/{place.path}"


def shown_endpoint_group(state: State, place: Place, document: Json) -> None:
    """Set its size: the number of its endpoints."""
    document["size"] = sum(1 for _ in state.store.collection(_endpoints_prefix(place)))


def removed_endpoint_group(state: State, place: Place, document: Json) -> None:  # noqa: ARG001
    """Delete its endpoints."""
    for name, _ in list(state.store.collection(_endpoints_prefix(place))):
        state.store.delete(f"{_endpoints_prefix(place)}/{name}")


def _group(call: Call, verb: str) -> tuple[Place, Json]:
    path = call.url_path.removesuffix(f"/{verb}")
    place = parse(path)
    stored = call.store.get(f"compute/{path}")
    if place is None or stored is None:
        raise not_found(path)
    return place, stored


def _name(endpoint: Json) -> str:
    instance = str(endpoint.get("instance", "")).rpartition("/")[2]
    parts = (endpoint.get("ipAddress"), endpoint.get("port"), instance, endpoint.get("fqdn"))
    return "_".join(str(part or "") for part in parts)


def _given(call: Call, group: Json) -> list[Json]:
    endpoints: list[Json] = []
    for index, endpoint in enumerate(call.body.get("networkEndpoints") or []):
        field = f"networkEndpoints[{index}]"
        if group["networkEndpointType"] == "GCE_VM_IP_PORT":
            if not endpoint.get("instance"):
                raise invalid(f"{field}.instance", "", "An instance must be given.")
            if not (endpoint.get("port") or group.get("defaultPort")):
                raise invalid(f"{field}.port", "", "A port must be given.")
        if endpoint.get("ipAddress"):
            try:
                ipaddress.ip_address(endpoint["ipAddress"])
            except ValueError:
                raise invalid(
                    f"{field}.ipAddress", endpoint["ipAddress"], "It must be an IP address."
                ) from None
        complete = dict(endpoint)
        if group.get("defaultPort"):
            complete.setdefault("port", group["defaultPort"])
        if complete.get("instance"):
            complete["instance"] = str(complete["instance"]).rpartition("/")[2]
        endpoints.append(complete)
    return endpoints


async def attach_endpoints(call: Call) -> Json:
    """`networkEndpointGroups.attachNetworkEndpoints`; attaching twice is no error."""
    place, group = _group(call, "attachNetworkEndpoints")
    for endpoint in _given(call, group):
        call.store.put(f"{_endpoints_prefix(place)}/{_name(endpoint)}", endpoint)
    return operations.start(call.state, place, "attachNetworkEndpoints", group["id"])


async def detach_endpoints(call: Call) -> Json:
    """`networkEndpointGroups.detachNetworkEndpoints`; an unknown endpoint is refused."""
    place, group = _group(call, "detachNetworkEndpoints")
    keys = [f"{_endpoints_prefix(place)}/{_name(e)}" for e in _given(call, group)]
    for key in keys:
        if key not in call.store:
            raise ApiError(400, f"The network endpoint {key.rpartition('/')[2]} is not in the NEG.")
    for key in keys:
        call.store.delete(key)
    return operations.start(call.state, place, "detachNetworkEndpoints", group["id"])


async def _healths(call: Call, place: Place) -> dict[str, Mapping[str, str]]:
    """What the checks of each backend service that has the group say of its endpoints."""
    requests = call.state.requests
    states = (await requests.health() if requests is not None else None) or {}
    users = (parse(key.removeprefix("compute/")) for key in call.store.users(place.path))
    return {one.path: states[one.path] for one in users if one and one.path in states}


async def list_endpoints(call: Call) -> Json:
    """`networkEndpointGroups.listNetworkEndpoints`."""
    place, _ = _group(call, "listNetworkEndpoints")
    shown = await _healths(call, place) if call.body.get("healthStatus") == "SHOW" else {}
    items = []
    for _, endpoint in call.store.collection(_endpoints_prefix(place)):
        item: Json = {"networkEndpoint": endpoint}
        name = f"{endpoint.get('ipAddress')}:{endpoint.get('port')}"
        if shown:
            item["healths"] = [
                {
                    "backendService": {"backendService": PREFIX + service},
                    "healthState": states.get(name, "UNKNOWN"),
                }
                for service, states in shown.items()
            ]
        items.append(item)
    listed: Json = {
        "id": call.url_path,
        "kind": "compute#networkEndpointGroupsListNetworkEndpoints",
    }
    return listed | ({"items": items} if items else {})
