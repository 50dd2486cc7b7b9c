"""Runs the Ingress and Gateway controllers of one cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sandbox.kubernetes import gateway_api
from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.controllers.compute import Compute
from sandbox.kubernetes.controllers.gateways import Gateways, Snapshot
from sandbox.kubernetes.controllers.informer import Informer
from sandbox.kubernetes.controllers.ingress_nginx import IngressNginx
from sandbox.kubernetes.controllers.reconcile_loop import reconcile_loop


class HttpControllers:
    """The Ingress controller of one cluster, and the Gateway controller if its API is installed."""

    def __init__(
        self,
        server: ApiServer,
        compute: Compute,
        *,
        uid: Callable[[], Awaitable[str]],
        network: str,
        node_tag: str,
        has_gateways: bool,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`network` and `node_tag` are those of the nodes.

        `changed` is called with every change of the objects that it watches.
        """
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
        self._network, self._node_tag = network, node_tag
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
        self._tasks: list[asyncio.Task[None]] = []

    def _inform(self, path: str) -> Informer:
        return Informer(self._server, path, self._woken)

    def _woken(self) -> None:
        self._wake.set()
        self._changed()

    def start(self) -> None:
        """Start the controllers."""
        self._tasks = [asyncio.create_task(informer.run()) for informer in self._informers]
        self._tasks.append(asyncio.create_task(self._run()))

    async def stop(self) -> None:
        """Stop the controllers. Resources stay."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self) -> None:
        for informer in self._informers:
            await informer.synced.wait()
        nginx = IngressNginx(self._server)
        gateways = Gateways(
            self._server,
            self._compute,
            cluster_uid=await self._uid(),
            network=self._network,
            node_tag=self._node_tag,
        )

        async def once() -> bool:
            await nginx.reconcile(
                self.ingresses.objects(),
                self.classes.objects(),
                self.deployments.objects(),
                self._services.objects(),
            )
            if self._has_gateways:
                await gateways.reconcile(self._seen())
            return gateways.has_failures

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
            deployments=self.deployments.objects(),
            namespaces={
                one["metadata"]["name"]: one["metadata"].get("labels") or {}
                for one in self._namespaces.objects()
            },
        )
