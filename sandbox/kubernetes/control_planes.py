"""The control planes of all clusters: create, start, stop, delete, and set nodes.

A control plane is real: etcd, API server, controller manager, scheduler and metrics-server, with
KWOK in place of machines. Its processes are detached and end only with `stop` and `delete`.
The container API holds the cluster records; this module only runs them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sandbox.home import Home
from sandbox.kubernetes import boot, compute_classes, defaults, nodes, processes
from sandbox.kubernetes import gateway_api as gateway_definitions
from sandbox.kubernetes import managed_prometheus as managed_collection
from sandbox.kubernetes import secret_sync as secret_sync_definitions
from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.cluster_objects import ClusterObjects
from sandbox.kubernetes.controllers import Controllers
from sandbox.kubernetes.early_boots import PATIENCE, EarlyBoots
from sandbox.kubernetes.features import NONE, Features
from sandbox.kubernetes.folder import Folder, Settings
from sandbox.kubernetes.managed_prometheus import Measured
from sandbox.kubernetes.removal import remove
from sandbox.kubernetes.scaling.autoscaler import UNNEEDED, Scaling
from sandbox.kubernetes.specs import (
    POD_CIDR,
    SERVICE_CIDR,
    ClusterKey,
    ControlPlaneError,
    Endpoint,
    NodeSpec,
    Provisioner,
    ScalingGroup,
    ScalingPool,
)
from sandbox.traffic.metrics.managed_service import ManagedService

__all__ = [
    "ClusterKey",
    "ControlPlaneError",
    "ControlPlanes",
    "Endpoint",
    "NodeSpec",
    "ScalingGroup",
    "ScalingPool",
]

BACKED_UP = (
    "/api/v1/configmaps",
    "/api/v1/persistentvolumeclaims",
    "/api/v1/pods",
    "/api/v1/secrets",
    "/api/v1/serviceaccounts",
    "/api/v1/services",
    "/apis/apps/v1/daemonsets",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/statefulsets",
    "/apis/autoscaling/v2/horizontalpodautoscalers",
    "/apis/networking.k8s.io/v1/networkpolicies",
    "/apis/policy/v1/poddisruptionbudgets",
)
"""Collections that `contents` counts."""


class ControlPlanes:
    """The control planes of one sandbox. The daemon has one instance."""

    def __init__(
        self,
        home: Path,
        *,
        binaries: Path,
        token: str,
        modules: Mapping[str, Path],
        api: Callable[[], str],
    ) -> None:
        self._clusters = home / "clusters"
        self._binaries = binaries
        self._token = token
        self._modules = modules
        self._api = api
        self.metrics = ManagedService(Home(home), api=api)
        """Managed Service for Prometheus, of all projects."""
        self._locks: defaultdict[ClusterKey, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._servers: dict[ClusterKey, ApiServer] = {}
        self._controllers: dict[ClusterKey, Controllers] = {}
        self._scaling: defaultdict[ClusterKey, dict[str, ScalingPool]] = defaultdict(dict)
        """Clusters with managed collection of metrics."""
        self.changed: Callable[[], None] = lambda: None
        """Called with every change of `objects`."""
        self.unneeded_seconds = UNNEEDED
        """Seconds that a node must be idle before its pool shrinks."""
        self._early = EarlyBoots(self._boot, self.unexpect)

    def clusters(self) -> list[ClusterKey]:
        """Return the clusters with a control plane, running or not."""
        return sorted(
            ClusterKey.parse(path.parent.name) for path in self._clusters.glob("*/cluster.json")
        )

    def is_running(self, cluster: ClusterKey) -> bool:
        """Whether all components of a control plane run."""
        alive = set(processes.below(self._folder(cluster).path).values())
        return alive.issuperset(processes.COMPONENTS)

    async def create(
        self,
        cluster: ClusterKey,
        *,
        version: str,
        pod_cidr: str = POD_CIDR,
        service_cidr: str = SERVICE_CIDR,
    ) -> Endpoint:
        """Create a control plane, or start an existing one."""
        folder = self._folder(cluster)
        if folder.is_complete():
            return await self.start(cluster)
        async with self._locks[cluster]:
            settings = Settings(version=version, pod_cidr=pod_cidr, service_cidr=service_cidr)
            try:
                early = await self._early.take(cluster, service_cidr)
                if early is not None and self.is_running(cluster):
                    settings.ports = early.ports
                else:
                    await self._boot(folder, settings)
                folder.save(settings)
            except BaseException:
                await self._forget(cluster)
                remove(folder, keep_logs=True)
                raise
            return folder.endpoint(settings)

    def expect(
        self, cluster: ClusterKey, *, service_cidr: str = SERVICE_CIDR, patience: float = PATIENCE
    ) -> None:
        """Begin to boot the control plane of a cluster that will be created soon.

        Does nothing for a cluster that has one. Without `create` within `patience` seconds it is
        ended.
        """
        folder = self._folder(cluster)
        if folder.is_complete() or cluster in self._early or self._locks[cluster].locked():
            return
        self._early.begin(folder, Settings(version="", service_cidr=service_cidr), patience)

    async def unexpect(self, cluster: ClusterKey) -> None:
        """End a control plane that was expected and not asked for."""
        async with self._locks[cluster]:
            if cluster in self._early:
                await self._early.drop(cluster)
                await self._forget(cluster)
                await asyncio.to_thread(remove, self._folder(cluster))

    def expected(self) -> list[ClusterKey]:
        """The clusters whose control planes boot, or have booted, and were not asked for."""
        return self._early.clusters()

    async def start(self, cluster: ClusterKey) -> Endpoint:
        """Start a stopped or killed control plane, with all its objects."""
        folder = self._folder(cluster)
        async with self._locks[cluster]:
            settings = folder.load()
            before = dict(settings.ports)
            controllers: Controllers | None = None
            if not self.is_running(cluster) or not await self._server(folder, settings).is_ready():
                # They use the client that is replaced here.
                controllers = self._controllers.pop(cluster, None)
                if controllers is not None:
                    await controllers.stop()
                await self._forget(cluster)
                await self._bring_up(folder, settings)
                if settings.ports != before or settings.stopped:
                    settings.stopped = False
                    folder.save(settings)
                if settings.ports["kwok-controller"] != before["kwok-controller"]:
                    kubelet = settings.ports["kwok-controller"]
                    await nodes.set_kubelet_port(self._server(folder, settings), kubelet)
                if controllers is not None:
                    revived = controllers.again(self._server(folder, settings))
                    self._controllers[cluster] = revived
                    revived.start()
            return folder.endpoint(settings)

    async def stop(self, cluster: ClusterKey) -> None:
        """Stop a control plane's processes. Its objects stay on disk."""
        folder = self._folder(cluster)
        await self.unexpect(cluster)
        await self.stop_controllers(cluster)
        async with self._locks[cluster]:
            await self._forget(cluster)
            await asyncio.to_thread(processes.end_all, folder.path)

    async def delete(self, cluster: ClusterKey) -> None:
        """Stop a control plane and delete its data. Does nothing if there is none."""
        folder = self._folder(cluster)
        await self.unexpect(cluster)
        await self.stop_controllers(cluster)
        async with self._locks[cluster]:
            await self._forget(cluster)
            await asyncio.to_thread(remove, folder)

    async def set_nodes(self, cluster: ClusterKey, pool: str, wanted: Sequence[NodeSpec]) -> None:
        """Set a node pool's nodes. Pods of removed nodes are evicted first."""
        folder = self._folder(cluster)
        settings = folder.load()
        await nodes.set_nodes(
            self._server(folder, settings),
            pool,
            wanted,
            project=cluster.project,
            version=settings.version,
            pod_cidr=settings.pod_cidr,
            kubelet_port=settings.ports["kwok-controller"],
        )

    def set_scaling(self, cluster: ClusterKey, pool: str, scaling: ScalingPool | None) -> None:
        """Set a node pool's autoscaling limits; None turns autoscaling off."""
        if scaling is None:
            self._scaling[cluster].pop(pool, None)
        else:
            self._scaling[cluster][pool] = scaling

    async def contents(self, cluster: ClusterKey) -> dict[str, dict[str, int]]:
        """Count objects by namespace and kind. Empty if the control plane does not run."""
        folder = self._folder(cluster)
        if not folder.is_complete() or not self.is_running(cluster):
            return {}
        server = self._server(folder, folder.load())
        counts: dict[str, dict[str, int]] = defaultdict(dict)
        for path in BACKED_UP:
            kind = path.rpartition("/")[2]
            for item in (await server.list(path))["items"]:
                namespace = item["metadata"]["namespace"]
                counts[namespace][kind] = counts[namespace].get(kind, 0) + 1
        return dict(counts)

    async def start_controllers(
        self,
        cluster: ClusterKey,
        *,
        network: str,
        subnetwork: str,
        node_tag: str = "",
        features: Features = NONE,
        provisioner: Provisioner | None = None,
    ) -> None:
        """Start GKE's own controllers for a cluster; its nodes have the network tag `node_tag`."""
        await self.stop_controllers(cluster)
        folder = self._folder(cluster)
        server = self._server(folder, folder.load())
        if features.gateway_api:
            await gateway_definitions.install(
                server, self._modules, has_pools=features.inference_pools
            )
        await compute_classes.install(server)
        if features.secret_sync:
            await secret_sync_definitions.install(server)
        if features.managed_prometheus:
            await managed_collection.install(server)
        if features.filestore:
            await defaults.apply(server, "filestore")
        scaling = Scaling(
            pools=lambda: list(self._scaling[cluster].values()),
            unneeded_seconds=lambda: self.unneeded_seconds,
            provisioner=provisioner,
        )
        controllers = Controllers(
            server,
            api=self._api,
            network=network,
            subnetwork=subnetwork,
            node_tag=node_tag,
            scaling=scaling,
            folder=folder,
            features=features,
            metrics=self.metrics,
            changed=self._notify,
        )
        self._controllers[cluster] = controllers
        controllers.start()

    def features(self, cluster: ClusterKey) -> Features:
        """The features of a cluster's running controllers; none if they do not run."""
        controllers = self._controllers.get(cluster)
        return NONE if controllers is None else controllers.features

    def objects(self) -> list[ClusterObjects]:
        """What decides where requests go, of every cluster whose objects are known."""
        found = (controllers.objects() for controllers in self._controllers.values())
        return [one for one in found if one is not None]

    def _notify(self) -> None:
        self.changed()

    async def measured(self, project: str) -> list[Measured]:
        """What annotations in a project's running clusters say that Google's services measure."""
        found: list[Measured] = []
        for key in self._controllers:
            if key.project == project and self._folder(key).is_complete():
                server = self._server(self._folder(key), self._folder(key).load())
                found += await managed_collection.reported(server)
        return found

    async def stop_controllers(self, cluster: ClusterKey) -> None:
        """Stop a cluster's controllers. Resources that they created stay."""
        if controllers := self._controllers.pop(cluster, None):
            await controllers.stop()

    async def close(self) -> None:
        """Stop all controllers and close connections. Control planes of clusters keep running."""
        for cluster in self.expected():
            await self.unexpect(cluster)
        for cluster in [*self._controllers, *self._servers]:
            await self.stop_controllers(cluster)
            await self._forget(cluster)
        await self.metrics.stop()

    async def _boot(self, folder: Folder, settings: Settings) -> None:
        """Bring up a new control plane, with the objects that every cluster has."""
        await self._forget(folder.key)
        await asyncio.to_thread(remove, folder)  # left by an interrupted create
        await self._bring_up(folder, settings)
        await defaults.apply(self._server(folder, settings))

    async def _bring_up(self, folder: Folder, settings: Settings) -> None:
        await boot.bring_up(
            folder, settings, binaries=self._binaries, modules=self._modules, token=self._token
        )

    def _folder(self, cluster: ClusterKey) -> Folder:
        return Folder(self._clusters / str(cluster), cluster)

    def _server(self, folder: Folder, settings: Settings) -> ApiServer:
        if folder.key not in self._servers:
            self._servers[folder.key] = ApiServer(
                settings.ports["api"],
                ca=folder.state / "pki" / "ca.crt",
                token=self._token,
                agent="gke",
            )
        return self._servers[folder.key]

    async def _forget(self, cluster: ClusterKey) -> None:
        if server := self._servers.pop(cluster, None):
            await server.close()
