"""The cluster autoscaler of one cluster.

It does what GKE's does, through the same call: it resizes the managed instance groups of pools that
autoscale. Pods that wait learn from an event whether a node is coming for them. Not done here: node
auto-provisioning's new pools, and consolidation of several nodes at a time.
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
from sandbox.kubernetes.specs import ClusterKey, ScalingGroup, ScalingPool

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
        if not pools:
            return
        nodes, pods = self._nodes.objects(), self._pods.objects()
        if any(is_unschedulable(pod) for pod in pods):
            self._idle_since.clear()
            if self._has_all(pools, nodes):
                await self._grow(plan.scale_up(pools, nodes, pods))
            return
        await self._shrink(pools, nodes, pods)

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
