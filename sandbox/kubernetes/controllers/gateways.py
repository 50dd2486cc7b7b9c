"""The Gateway controller for Gateways, HTTPRoutes and their policies.

A Gateway becomes a load balancer in the compute API, global or of the cluster's region, as its
class says (`gateway_classes`); one of another class is left alone. A finalizer keeps a Gateway
until its load balancer is deleted.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

from sandbox.kubernetes import gateway_api
from sandbox.kubernetes.api_server import MERGE_PATCH, ApiServer, ApiServerError
from sandbox.kubernetes.controllers import (
    gateway_classes,
    gateway_groups,
    gateway_support,
    inference_pools,
    match_conditions,
)
from sandbox.kubernetes.controllers import gateway_compute as shape
from sandbox.kubernetes.controllers import gateway_snapshot as objects
from sandbox.kubernetes.controllers import gateway_status as status
from sandbox.kubernetes.controllers.compute import Compute, ComputeError
from sandbox.kubernetes.controllers.gateway_classes import GatewayClass
from sandbox.kubernetes.controllers.gateway_compute import Backends, Target
from sandbox.kubernetes.controllers.gateway_firewall import GatewayFirewall, target_ports
from sandbox.kubernetes.controllers.gateway_resources import GatewayResources, Owner
from sandbox.kubernetes.controllers.gateway_snapshot import Location, Snapshot

Json = dict[str, Any]
_log = logging.getLogger("sandbox.kubernetes.controllers")
Key = tuple[str, str, int]
"""Namespace, name and port of a Service."""
FINALIZER = "gateway.finalizer.networking.gke.io"


_NO_POOLS = "an InferencePool is not supported by the GatewayClass {}"


class Gateways:
    """Reconciles all Gateways of one cluster."""

    def __init__(
        self, server: ApiServer, compute: Compute, *, cluster_uid: str, location: Location
    ) -> None:
        self._server = server
        self._uid = cluster_uid
        self._cluster = cluster_uid[:8]
        self._compute = compute
        self._location = location
        self._resources = GatewayResources(compute, region=location.region)
        self._firewall = GatewayFirewall(
            compute,
            network=location.network,
            node_tag=location.node_tag,
            cluster=self._cluster,
        )
        self._made_groups: set[str] = set()
        self.pickers: dict[str, Json] = {}
        """InferencePool by the path of each backend service that it has."""
        self.routers: dict[str, Json] = {}
        """GCPRoutingExtension by the path of each URL map that it applies to."""
        self._last_errors: dict[Owner, str] = {}
        """Last error by Gateway, so that it is logged once."""
        self.has_failures = False
        """Whether something failed, so that a retry is needed."""

    async def reconcile(self, seen: Snapshot) -> None:
        """Reconcile load balancers, and update the status of all objects."""
        self.has_failures = False
        parents: dict[str, list[Json]] = {}
        routed: set[Key] = set()
        self._pickers: dict[str, Json] = {}
        self._routers: dict[str, Json] = {}
        for gateway in seen.gateways:
            if gateway_classes.of(gateway) is None:
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
        self.pickers, self.routers = self._pickers, self._routers
        await self._update_policy_status(seen)
        await self._update_pool_status(seen)

    async def _settle(self, routed: set[Key], seen: Snapshot) -> None:
        """Open the firewall for what is routed, and take back the groups of what is no more."""
        ports = {port for key in routed for port in self._ports(key, seen)}
        try:
            await self._firewall.open(ports, await self._proxies(seen))
        except ComputeError as error:
            self.has_failures = True
            _log.warning("the firewall rule of the Gateways: %s", error)
        for name, service in seen.services.items():
            needed = {key[2] for key in routed if key[:2] == name}
            await gateway_groups.take_back(self._server, service, needed)

    async def _proxies(self, seen: Snapshot) -> list[str]:
        """The ranges from which the proxies of regional Gateways call. Raises ComputeError."""
        kinds = filter(None, map(gateway_classes.of, seen.gateways))
        if not any(kind.is_regional for kind in kinds):
            return []
        path = f"regions/{self._location.region}/subnetworks"
        found = (await self._compute.request("GET", path)).get("items") or []
        return [
            one["ipCidrRange"]
            for one in found
            if one.get("purpose") == "REGIONAL_MANAGED_PROXY"
            and str(one.get("network")).endswith(self._location.network)
        ]

    def _ports(self, key: Key, seen: Snapshot) -> set[int]:
        """The pods' ports that the load balancer and its health check ask."""
        pool, service = seen.pools.get(key[:2]), seen.services.get(key[:2])
        if pool is not None:
            serving = set(inference_pools.groups(pool, self._uid))
        elif service is not None:
            serving = set(target_ports(service, key[2], seen.workloads))
        else:
            return set()
        health = objects.policy_of(seen.health_checks, key)
        target = Target(namespace=key[0], service=key[1], port=key[2], health=health)
        check = shape.health_check("", target)
        port = check["httpHealthCheck"].get("port")
        return serving | ({int(port)} if port else set())

    async def _provide(
        self, gateway: Json, seen: Snapshot, parents: dict[str, list[Json]]
    ) -> set[Key]:
        """Reconcile one Gateway; the backends of the routes that its listeners take."""
        await self._hold(gateway)
        kind = gateway_classes.CLASSES[gateway["spec"]["gatewayClassName"]]
        listeners: list[Json] = gateway["spec"]["listeners"]
        by_listener: dict[str, list[Json]] = {listener["name"]: [] for listener in listeners}
        for route in seen.routes:
            for reference in objects.references(route, gateway):
                unsupported = gateway_support.unsupported(route, seen.services)
                pools = not kind.takes_pools and [
                    k for k in objects.backend_keys(route) if objects.is_pool(k)
                ]
                taken = [
                    one["name"]
                    for one in listeners
                    if objects.accepts(one, reference, route, gateway, seen) and not unsupported
                ]
                for name in taken:
                    by_listener[name].append(route)
                parents.setdefault(route["metadata"]["uid"], []).append(
                    status.parent(
                        route,
                        reference,
                        refused=None if taken else "no listener takes routes of this namespace",
                        unsupported=unsupported,
                        missing=list(objects.missing(route, seen)),
                        invalid=_NO_POOLS.format(gateway["spec"]["gatewayClassName"])
                        if pools
                        else None,
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
            for key in objects.backend_keys(route)
        }

    async def _balance(
        self, gateway: Json, by_listener: dict[str, list[Json]], seen: Snapshot
    ) -> str:
        """Create or update the load balancer and return its address."""
        own = self._owner(gateway)
        kind = gateway_classes.CLASSES[gateway["spec"]["gatewayClassName"]]
        scope = kind.scope(self._location.region)
        address = await self._address(gateway, scope)
        backends = await self._backends(gateway, kind, by_listener, seen)
        extension = objects.extension_of(gateway, seen)
        if extension is not None and (reason := match_conditions.problem(extension)):
            raise ComputeError(501, "notImplemented", f"GCPRoutingExtension: {reason}")
        for listener in gateway["spec"]["listeners"]:
            name = shape.named(listener["name"], *own)
            is_encrypted = listener["protocol"] == "HTTPS"
            made = await self._resources.ensure(
                own,
                scope,
                "urlMaps",
                shape.url_map(name, by_listener[listener["name"]], backends),
            )
            if extension is not None:
                self._routers[_path(made)] = extension
            certificates = (
                shape.certificates(gateway, listener, is_regional=kind.is_regional)
                if is_encrypted
                else None
            )
            if certificates == shape.Certificates():
                raise ComputeError(400, "invalid", "an HTTPS listener has no certificates")
            proxies = "targetHttpsProxies" if is_encrypted else "targetHttpProxies"
            proxy = await self._resources.ensure(
                own,
                scope,
                proxies,
                shape.proxy(
                    name,
                    url_map_link=made["selfLink"],
                    project=self._compute.project,
                    scope=scope,
                    given=certificates,
                ),
            )
            rule = shape.forwarding_rule(
                name,
                target=proxy["selfLink"],
                address=address,
                port=listener["port"],
                scheme=kind.scheme,
                network=self._location.network_of(kind),
            )
            found = await self._resources.ensure(own, scope, "forwardingRules", rule)
            address = str(found["IPAddress"])
        await self._resources.clean(own)
        return address or ""

    def _owner(self, gateway: Json) -> Owner:
        return (self._cluster, *objects.own(gateway))

    async def _address(self, gateway: Json, scope: str) -> str | None:
        """Return the reserved address that the Gateway names; None for an ephemeral one."""
        for address in gateway["spec"].get("addresses") or ():
            if address.get("type") == "NamedAddress":
                found = await self._compute.request("GET", f"{scope}/addresses/{address['value']}")
                return str(found["address"])
            return str(address["value"])
        return None

    async def _backends(
        self,
        gateway: Json,
        kind: GatewayClass,
        by_listener: dict[str, list[Json]],
        seen: Snapshot,
    ) -> Backends:
        own, scope = self._owner(gateway), kind.scope(self._location.region)
        links: dict[tuple[str, str, int], str] = {}
        for routes in by_listener.values():
            for key in (key for route in routes for key in objects.backend_keys(route)):
                if key in links or not seen.has(key[:2]) or objects.is_pool(key) > kind.takes_pools:
                    continue
                links[key] = await self._backend(own, kind, key, seen)
        empty = Target(namespace=own[1], service=own[2], port=404)
        name = shape.named("serve404", *own)
        body = shape.backend_service(name, empty, check="", scheme=kind.scheme, scope=scope)
        made = await self._resources.ensure(
            own, scope, "backendServices", {**body, "healthChecks": []}
        )
        return Backends(services=links, nowhere=made["selfLink"])

    async def _backend(
        self, own: Owner, kind: GatewayClass, key: tuple[str, str, int], seen: Snapshot
    ) -> str:
        scope, pool = kind.scope(self._location.region), seen.pools.get(key[:2])
        if pool is None:
            service = seen.services[key[:2]]
            await gateway_groups.ask(self._server, service, key[2])
            groups = objects.group_links(service, key[2], self._compute.project)
        else:
            groups = await self._pool_groups(pool, seen)
        target = Target(
            namespace=key[0],
            service=key[1],
            port=key[2],
            groups=tuple(groups),
            health=objects.policy_of(seen.health_checks, key),
            policy=objects.policy_of(seen.backend_policies, key),
        )
        if not target.groups:
            self.has_failures = True  # the groups are created from the annotation: retry
        name = shape.named("bs", *own, *(str(part).replace("/", "-") for part in key))
        check = await self._resources.ensure(
            own, scope, "healthChecks", shape.health_check(name, target)
        )
        body = shape.backend_service(
            name, target, check=check["selfLink"], scheme=kind.scheme, scope=scope
        )
        made = await self._resources.ensure(own, scope, "backendServices", body)
        if pool is not None:
            self._pickers[_path(made)] = pool
        return str(made["selfLink"])

    async def _pool_groups(self, pool: Json, seen: Snapshot) -> list[str]:
        """Return those of a pool's endpoint groups that exist; the NEG controller makes them."""
        found = []
        for name in inference_pools.groups(pool, self._uid).values():
            for zone in seen.zones:
                path = f"zones/{zone}/networkEndpointGroups/{name}"
                if path not in self._made_groups:
                    if await self._compute.get(path) is None:
                        self.has_failures = True  # a retry finds it
                        continue
                    self._made_groups.add(path)
                found.append(f"projects/{self._compute.project}/{path}")
        return found

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
                desired = status.policy(one, is_attached=seen.has(objects.target_of(one)))
                await self._update_status(collection, one, desired)

    async def _update_pool_status(self, seen: Snapshot) -> None:
        """Write which Gateways lead to each InferencePool; none where none does."""
        for key, pool in seen.pools.items():
            gateways = [one for one in seen.gateways if objects.leads_to(one, key, seen)]
            if gateways or pool.get("status"):
                desired = inference_pools.status(pool, gateways, seen.services)
                await self._update_status(gateway_api.INFERENCE_POOLS, pool, desired)

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


def _path(resource: Json) -> str:
    """The path of a compute resource, `projects/…`."""
    return str(resource["selfLink"]).partition("/compute/v1/")[2]
