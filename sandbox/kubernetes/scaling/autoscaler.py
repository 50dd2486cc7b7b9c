"""The cluster autoscaler of one cluster.

It does what GKE's does, through the same call: it resizes the managed instance groups of pools that
autoscale. Pods that wait learn from an event whether a node is coming for them. Where the cluster
provisions pools by itself, it asks for one that fits, and lets go of what is empty. Not done here:
consolidation of several nodes at a time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from sandbox.kubernetes.api_server import ApiServer, ApiServerError
from sandbox.kubernetes.controllers.compute import Compute, ComputeError
from sandbox.kubernetes.controllers.events import Events
from sandbox.kubernetes.controllers.informer import Informer
from sandbox.kubernetes.scaling import plan
from sandbox.kubernetes.scaling.pods import is_unschedulable
from sandbox.kubernetes.specs import ClusterKey, Provisioner, ScalingGroup, ScalingPool

Json = dict[str, Any]
_log = logging.getLogger("sandbox.kubernetes.scaling")
_SCAN = 1.0  # seconds between two looks; GKE's is 10
_FAILED = 5.0
_BUDGETS = "/apis/policy/v1/poddisruptionbudgets"
UNNEEDED = 600.0
"""Seconds that a node must be idle before it goes, as on GKE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """What an autoscaler goes by; both are asked anew at each look."""

    pools: Callable[[], Sequence[ScalingPool]] = tuple
    unneeded_seconds: Callable[[], float] = lambda: UNNEEDED
    provisioner: Provisioner | None = None


class Autoscaler:
    """Grows and shrinks the node pools of one cluster until it is stopped."""

    def __init__(
        self,
        cluster: ClusterKey,
        server: ApiServer,
        *,
        api: Callable[[], str],
        scaling: Scaling,
    ) -> None:
        self._cluster = cluster
        self._server = server
        self._compute = Compute(api, cluster.project)
        self._scaling = scaling
        self._events = Events(server, "cluster-autoscaler", kind="Pod")
        self._changed = asyncio.Event()
        self._nodes = Informer(server, "/api/v1/nodes", self._changed.set)
        self._pods = Informer(server, "/api/v1/pods", self._changed.set)
        self._idle_since: dict[str, float] = {}
        self._empty_since: dict[str, float] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        work = (self._nodes.run(), self._pods.run(), self._run())
        self._tasks = [asyncio.create_task(one) for one in work]

    async def stop(self) -> None:
        """End; the pools stay as they are."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._compute.close()

    async def _run(self) -> None:
        await self._nodes.synced.wait()
        await self._pods.synced.wait()
        while True:
            pause = _SCAN
            try:
                await self._look()
            except (ApiServerError, ComputeError, httpx.HTTPError, OSError) as error:
                _log.info("%s: %s; again in %.0f s", self._cluster, error, _FAILED)
                pause = _FAILED
            except Exception:
                _log.exception("%s: the autoscaler failed", self._cluster)
                pause = _FAILED
            await asyncio.sleep(pause)

    async def _look(self) -> None:
        pools = self._scaling.pools()
        if not pools and self._scaling.provisioner is None:
            return
        nodes, pods = self._nodes.objects(), self._pods.objects()
        if any(is_unschedulable(pod) for pod in pods):
            self._idle_since.clear()
            self._empty_since.clear()
            if self._has_all(pools, nodes):
                wanted = plan.scale_up(pools, nodes, pods)
                if wanted.hopeless:
                    self._provision(wanted, pools, nodes, pods)
                await self._grow(wanted)
            return
        await self._shrink(pools, nodes, pods)
        self._let_go(pools)

    def _provision(
        self,
        wanted: plan.Plan,
        pools: Sequence[ScalingPool],
        nodes: Sequence[Json],
        pods: Sequence[Json],
    ) -> None:
        """Ask for pools that the hopeless would fit; for whom one comes, is hopeless no more."""
        provisioner = self._scaling.provisioner
        new = list(provisioner.candidates()) if provisioner is not None else []
        if provisioner is None or not new:
            return
        better = plan.scale_up([*pools, *new], nodes, pods)
        for pool in new:
            if any(better.growth[group] for group in pool.groups):
                _log.info("%s: a pool is made: %s", self._cluster, pool.name)
                provisioner.make(pool.name)
        still = {pod["metadata"]["uid"] for pod, _ in better.hopeless}
        wanted.hopeless[:] = [one for one in wanted.hopeless if one[0]["metadata"]["uid"] in still]

    def _let_go(self, pools: Sequence[ScalingPool]) -> None:
        """Drop what was provisioned and has been empty for long enough."""
        now = time.monotonic()
        empty = [p.name for p in pools if p.is_auto and not any(g.size for g in p.groups)]
        self._empty_since = {name: self._empty_since.get(name, now) for name in empty}
        for name, since in self._empty_since.items():
            if self._scaling.provisioner and now - since >= self._scaling.unneeded_seconds():
                _log.info("%s: an empty pool goes: %s", self._cluster, name)
                self._scaling.provisioner.drop(name)
                return

    def _has_all(self, pools: Sequence[ScalingPool], nodes: Sequence[Json]) -> bool:
        """Whether every node that was asked for is there: until then nothing more is asked."""
        present = {node["metadata"]["name"] for node in nodes}
        groups = [group for pool in pools for group in pool.groups]
        return all(not group.last_node or group.last_node in present for group in groups)

    async def _grow(self, wanted: plan.Plan) -> None:
        for group, added in wanted.growth.items():
            await self._resize(group, group.size + added)
        for pod, group in wanted.helped:
            size = group.size + wanted.growth[group]
            name = group.path.rpartition("/")[2]
            text = f"pod triggered scale-up: [{{{name} {group.size}->{size}}}]"
            await self._events.say(pod, "Normal", "TriggeredScaleUp", text)
        for pod, reasons in wanted.hopeless:
            text = f"pod didn't trigger scale-up: {reasons}"
            await self._events.say(pod, "Normal", "NotTriggerScaleUp", text)

    async def _shrink(
        self, pools: Sequence[ScalingPool], nodes: Sequence[Json], pods: Sequence[Json]
    ) -> None:
        budgets = (await self._server.list(_BUDGETS))["items"] if self._may_shrink(pools) else []
        idle: Mapping[str, ScalingGroup] = plan.idle(pools, nodes, pods, budgets)
        now = time.monotonic()
        self._idle_since = {name: self._idle_since.get(name, now) for name in idle}
        for name, group in idle.items():
            if now - self._idle_since[name] >= self._scaling.unneeded_seconds():
                # One at a time: where its pods go, the next one may be needed.
                await self._resize(group, group.size - 1)
                return

    def _may_shrink(self, pools: Sequence[ScalingPool]) -> bool:
        return any(group.size for pool in pools for group in pool.groups)

    async def _resize(self, group: ScalingGroup, size: int) -> None:
        _log.info("%s: %s from %d to %d nodes", self._cluster, group.path, group.size, size)
        await self._compute.request("POST", f"{group.path}/resize?size={size}")
