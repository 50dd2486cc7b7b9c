"""Runs the Ingress and Gateway controllers of one cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sandbox import tasks
from sandbox.kubernetes import gateway_api
from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.controllers import inference_pools
from sandbox.kubernetes.controllers.compute import Compute
from sandbox.kubernetes.controllers.gateway_snapshot import Location, Snapshot
from sandbox.kubernetes.controllers.gateways import Gateways
from sandbox.kubernetes.controllers.informer import Informer
from sandbox.kubernetes.controllers.ingress_nginx import IngressNginx
from sandbox.kubernetes.controllers.reconcile_loop import AGAIN, reconcile_loop

Json = dict[str, Any]
_ZONE = "topology.kubernetes.io/zone"


class HttpControllers:
    """The Ingress controller of one cluster, and the Gateway controller if its API is installed."""

    def __init__(
        self,
        server: ApiServer,
        compute: Compute,
        *,
        uid: Callable[[], Awaitable[str]],
        has_gateways: bool,
        location: Location,
        pools: Informer | None = None,
        nodes: Informer | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`changed` is called with every change of the objects that it watches.

        `pools` are the InferencePools, where their kind is defined.
        """
        self._location = location
        self._pools, self._nodes = pools, nodes
        self._server = server
        self._compute = compute
        self._uid = uid
        self._wake = asyncio.Event()
        self._changed = changed
        networking = "/apis/networking.k8s.io/v1"
        self.ingresses = self._inform(f"{networking}/ingresses")
        self.classes = self._inform(f"{networking}/ingressclasses")
        self.deployments = self._inform("/apis/apps/v1/deployments")
        self._services = self._inform("/api/v1/services")
        self.certificates = Informer(
            server, "/api/v1/secrets", self._changed, selector="type=kubernetes.io/tls"
        )
        self._informers = [
            self.ingresses, self.classes, self.deployments, self._services, self.certificates
        ]  # fmt: skip
        self._has_gateways = has_gateways
        if has_gateways:
            self._namespaces = self._inform("/api/v1/namespaces")
            self._gateways = self._inform(gateway_api.GATEWAYS)
            self._routes = self._inform(gateway_api.HTTP_ROUTES)
            self._checks = self._inform(gateway_api.HEALTH_CHECKS)
            self._policies = self._inform(gateway_api.BACKEND_POLICIES)
            self._informers += [
                self._namespaces, self._gateways, self._routes, self._checks, self._policies
            ]  # fmt: skip
            self._extensions = self._inform(gateway_api.ROUTING_EXTENSIONS)
            self._stateful_sets = self._inform("/apis/apps/v1/statefulsets")
            self._informers += [self._extensions, self._stateful_sets]
        self.pickers: dict[str, Json] = {}
        """InferencePool by the path of each backend service that it has."""
        self.routers: dict[str, Json] = {}
        """GCPRoutingExtension by the path of each URL map that it applies to."""
        self._tasks: list[asyncio.Task[None]] = []

    def _inform(self, path: str) -> Informer:
        return Informer(self._server, path, self._woken)

    def _woken(self) -> None:
        self._wake.set()
        self._changed()

    def wake(self) -> None:
        """Note that InferencePools or nodes changed."""
        self._wake.set()

    def _zones(self) -> set[str]:
        nodes = self._nodes.objects() if self._nodes else ()
        labels = ((one["metadata"].get("labels") or {}).get(_ZONE) for one in nodes)
        return {zone for zone in labels if zone}

    def start(self) -> None:
        """Start the controllers."""
        self._tasks = [asyncio.create_task(informer.run()) for informer in self._informers]
        self._tasks.append(asyncio.create_task(self._run()))

    async def stop(self) -> None:
        """Stop the controllers. Resources stay."""
        await tasks.end(self._tasks)

    async def _run(self) -> None:
        others = [one for one in (self._pools, self._nodes) if one is not None]
        for informer in [*self._informers, *others]:
            await informer.synced.wait()
        nginx = IngressNginx(self._server)
        gateways = Gateways(
            self._server, self._compute, cluster_uid=await self._uid(), location=self._location
        )

        async def once() -> float | None:
            await nginx.reconcile(
                self.ingresses.objects(),
                self.classes.objects(),
                self.deployments.objects(),
                self._services.objects(),
            )
            if self._has_gateways:
                await gateways.reconcile(self._seen())
                if (self.pickers, self.routers) != (gateways.pickers, gateways.routers):
                    self.pickers, self.routers = gateways.pickers, gateways.routers
                    self._changed()
            return AGAIN if gateways.has_failures else None

        await reconcile_loop("ingresses and gateways", self._wake, once)

    def _seen(self) -> Snapshot:
        return Snapshot(
            gateways=self._gateways.objects(),
            routes=self._routes.objects(),
            health_checks=self._checks.objects(),
            backend_policies=self._policies.objects(),
            services={
                (one["metadata"]["namespace"], one["metadata"]["name"]): one
                for one in self._services.objects()
            },
            workloads=[*self.deployments.objects(), *self._stateful_sets.objects()],
            namespaces={
                one["metadata"]["name"]: one["metadata"].get("labels") or {}
                for one in self._namespaces.objects()
            },
            pools={
                (one["metadata"]["namespace"], inference_pools.named(_reference(one))): one
                for one in (self._pools.objects() if self._pools else ())
            },
            zones=tuple(sorted(self._zones())),
            extensions=self._extensions.objects(),
        )


def _reference(pool: Json) -> Json:
    name = pool["metadata"]["name"]
    return {"group": inference_pools.GROUP, "kind": inference_pools.KIND, "name": name}
