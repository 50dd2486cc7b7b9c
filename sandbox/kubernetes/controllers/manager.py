"""The controllers of one cluster: they look when something changed, and now and then besides."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import httpx

from sandbox.kubernetes.api_server import ApiServer, ApiServerError
from sandbox.kubernetes.controllers.compute import Compute
from sandbox.kubernetes.controllers.endpoint_groups import EndpointGroups
from sandbox.kubernetes.controllers.entrances import Entrances
from sandbox.kubernetes.controllers.informer import Informer
from sandbox.kubernetes.controllers.load_balancers import LoadBalancers
from sandbox.kubernetes.controllers.looking import look
from sandbox.kubernetes.controllers.metrics_adapter import MetricsAdapter
from sandbox.kubernetes.controllers.postgres import Postgres
from sandbox.kubernetes.controllers.volumes import Volumes
from sandbox.kubernetes.folder import Folder
from sandbox.kubernetes.scaling.autoscaler import Autoscaler, Scaling


class Controllers:
    """What GKE runs in one cluster."""

    def __init__(
        self,
        server: ApiServer,
        *,
        api: Callable[[], str],
        network: str,
        subnetwork: str,
        scaling: Scaling,
        folder: Folder,
        operator: Path | None,
        has_gateways: bool,
    ) -> None:
        """`operator` is the folder of the Postgres operator's binary; None: there is none."""
        self._cluster = folder.key
        self._server = server
        self._api = api
        self._compute = Compute(api, folder.key.project)
        self._network = network
        self._subnetwork = subnetwork
        self._wake = asyncio.Event()
        self._services = Informer(server, "/api/v1/services", self._wake.set)
        slices = "/apis/discovery.k8s.io/v1/endpointslices"
        self._slices = Informer(server, slices, self._wake.set)
        self._nodes = Informer(server, "/api/v1/nodes", self._wake.set)
        self._scaling = scaling
        self._autoscaler = Autoscaler(folder.key, server, api=api, scaling=scaling)
        self._folder = folder
        self._operator = operator
        self._metrics = MetricsAdapter(server, pki=folder.state / "pki")
        self._volumes = Volumes(server, project=folder.key.project)
        self._postgres = Postgres(server, folder=folder, binaries=operator)
        self.has_gateways = has_gateways
        """Whether they act on the Gateway API."""
        self._entrances = Entrances(server, self._compute, uid=self._uid, has_gateways=has_gateways)
        self._tasks: list[asyncio.Task[None]] = []

    def again(self, server: ApiServer) -> Controllers:
        """Return the same for a control plane that has come up anew."""
        return Controllers(
            server,
            api=self._api,
            network=self._network,
            subnetwork=self._subnetwork,
            scaling=self._scaling,
            folder=self._folder,
            operator=self._operator,
            has_gateways=self.has_gateways,
        )

    def start(self) -> None:
        """Begin."""
        informers = (self._services, self._slices, self._nodes)
        self._tasks = [asyncio.create_task(informer.run()) for informer in informers]
        self._tasks.append(asyncio.create_task(self._run()))
        self._autoscaler.start()
        self._metrics.start()
        self._volumes.start()
        self._postgres.start()
        self._entrances.start()

    async def stop(self) -> None:
        """End; what was made stays."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._autoscaler.stop()
        await self._metrics.stop()
        await self._volumes.stop()
        await self._postgres.stop()
        await self._entrances.stop()
        await self._compute.close()

    async def _run(self) -> None:
        for informer in (self._services, self._slices, self._nodes):
            await informer.synced.wait()
        uid = await self._uid()
        balancers = LoadBalancers(
            self._server,
            self._compute,
            region=_region(self._cluster.location),
            network=self._network,
            subnetwork=self._subnetwork,
        )
        groups = EndpointGroups(
            self._server,
            self._compute,
            cluster_uid=uid,
            network=self._network,
            subnetwork=self._subnetwork,
        )

        async def once() -> bool:
            services = self._services.objects()
            await groups.reconcile(services, self._slices.objects(), self._nodes.objects())
            await balancers.reconcile(services)
            return groups.has_leftovers or balancers.has_failures

        await look(str(self._cluster), self._wake, once)

    async def _uid(self) -> str:
        """The cluster's uid: that of kube-system, as everywhere."""
        while True:
            with contextlib.suppress(ApiServerError, httpx.HTTPError, OSError):
                namespace = await self._server.get("/api/v1/namespaces/kube-system")
                if namespace is not None:
                    return str(namespace["metadata"]["uid"])
            await asyncio.sleep(0.5)


def _region(location: str) -> str:
    """A zone's region: `europe-west4-a` → `europe-west4`; a region is its own."""
    head, _, tail = location.rpartition("-")
    return head if len(tail) == 1 else location
