"""The NEG controller: zonal network endpoint groups whose endpoints follow the pods of Services.

A Service requests them with the annotation `cloud.google.com/neg`; the controller writes the result
to `cloud.google.com/neg-status`. A group that is no longer requested is deleted once no backend
service uses it.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.kubernetes.api_server import MERGE_PATCH, ApiServer
from sandbox.kubernetes.controllers import inference_pools
from sandbox.kubernetes.controllers.compute import Compute, ComputeError
from sandbox.kubernetes.controllers.events import Events
from sandbox.kubernetes.controllers.state_log import StateLog

Json = dict[str, Any]
Endpoint = tuple[str, str, int]
"""Instance, IP address, port."""
ANNOTATION = "cloud.google.com/neg"
STATUS = "cloud.google.com/neg-status"
CONFLICT = "conflictingDescription"
"""Reason of a refused group; none of Google's, whose controller only reports it."""
DESCRIBED = {
    "cluster-uid": "ClusterUID",
    "namespace": "Namespace",
    "service-name": "ServiceName",
    "port": "Port",
}
"""Fields of a description, and their names in messages."""
_ZONE = "topology.kubernetes.io/zone"
_log = logging.getLogger("sandbox.kubernetes.controllers")


@dataclass(slots=True)
class Group:
    """The desired state of one group."""

    name: str
    zone: str
    description: str
    endpoints: set[Endpoint] = field(default_factory=set)

    @property
    def collection(self) -> str:
        """The group's collection in the compute API."""
        return f"zones/{self.zone}/networkEndpointGroups"

    @property
    def path(self) -> str:
        """The group's path in the compute API."""
        return f"{self.collection}/{self.name}"


class EndpointGroups:
    """Reconciles all groups of one cluster."""

    def __init__(
        self,
        server: ApiServer,
        compute: Compute,
        *,
        cluster_uid: str,
        network: str,
        subnetwork: str,
    ) -> None:
        self._server = server
        self._compute = compute
        self._cluster_uid = cluster_uid
        self._network = network
        self._subnetwork = subnetwork
        self._attached: dict[str, set[Endpoint]] = {}
        self._known: dict[str, Group] | None = None
        self._events = Events(server, "neg-controller")
        self._stay, self._fail = StateLog(_log), StateLog(_log, logging.WARNING)
        self.has_leftovers = False
        """Whether a group could not be created or deleted yet, so that a retry is needed."""

    async def reconcile(self, services: list[Json], slices: list[Json], nodes: list[Json]) -> None:
        """Reconcile groups and endpoints with Services and their pods."""
        if self._known is None:
            self._known = await self._found()
        zones = {
            n["metadata"]["name"]: (n["metadata"].get("labels") or {}).get(_ZONE) for n in nodes
        }
        wanted: set[tuple[str, str]] = set()
        failures: set[str] = set()
        for service in services:
            ports = exposed_ports(service, self._cluster_uid)
            if not ports or service["metadata"].get("deletionTimestamp"):
                await self._remove_status(service)
                continue
            groups = list(self._groups(service, ports, slices, zones))
            wanted |= {(group.path, group.description) for group in groups}
            try:
                for group in groups:
                    await self._make(group.path, group)
                if service.get("kind") != inference_pools.KIND:  # which is no object of its own
                    found = sorted({z for z in zones.values() if z})
                    await self._update_status(service, ports, found)
            except ComputeError as error:
                # An error of one Service must not block the others.
                metadata = service["metadata"]
                failures.add(metadata["uid"])
                self._fail.say(metadata["uid"], f"service {metadata['name']}: {error}")
                await self._events.warn(service, "SyncNetworkEndpointGroupFailed", str(error))
        await self._clean(wanted)
        self._fail.keep(failures)
        self.has_leftovers = self.has_leftovers or bool(failures)

    def _groups(
        self, service: Json, ports: dict[int, str], slices: list[Json], zones: dict[str, str | None]
    ) -> Iterator[Group]:
        for port, name in ports.items():
            described = description(service, port, self._cluster_uid)
            groups = {
                z: Group(name, z, described) for z in sorted({z for z in zones.values() if z})
            }
            for instance, address, number in attached_endpoints(service, port, slices):
                zone = zones.get(instance)
                if zone:
                    groups[zone].endpoints.add((instance, address, number))
            yield from groups.values()

    async def _make(self, path: str, group: Group) -> None:
        assert self._known is not None  # noqa: S101 (reconcile fills it)
        if path not in self._known:
            body = {
                "name": group.name, "description": group.description, "network": self._network,
                "subnetwork": self._subnetwork, "networkEndpointType": "GCE_VM_IP_PORT",
            }  # fmt: skip
            made = await self._compute.ensure(group.collection, body)
            refuse_conflict(group, str(made.get("description") or ""))
            self._known[path] = group
        refuse_conflict(group, self._known[path].description)
        if path not in self._attached:
            self._attached[path] = await self._listed(path)
        attached = self._attached[path]
        for verb, endpoints in (
            ("attachNetworkEndpoints", group.endpoints - attached),
            ("detachNetworkEndpoints", attached - group.endpoints),
        ):
            if endpoints:
                await self._compute.request("POST", f"{path}/{verb}", _body(endpoints))
        self._attached[path] = set(group.endpoints)

    async def _clean(self, wanted: set[tuple[str, str]]) -> None:
        assert self._known is not None  # noqa: S101 (reconcile fills it)
        self.has_leftovers = False
        unwanted = [p for p, group in self._known.items() if (p, group.description) not in wanted]
        self._stay.keep(unwanted)
        for path in unwanted:
            endpoints = self._attached.get(path) or await self._listed(path)
            if endpoints:
                await self._compute.request(
                    "POST", f"{path}/detachNetworkEndpoints", _body(endpoints)
                )
            self._attached[path] = set()
            try:
                await self._compute.delete(path)
            except ComputeError as error:
                if error.reason != "resourceInUseByAnotherResource":
                    raise
                self._stay.say(path, f"{path} stays for now: {error}")
                self.has_leftovers = True
                continue
            del self._known[path]
            self._attached.pop(path, None)

    async def _found(self) -> dict[str, Group]:
        """Return this cluster's existing groups, identified by their description."""
        listed = await self._compute.request("GET", "aggregated/networkEndpointGroups")
        found: dict[str, Group] = {}
        for scope, content in listed["items"].items():
            for item in content.get("networkEndpointGroups") or []:
                if self._cluster_uid in item.get("description", ""):
                    zone = scope.removeprefix("zones/")
                    group = Group(item["name"], zone, item["description"])
                    found[group.path] = group
        return found

    async def _listed(self, path: str) -> set[Endpoint]:
        answer = await self._compute.request("POST", f"{path}/listNetworkEndpoints", {})
        endpoints = (item["networkEndpoint"] for item in answer.get("items") or [])
        return {(e["instance"], e["ipAddress"], e["port"]) for e in endpoints}

    async def _update_status(self, service: Json, ports: dict[int, str], zones: list[str]) -> None:
        """Write the status annotation if it changed."""
        groups = {str(port): name for port, name in ports.items()}
        status = json.dumps(
            {"network_endpoint_groups": groups, "zones": zones}, separators=(",", ":")
        )
        metadata = service["metadata"]
        if (metadata.get("annotations") or {}).get(STATUS) == status:
            return
        path = f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}"
        body = {"metadata": {"annotations": {STATUS: status}}}
        await self._server.request("PATCH", path, body, content_type=MERGE_PATCH)

    async def _remove_status(self, service: Json) -> None:
        """Take the status from a Service that asks for no group (`syncNegStatusAnnotation`)."""
        metadata = service["metadata"]
        if STATUS not in (metadata.get("annotations") or {}) or metadata.get("deletionTimestamp"):
            return
        path = f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}"
        body = {"metadata": {"annotations": {STATUS: None}}}
        await self._server.request("PATCH", path, body, content_type=MERGE_PATCH)


def exposed_ports(service: Json, cluster_uid: str) -> dict[int, str]:
    """Return group names by Service port. Empty if the annotation is missing or invalid."""
    text = (service["metadata"].get("annotations") or {}).get(ANNOTATION)
    if not text:
        return {}
    try:
        requested: Json = json.loads(text)
        ports: Json = dict(requested.get("exposed_ports") or {})
        if requested.get("ingress"):
            ports.update({str(p["port"]): {} for p in service["spec"]["ports"]})
        return {
            int(port): (settings or {}).get("name") or _generated(service, int(port), cluster_uid)
            for port, settings in ports.items()
            if any(p["port"] == int(port) for p in service["spec"]["ports"])
        }
    except (ValueError, AttributeError) as error:
        name = service["metadata"]["name"]
        _log.warning("service %s: invalid annotation %s: %s", name, ANNOTATION, error)
        return {}


def _generated(service: Json, port: int, cluster_uid: str) -> str:
    metadata = service["metadata"]
    digest = hashlib.sha256(
        f"{cluster_uid}/{metadata['namespace']}/{metadata['name']}/{port}".encode()
    ).hexdigest()[:8]
    head = cluster_uid.replace("-", "")[:8]
    return f"k8s1-{head}-{metadata['namespace'][:14]}-{metadata['name'][:14]}-{port}-{digest}"


def description(service: Json, port: int, cluster_uid: str) -> str:
    """Return the description that GKE writes into its groups to identify them."""
    metadata = service["metadata"]
    content = {
        "cluster-uid": cluster_uid,
        "namespace": metadata["namespace"],
        "service-name": metadata["name"],
        "port": str(port),
    }
    return json.dumps(content, separators=(",", ":"))


def refuse_conflict(group: Group, found: str) -> None:
    """`ComputeError` if the group that has this name is another Service's, as `found` says.

    GKE's controller compares the four fields; it takes a description that it cannot read, and
    refuses to take a group without one (`ensureNetworkEndpointGroup` in kubernetes/ingress-gce).
    """
    head = f"neg name {group.name} is already in use, found"
    if not found:
        raise ComputeError(409, CONFLICT, f"{head} a custom named neg with an empty description")
    try:
        theirs: Json = json.loads(found)
        fields = {key: str(theirs.get(key) or "") for key in DESCRIBED}
    except (ValueError, AttributeError):
        return
    ours: Json = json.loads(group.description)
    if fields != ours:
        raise ComputeError(
            409,
            CONFLICT,
            f'{head} conflicting description: expected description of NEG object "{group.zone}"/'
            f'"{group.name}" to be {_shown(ours)}, but got {_shown(fields)}',
        )


def _shown(fields: Json) -> str:
    return "{" + " ".join(f"{name}:{fields[key]}" for key, name in DESCRIBED.items()) + "}"


def ready_endpoints(service: Json, port: int, slices: list[Json]) -> Iterator[Endpoint]:
    """Yield the endpoints of ready pods behind a Service's port."""
    return _endpoints(service, port, slices, lambda conditions: bool(conditions.get("ready")))


def attached_endpoints(service: Json, port: int, slices: list[Json]) -> Iterator[Endpoint]:
    """Yield the endpoints that a group has: of all pods that do not end, ready or not.

    The load balancer's health checks decide which of them get requests, and a new pod is not ready
    before (`readiness_gates`). Source: `toZoneNetworkEndpointMap` of kubernetes/ingress-gce.
    """
    return _endpoints(service, port, slices, lambda conditions: not conditions.get("terminating"))


def _endpoints(
    service: Json, port: int, slices: list[Json], is_wanted: Callable[[Json], bool]
) -> Iterator[Endpoint]:
    metadata = service["metadata"]
    service_port: Json = next((p for p in service["spec"]["ports"] if p["port"] == port), {})
    name = service_port.get("name", "")
    for one in slices:
        labels = one["metadata"].get("labels") or {}
        if (
            one["metadata"]["namespace"] != metadata["namespace"]
            or labels.get("kubernetes.io/service-name") != metadata["name"]
        ):
            continue
        numbers = [p["port"] for p in one.get("ports") or [] if p.get("name", "") == name]
        for endpoint in one.get("endpoints") or []:
            if is_wanted(endpoint.get("conditions") or {}) and endpoint.get("nodeName"):
                for number in numbers:
                    for address in endpoint["addresses"]:
                        yield endpoint["nodeName"], address, number


def _body(endpoints: set[Endpoint]) -> Json:
    return {
        "networkEndpoints": [
            {"instance": instance, "ipAddress": address, "port": port}
            for instance, address, port in sorted(endpoints)
        ]
    }
