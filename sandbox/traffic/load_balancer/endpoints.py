"""The endpoints of a backend service's groups, where the sandbox reaches them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.gcp.services.compute.place import Place
from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.firewalls import Firewalls, Wall
from sandbox.traffic.load_balancer.snapshot import Snapshot
from sandbox.traffic.load_balancer.surroundings import Surroundings
from sandbox.traffic.load_balancer.unsupported import Document

NOBODY = 1
"""A port on which nobody listens, for an endpoint that the sandbox cannot reach."""
DESTINATION = "x-gateway-destination-endpoint"
"""Key of the metadata by which an endpoint picker names an endpoint."""
_ZONAL = frozenset({"GCE_VM_IP_PORT"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address and port that receives requests."""

    instance: str
    address: str
    """The address as the API has it; empty for a node, which is known by its name."""
    port: int
    listens: int | None
    """The port of 127.0.0.1; None where nobody answers."""

    @property
    def name(self) -> str:
        """What tells it from the others, whatever port it has on loopback."""
        return f"{self.address or self.instance}:{self.port}"


@dataclass(frozen=True, slots=True)
class Group:
    """The endpoints of one backend, and how much it takes of the requests."""

    place: Place
    endpoints: tuple[Endpoint, ...]
    capacity: float
    """What the balancing mode says that it takes, times the capacity scaler; 0 takes nothing."""
    wall: Wall
    """What the firewall lets through to its endpoints."""

    def denied(self, health_port: int | None) -> set[int]:
        """The ports that the firewall keeps health checks or requests from."""
        return {
            one.port
            for one in self.endpoints
            if not self.wall.admits_requests(one.instance, one.address, one.port)
        } | {
            port
            for one in self.endpoints
            if not self.wall.admits_checks(
                one.instance, one.address, port := health_port or one.port
            )
        }


def groups(
    snapshot: Snapshot,
    surroundings: Surroundings,
    firewalls: Firewalls,
    service: Document,
    user: Place,
) -> Iterator[Group]:
    """The groups of a backend service; a group of a kind without endpoints here is reported.

    `user` is the backend service's place.
    """
    named = service.text("portName")
    fallback = service.whole("port", 80)
    for backend in service.many("backends"):
        found = snapshot.find(backend.text("group"), user.project)
        scaler = backend.number("capacityScaler", 1)
        if found is None:
            backend.decline("group", "There is no such group.")
            continue
        place, group = found
        if place.collection == "networkEndpointGroups":
            kind = group.text("networkEndpointType") or "GCE_VM_IP_PORT"
            if kind not in _ZONAL:
                backend.decline("group", f"Endpoints of the type {kind} are outside the sandbox.")
                continue
            found_here = tuple(_of_group(snapshot, surroundings, place))
        else:
            port = _named_port(group, named, fallback)
            found_here = tuple(_of_instances(surroundings, place, group, port))
        _note_group(group)
        capacity = _capacity(backend, len(found_here)) * scaler
        yield Group(place, found_here, capacity, firewalls.wall(user, place, group.body))


def _note_group(group: Document) -> None:
    """What a group says of its place and size follows from its endpoints."""
    for field in ("network", "subnetwork", "size", "defaultPort", "networkEndpointType"):
        group.value(field)
    group.value("namedPorts")
    group.value("annotations")


def _of_group(snapshot: Snapshot, surroundings: Surroundings, place: Place) -> Iterator[Endpoint]:
    for _, one in snapshot.children(f"compute-endpoints/{place.path}"):
        address, port = str(one.get("ipAddress", "")), int(one.get("port") or 0)
        listens = surroundings.dial_plan.port(place.project, address, port)
        yield Endpoint(str(one.get("instance", "")), address, port, listens)


def _named_port(group: Document, name: str, fallback: int) -> int | None:
    ports = {one.text("name"): one.whole("port") for one in group.many("namedPorts")}
    if not name:
        return fallback
    return ports.get(name)


def _of_instances(
    surroundings: Surroundings, place: Place, group: Document, port: int | None
) -> Iterator[Endpoint]:
    # Without a port of that name Google has nowhere to send requests, and reports no endpoint.
    for name in (group.body.get("_instances") or ()) if port is not None else ():
        listens = surroundings.node_ports.get((place.project, name, port or 0))
        yield Endpoint(str(name), "", port or 0, listens)


def _capacity(backend: Document, size: int) -> float:
    """Requests per second that the backend takes, or another measure that all backends share."""
    mode = backend.text("balancingMode")
    per_one = {
        "RATE": ("maxRatePerEndpoint", "maxRatePerInstance"),
        "CONNECTION": ("maxConnectionsPerEndpoint", "maxConnectionsPerInstance"),
    }
    total = {"RATE": "maxRate", "CONNECTION": "maxConnections"}.get(mode)
    for field in per_one.get(mode, ()):
        if limit := backend.number(field):
            return limit * size
    if total and (limit := backend.number(total)):
        return limit
    if backend.has("maxUtilization") and mode == "UTILIZATION":
        # Nothing in the sandbox has a utilization: each endpoint counts the same.
        backend.value("maxUtilization")
    return float(size)


def assignment(name: str, found: list[Group], health_port: int | None, project: str,
               surroundings: Surroundings) -> Json:  # fmt: skip
    """A cluster's load assignment: a locality for each group, as Google balances between zones."""
    total = sum(group.capacity for group in found) or 1.0
    seen: set[tuple[str, int]] = set()
    localities = []
    for group in found:
        weight = max(1, round(group.capacity / total * 10_000)) if group.capacity else 0
        endpoints = [
            one
            for endpoint in group.endpoints
            for one in _unique(
                _endpoint(endpoint, group.wall, health_port, project, surroundings), seen
            )
        ]
        if weight and endpoints:
            localities.append(
                {
                    "locality": {"zone": group.place.zone or "", "sub_zone": group.place.name},
                    "load_balancing_weight": weight,
                    "lb_endpoints": endpoints,
                }
            )
    return {"cluster_name": name, "endpoints": localities}


def _unique(endpoint: Json, seen: set[tuple[str, int]]) -> Iterator[Json]:
    where = endpoint["endpoint"]["address"]["socket_address"]
    key = where["address"], where["port_value"]
    if key not in seen:
        seen.add(key)
        yield endpoint


def _endpoint(
    endpoint: Endpoint,
    wall: Wall,
    health_port: int | None,
    project: str,
    surroundings: Surroundings,
) -> Json:
    where = endpoint.instance, endpoint.address
    is_reached = wall.admits_requests(*where, endpoint.port)
    found: Json = {"address": _address(endpoint, is_reached=is_reached)}
    listens = endpoint.listens
    if health_port is not None and health_port != endpoint.port:
        listens = (
            surroundings.dial_plan.port(project, endpoint.address, health_port)
            if endpoint.address
            else surroundings.node_ports.get((project, endpoint.instance, health_port))
        )
    if not wall.admits_checks(*where, health_port or endpoint.port):
        listens = None
    if listens != endpoint.listens or not is_reached:
        # It is checked elsewhere than it is asked.
        found["health_check_config"] = {"port_value": listens or NOBODY} | (
            {} if is_reached else {"address": _loopback(listens or NOBODY)}
        )
    return {
        "endpoint": found,
        "metadata": {
            "filter_metadata": {
                "envoy.lb": {"hash_key": endpoint.name, DESTINATION: endpoint.name},
                "sandbox": {"instance": endpoint.instance, "endpoint": endpoint.name},
            }
        },
    }


def _address(endpoint: Endpoint, *, is_reached: bool) -> Json:
    """Loopback; an endpoint without a listener gets an address of its own that refuses.

    The real load balancer would try it as well, so it may not be left out. The same goes for one
    behind a firewall, where packets are lost.
    """
    if endpoint.listens is not None and is_reached:
        return _loopback(endpoint.listens)
    host = _refusing(endpoint)
    return {"socket_address": {"address": host, "port_value": NOBODY}}


def _loopback(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _refusing(endpoint: Endpoint) -> str:
    parts = endpoint.address.split(".")
    if len(parts) == 4:
        return ".".join(["127", *parts[1:]])
    number = int.from_bytes(_digest(endpoint.name)[:3], "big")
    return f"127.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def _digest(text: str) -> bytes:
    import hashlib  # noqa: PLC0415 (rare)

    return hashlib.sha256(text.encode()).digest()
