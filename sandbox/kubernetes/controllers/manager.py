"""Starts, runs and stops the controllers of one cluster."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import httpx

from sandbox import tasks
from sandbox.kubernetes import gateway_api
from sandbox.kubernetes.api_server import ApiServer, ApiServerError
from sandbox.kubernetes.cluster_objects import ClusterObjects
from sandbox.kubernetes.controllers import inference_pools
from sandbox.kubernetes.controllers.caller_gateways import CallerGateways
from sandbox.kubernetes.controllers.compute import Compute
from sandbox.kubernetes.controllers.endpoint_groups import EndpointGroups
from sandbox.kubernetes.controllers.filestore import Filestore
from sandbox.kubernetes.controllers.gateway_snapshot import Location
from sandbox.kubernetes.controllers.http_controllers import HttpControllers
from sandbox.kubernetes.controllers.inference_callouts import InferenceCallouts
from sandbox.kubernetes.controllers.informer import Informer
from sandbox.kubernetes.controllers.keda import Keda
from sandbox.kubernetes.controllers.leader_worker_sets import LeaderWorkerSets
from sandbox.kubernetes.controllers.load_balancers import LoadBalancers
from sandbox.kubernetes.controllers.pod_monitorings import PodMonitorings
from sandbox.kubernetes.controllers.pod_programs import RunsPrograms
from sandbox.kubernetes.controllers.postgres import Postgres
from sandbox.kubernetes.controllers.readiness_gates import ReadinessGates
from sandbox.kubernetes.controllers.reconcile_loop import AGAIN, reconcile_loop
from sandbox.kubernetes.controllers.secret_syncs import SecretSyncs
from sandbox.kubernetes.controllers.volumes import Volumes
from sandbox.kubernetes.features import Features
from sandbox.kubernetes.folder import Folder
from sandbox.kubernetes.scaling.autoscaler import Autoscaler, Scaling
from sandbox.traffic.metrics.managed_service import ManagedService


class Controllers:
    """The controllers that GKE runs for one cluster."""

    def __init__(  # noqa: PLR0913 (what they share with the other clusters)
        self,
        server: ApiServer,
        *,
        api: Callable[[], str],
        network: str,
        subnetwork: str,
        node_tag: str,
        scaling: Scaling,
        folder: Folder,
        features: Features,
        metrics: ManagedService,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`changed` is called with every change of `objects`."""
        self._cluster = folder.key
        self._server = server
        self._api = api
        self._compute = Compute(api, folder.key.project)
        self._network = network
        self._subnetwork = subnetwork
        self._node_tag = node_tag
        self._wake = asyncio.Event()
        self._changed = changed
        self._services = Informer(server, "/api/v1/services", self._woken)
        slices = "/apis/discovery.k8s.io/v1/endpointslices"
        self._slices = Informer(server, slices, self._woken)
        self._nodes = Informer(server, "/api/v1/nodes", self._woken)
        self._gates_wake = asyncio.Event()
        self._pods = Informer(server, "/api/v1/pods", self._pods_changed)
        self._pools = (
            Informer(server, gateway_api.INFERENCE_POOLS, self._woken)
            if features.inference_pools
            else None
        )
        self._callouts = InferenceCallouts(
            server,
            folder=folder,
            dial_plan=metrics.dial_plan,
            pods=self._pods.objects,
            services=self._services.objects,
            changed=changed,
        )
        self._callers = CallerGateways(
            server,
            folder=folder,
            dial_plan=metrics.dial_plan,
            pods=self._pods.objects,
            services=self._services.objects,
            slices=self._slices.objects,
            callout=self._callouts.ready,
        )
        self._scaling = scaling
        self._autoscaler = Autoscaler(folder.key, server, api=api, scaling=scaling, pods=self._pods)
        self._folder = folder
        self._keda = Keda(
            server,
            api=api,
            folder=folder,
            pods=self._pods.objects,
            services=self._services.objects,
            proxy_port=folder.load().ports.get("service-proxy"),
        )
        self._groups = LeaderWorkerSets(
            server, folder=folder, proxy=self._keda.proxy, pods=self._pods.objects
        )
        self._volumes = Volumes(
            server,
            project=folder.key.project,
            filestore=Filestore(api, folder.key.project) if features.filestore else None,
        )
        self._postgres = Postgres(server, folder=folder, pods=self._pods.objects)
        self._run_programs: tuple[RunsPrograms, ...] = (
            self._callouts, self._callers, self._groups, self._keda, self._postgres
        )  # fmt: skip
        self.features = features
        self._http_controllers = HttpControllers(
            server,
            self._compute,
            uid=self._uid,
            has_gateways=features.gateway_api,
            location=Location(
                region=_region(folder.key.location),
                network=network,
                subnetwork=subnetwork,
                node_tag=node_tag,
            ),
            pools=self._pools,
            nodes=self._nodes,
            changed=changed,
        )
        self._secret_syncs = (
            SecretSyncs(server, api=api, project=folder.key.project)
            if features.secret_sync
            else None
        )
        self._metrics = metrics
        self._pod_monitorings = (
            PodMonitorings(
                server,
                key=folder.key,
                plan=metrics.dial_plan,
                programs=self._callouts.metrics,
                service=metrics,
            )
            if features.managed_prometheus
            else None
        )
        self._tasks: list[asyncio.Task[None]] = []

    def again(self, server: ApiServer) -> Controllers:
        """Return the same controllers for a restarted control plane."""
        return Controllers(
            server,
            api=self._api,
            network=self._network,
            subnetwork=self._subnetwork,
            node_tag=self._node_tag,
            scaling=self._scaling,
            folder=self._folder,
            features=self.features,
            metrics=self._metrics,
            changed=self._changed,
        )

    def objects(self) -> ClusterObjects | None:
        """What the informers hold now; None before they have listed everything."""
        http = self._http_controllers
        informers = (
            self._services, self._slices, self._nodes, http.ingresses, http.classes,
            http.deployments, http.certificates,
        )  # fmt: skip
        if not all(one.synced.is_set() for one in informers):
            return None
        return ClusterObjects(
            cluster=self._cluster,
            services=self._services.objects(),
            slices=self._slices.objects(),
            nodes=self._nodes.objects(),
            ingresses=http.ingresses.objects(),
            classes=http.classes.objects(),
            deployments=http.deployments.objects(),
            certificates=http.certificates.objects(),
            pickers=self._callouts.pickers(http.pickers),
            routers=self._callouts.routers(http.routers),
        )

    def _woken(self) -> None:
        self._wake.set()
        if self._pools is not None:
            self._http_controllers.wake()
        self._changed()

    def _pods_changed(self) -> None:
        self._gates_wake.set()
        for controller in self._run_programs:
            controller.wake()
        if self._pools is not None and self._pools.objects():
            self._wake.set()  # their groups have pods that no Service selects

    def start(self) -> None:
        """Start the controllers."""
        informers = [self._services, self._slices, self._nodes, self._pods]
        if self._pools is not None:
            informers.append(self._pools)
        self._tasks = [asyncio.create_task(informer.run()) for informer in informers]
        for controller in self._run_programs:
            controller.start()
        self._tasks.append(asyncio.create_task(self._run()))
        self._autoscaler.start()
        self._volumes.start()
        self._http_controllers.start()
        if self._secret_syncs:
            self._secret_syncs.start()
        if self._pod_monitorings:
            self._pod_monitorings.start()

    async def stop(self) -> None:
        """Stop the controllers. Resources stay."""
        await tasks.end(self._tasks)
        await self._autoscaler.stop()
        for controller in self._run_programs:
            await controller.stop()
        await self._volumes.stop()
        await self._http_controllers.stop()
        if self._secret_syncs:
            await self._secret_syncs.stop()
        if self._pod_monitorings:
            await self._pod_monitorings.stop()
        await self._compute.close()

    async def _run(self) -> None:
        pools = (self._pools,) if self._pools is not None else ()
        for informer in (self._services, self._slices, self._nodes, self._pods, *pools):
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
        gates = ReadinessGates(
            self._server,
            self._compute,
            cluster_uid=uid,
            services=self._services.objects,
            pods=self._pods.objects,
            nodes=self._nodes.objects,
        )
        self._tasks.append(asyncio.create_task(gates.run(self._gates_wake)))

        async def once() -> float | None:
            services = self._services.objects()
            found = self._pools.objects() if self._pools is not None else []
            await groups.reconcile(
                [*services, *(inference_pools.as_service(one, uid) for one in found)],
                [
                    *self._slices.objects(),
                    *(inference_pools.as_slice(one, self._pods.objects()) for one in found),
                ],
                self._nodes.objects(),
            )
            self._gates_wake.set()
            await balancers.reconcile(services)
            return AGAIN if groups.has_leftovers or balancers.has_failures else None

        await reconcile_loop(str(self._cluster), self._wake, once)

    async def _uid(self) -> str:
        """Return the cluster's uid: the uid of namespace kube-system."""
        while True:
            with contextlib.suppress(ApiServerError, httpx.HTTPError, OSError):
                namespace = await self._server.get("/api/v1/namespaces/kube-system")
                if namespace is not None:
                    return str(namespace["metadata"]["uid"])
            await asyncio.sleep(0.5)


def _region(location: str) -> str:
    """Return the region of a zone or region: `europe-west4-a` → `europe-west4`."""
    head, _, tail = location.rpartition("-")
    return head if len(tail) == 1 else location
