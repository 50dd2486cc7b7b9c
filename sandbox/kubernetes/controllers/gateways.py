"""The Gateway controller for Gateways, HTTPRoutes and their policies.

A Gateway of the class `gke-l7-global-external-managed` becomes a global external load balancer in
the compute API; other classes get a status that they are not simulated. A finalizer keeps a
Gateway until its load balancer is deleted.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import dataclass
from typing import Any

from sandbox.kubernetes import gateway_api
from sandbox.kubernetes.api_server import MERGE_PATCH, ApiServer, ApiServerError
from sandbox.kubernetes.controllers import gateway_compute as shape
from sandbox.kubernetes.controllers import gateway_groups, gateway_support
from sandbox.kubernetes.controllers import gateway_status as status
from sandbox.kubernetes.controllers.compute import Compute, ComputeError
from sandbox.kubernetes.controllers.endpoint_groups import STATUS
from sandbox.kubernetes.controllers.gateway_compute import Backends, Target
from sandbox.kubernetes.controllers.gateway_firewall import GatewayFirewall, target_ports
from sandbox.kubernetes.controllers.gateway_resources import GatewayResources, Owner

Json = dict[str, Any]
_log = logging.getLogger("sandbox.kubernetes.controllers")
Key = tuple[str, str, int]
"""Namespace, name and port of a Service."""
CLASS = "gke-l7-global-external-managed"
FINALIZER = "gateway.finalizer.networking.gke.io"
_CERTIFICATES = "networking.gke.io/certmap"
_NAMESPACE = "kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Snapshot of the cluster's objects."""

    gateways: list[Json]
    routes: list[Json]
    health_checks: list[Json]
    backend_policies: list[Json]
    services: dict[tuple[str, str], Json]
    deployments: list[Json]
    namespaces: dict[str, dict[str, str]]
    """Labels by name."""


class Gateways:
    """Reconciles all Gateways of one cluster."""

    def __init__(
        self,
        server: ApiServer,
        compute: Compute,
        *,
        cluster_uid: str,
        network: str,
        node_tag: str,
    ) -> None:
        """`network` is the path of the cluster's network, `node_tag` the tag of its nodes."""
        self._server = server
        self._cluster = cluster_uid[:8]
        self._compute = compute
        self._resources = GatewayResources(compute)
        self._firewall = GatewayFirewall(
            compute, network=network, node_tag=node_tag, cluster=self._cluster
        )
        self._last_errors: dict[Owner, str] = {}
        """Last error by Gateway, so that it is logged once."""
        self.has_failures = False
        """Whether something failed, so that a retry is needed."""

    async def reconcile(self, seen: Snapshot) -> None:
        """Reconcile load balancers, and update the status of all objects."""
        self.has_failures = False
        parents: dict[str, list[Json]] = {}
        routed: set[Key] = set()
        for gateway in seen.gateways:
            if gateway["spec"]["gatewayClassName"] != CLASS:
                continue
            if gateway["metadata"].get("deletionTimestamp"):
                await self._remove(gateway)
                continue
            routed |= await self._provide(gateway, seen, parents)
        await self._settle(routed, seen)
        for route in seen.routes:
            uid = route["metadata"]["uid"]
            if uid in parents:
                await self._update_status(gateway_api.HTTP_ROUTES, route, {"parents": parents[uid]})
        await self._update_policy_status(seen)

    async def _settle(self, routed: set[Key], seen: Snapshot) -> None:
        """Open the firewall for what is routed, and take back the groups of what is no more."""
        ports = {
            port
            for key in routed
            if (service := seen.services.get(key[:2])) is not None
            for port in self._ports(key, service, seen)
        }
        try:
            await self._firewall.open(ports)
        except ComputeError as error:
            self.has_failures = True
            _log.warning("the firewall rule of the Gateways: %s", error)
        for name, service in seen.services.items():
            needed = {key[2] for key in routed if key[:2] == name}
            await gateway_groups.take_back(self._server, service, needed)

    def _ports(self, key: Key, service: Json, seen: Snapshot) -> set[int]:
        """The pods' ports that the load balancer and its health check ask."""
        serving = set(target_ports(service, key[2], seen.deployments))
        check = shape.health_check("", Target(
            namespace=key[0], service=key[1], port=key[2], health=_policy(seen.health_checks, key)
        ))  # fmt: skip
        port = check["httpHealthCheck"].get("port")
        return serving | ({int(port)} if port else set())

    async def _provide(
        self, gateway: Json, seen: Snapshot, parents: dict[str, list[Json]]
    ) -> set[Key]:
        """Reconcile one Gateway; the backends of the routes that its listeners take."""
        await self._hold(gateway)
        listeners: list[Json] = gateway["spec"]["listeners"]
        by_listener: dict[str, list[Json]] = {listener["name"]: [] for listener in listeners}
        for route in seen.routes:
            for reference in _references(route, gateway):
                unsupported = gateway_support.unsupported(route, seen.services)
                taken = [
                    one["name"]
                    for one in listeners
                    if accepts(one, reference, route, gateway, seen) and not unsupported
                ]
                for name in taken:
                    by_listener[name].append(route)
                parents.setdefault(route["metadata"]["uid"], []).append(
                    status.parent(
                        route,
                        reference,
                        refused=None if taken else "no listener takes routes of this namespace",
                        unsupported=unsupported,
                        missing=list(_missing(route, seen)),
                    )
                )
        attached = Counter({name: len(routes) for name, routes in by_listener.items()})
        try:
            address = await self._balance(gateway, by_listener, seen)
        except ComputeError as error:
            self.has_failures = True
            desired = status.gateway(gateway, address=None, attached=attached, problem=str(error))
            if self._last_errors.get(self._owner(gateway)) != str(error):
                _log.warning("gateway %s: %s", gateway["metadata"]["name"], error)
            self._last_errors[self._owner(gateway)] = str(error)
        else:
            self._last_errors.pop(self._owner(gateway), None)
            desired = status.gateway(gateway, address=address, attached=attached)
        await self._update_status(gateway_api.GATEWAYS, gateway, desired)
        return {
            key
            for routes in by_listener.values()
            for route in routes
            for key in _backend_keys(route)
        }

    async def _balance(
        self, gateway: Json, by_listener: dict[str, list[Json]], seen: Snapshot
    ) -> str:
        """Create or update the load balancer and return its address."""
        own = self._owner(gateway)
        address = await self._address(gateway)
        backends = await self._backends(own, by_listener, seen)
        for listener in gateway["spec"]["listeners"]:
            name = shape.named(listener["name"], *own)
            is_encrypted = listener["protocol"] == "HTTPS"
            made = await self._resources.ensure(
                own, "global/urlMaps", shape.url_map(name, by_listener[listener["name"]], backends)
            )
            certificates = (gateway["metadata"].get("annotations") or {}).get(_CERTIFICATES)
            if is_encrypted and not certificates:
                raise ComputeError(400, "invalid", "an HTTPS listener has no certificates")
            proxies = "targetHttpsProxies" if is_encrypted else "targetHttpProxies"
            proxy = await self._resources.ensure(
                own,
                f"global/{proxies}",
                shape.proxy(
                    name,
                    url_map_link=made["selfLink"],
                    project=self._compute.project,
                    certificates=certificates if is_encrypted else None,
                ),
            )
            rule = shape.forwarding_rule(
                name, target=proxy["selfLink"], address=address, port=listener["port"]
            )
            found = await self._resources.ensure(own, "global/forwardingRules", rule)
            address = str(found["IPAddress"])
        await self._resources.clean(own)
        return address or ""

    def _owner(self, gateway: Json) -> Owner:
        return (self._cluster, *_own(gateway))

    async def _address(self, gateway: Json) -> str | None:
        """Return the reserved address that the Gateway names; None for an ephemeral one."""
        for address in gateway["spec"].get("addresses") or ():
            if address.get("type") == "NamedAddress":
                found = await self._compute.request("GET", f"global/addresses/{address['value']}")
                return str(found["address"])
            return str(address["value"])
        return None

    async def _backends(
        self, own: Owner, by_listener: dict[str, list[Json]], seen: Snapshot
    ) -> Backends:
        links: dict[tuple[str, str, int], str] = {}
        for routes in by_listener.values():
            for key in (key for route in routes for key in _backend_keys(route)):
                service = seen.services.get(key[:2])
                if key in links or service is None:
                    continue
                links[key] = await self._backend(own, key, service, seen)
        empty = Target(namespace=own[1], service=own[2], port=404)
        name = shape.named("serve404", *own)
        nowhere = {**shape.backend_service(name, empty, check=""), "healthChecks": []}
        made = await self._resources.ensure(own, "global/backendServices", nowhere)
        return Backends(services=links, nowhere=made["selfLink"])

    async def _backend(
        self, own: Owner, key: tuple[str, str, int], service: Json, seen: Snapshot
    ) -> str:
        await gateway_groups.ask(self._server, service, key[2])
        target = Target(
            namespace=key[0],
            service=key[1],
            port=key[2],
            groups=tuple(_groups(service, key[2], self._compute.project)),
            health=_policy(seen.health_checks, key),
            policy=_policy(seen.backend_policies, key),
        )
        if not target.groups:
            self.has_failures = True  # the groups are created from the annotation: retry
        name = shape.named("bs", *own, *map(str, key))
        check = await self._resources.ensure(
            own, "global/healthChecks", shape.health_check(name, target)
        )
        body = shape.backend_service(name, target, check=check["selfLink"])
        return str((await self._resources.ensure(own, "global/backendServices", body))["selfLink"])

    async def _remove(self, gateway: Json) -> None:
        finalizers = gateway["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers:
            return
        await self._resources.forget(self._owner(gateway))
        left = [one for one in finalizers if one != FINALIZER]
        await self._patch(gateway_api.GATEWAYS, gateway, {"metadata": {"finalizers": left}})

    async def _hold(self, gateway: Json) -> None:
        finalizers = gateway["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers:
            body = {"metadata": {"finalizers": [*finalizers, FINALIZER]}}
            await self._patch(gateway_api.GATEWAYS, gateway, body)

    async def _update_policy_status(self, seen: Snapshot) -> None:
        for collection, policies in (
            (gateway_api.HEALTH_CHECKS, seen.health_checks),
            (gateway_api.BACKEND_POLICIES, seen.backend_policies),
        ):
            for one in policies:
                target = (one["metadata"]["namespace"], one["spec"]["targetRef"]["name"])
                desired = status.policy(one, is_attached=target in seen.services)
                await self._update_status(collection, one, desired)

    async def _update_status(self, collection: str, one: Json, desired: Json) -> None:
        fresh = status.merged(one.get("status") or {}, desired)
        old = one.get("status") or {}
        if any(old.get(key) != value for key, value in fresh.items()):
            await self._patch(collection, one, {"status": fresh}, "/status")

    async def _patch(self, collection: str, one: Json, body: Json, subresource: str = "") -> None:
        head, _, kind = collection.rpartition("/")
        metadata = one["metadata"]
        path = f"{head}/namespaces/{metadata['namespace']}/{kind}/{metadata['name']}{subresource}"
        try:
            await self._server.request("PATCH", path, body, content_type=MERGE_PATCH)
        except ApiServerError as error:
            if error.status != 404:
                raise


def accepts(listener: Json, reference: Json, route: Json, gateway: Json, seen: Snapshot) -> bool:
    """Whether a listener accepts a route that refers to it."""
    if reference.get("sectionName") not in (None, listener["name"]):
        return False
    allowed: Json = (listener.get("allowedRoutes") or {}).get("namespaces") or {}
    namespace = route["metadata"]["namespace"]
    match allowed.get("from", "Same"):
        case "All":
            return True
        case "Selector":
            wanted: Json = (allowed.get("selector") or {}).get("matchLabels") or {}
            labels = {_NAMESPACE: namespace, **seen.namespaces.get(namespace, {})}
            return all(labels.get(key) == value for key, value in wanted.items())
        case _:
            return bool(namespace == gateway["metadata"]["namespace"])


def _own(gateway: Json) -> tuple[str, str]:
    return gateway["metadata"]["namespace"], gateway["metadata"]["name"]


def _references(route: Json, gateway: Json) -> list[Json]:
    return [
        reference
        for reference in route["spec"].get("parentRefs") or ()
        if (reference.get("namespace", route["metadata"]["namespace"]), reference["name"])
        == _own(gateway)
    ]


def _backend_keys(route: Json) -> list[tuple[str, str, int]]:
    namespace = route["metadata"]["namespace"]
    return [
        shape.reference(backend, namespace)
        for rule in route["spec"].get("rules") or ()
        for backend in shape.backend_references(rule)
    ]


def _missing(route: Json, seen: Snapshot) -> list[str]:
    return sorted({key[1] for key in _backend_keys(route) if key[:2] not in seen.services})


def _policy(policies: list[Json], key: tuple[str, str, int]) -> Json:
    """Return the spec of a Service's policy. If there are several, the oldest applies."""
    aimed = [
        one
        for one in policies
        if (one["metadata"]["namespace"], one["spec"]["targetRef"]["name"]) == key[:2]
    ]
    oldest = min(aimed, key=lambda one: str(one["metadata"]["creationTimestamp"]), default=None)
    return dict((oldest or {"spec": {}})["spec"].get("default") or {})


def _groups(service: Json, port: int, project: str) -> list[str]:
    """Return the endpoint group links of a Service's port, from its status annotation."""
    annotation = (service["metadata"].get("annotations") or {}).get(STATUS)
    status: Json = json.loads(annotation) if annotation else {}
    name = (status.get("network_endpoint_groups") or {}).get(str(port))
    return [
        f"projects/{project}/zones/{zone}/networkEndpointGroups/{name}"
        for zone in (status.get("zones") or ())
        if name
    ]
