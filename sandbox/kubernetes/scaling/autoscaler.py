"""The cluster autoscaler of one cluster.

Like GKE's, it resizes the managed instance groups of autoscaled pools, and reports to pending pods
by events. With node auto-provisioning, and for compute classes, it also creates fitting pools and
deletes empty ones. It does not consolidate several nodes at a time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from sandbox import tasks
from sandbox.kubernetes.api_server import ApiServer, ApiServerError
from sandbox.kubernetes.compute_classes import CLASSES
from sandbox.kubernetes.controllers.compute import Compute, ComputeError
from sandbox.kubernetes.controllers.events import Events
from sandbox.kubernetes.controllers.informer import Informer
from sandbox.kubernetes.scaling import class_health, classes, migration, plan, removal
from sandbox.kubernetes.scaling.backoff import Backoff, failure
from sandbox.kubernetes.scaling.leaving import Leaving
from sandbox.kubernetes.scaling.pods import is_unschedulable
from sandbox.kubernetes.specs import ClusterKey, Provisioner, ScalingGroup, ScalingPool
from sandbox.well_known_types import timestamp

Json = dict[str, Any]
_log = logging.getLogger("sandbox.kubernetes.scaling")
_SCAN = 1.0  # seconds between iterations; 10 on GKE
_FAILED = 5.0
_BUDGETS = "/apis/policy/v1/poddisruptionbudgets"
UNNEEDED = 600.0
"""Seconds that a node must be idle before it is removed, as on GKE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Inputs of an autoscaler; both are evaluated at each iteration."""

    pools: Callable[[], Sequence[ScalingPool]] = tuple
    unneeded_seconds: Callable[[], float] = lambda: UNNEEDED
    provisioner: Provisioner | None = None


class Autoscaler:
    """Scales the node pools of one cluster until it is stopped."""

    def __init__(
        self,
        cluster: ClusterKey,
        server: ApiServer,
        *,
        api: Callable[[], str],
        scaling: Scaling,
        pods: Informer,
    ) -> None:
        """`pods` are those of the cluster; their informer runs elsewhere."""
        self._cluster = cluster
        self._server = server
        self._compute = Compute(api, cluster.project)
        self._scaling = scaling
        self._events = Events(server, "cluster-autoscaler", kind="Pod")
        self._changed = asyncio.Event()
        self._nodes = Informer(server, "/api/v1/nodes", self._changed.set)
        self._pods = pods
        self._classes = Informer(server, CLASSES, self._changed.set)
        self._leaving = Leaving(server)
        self._idle_since: dict[str, float] = {}
        self._empty_since: dict[str, float] = {}
        self._backoff = Backoff()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the loop."""
        work = (self._nodes.run(), self._classes.run(), self._run())
        self._tasks = [asyncio.create_task(one) for one in work]

    async def stop(self) -> None:
        """Stop the loop. The pools keep their sizes."""
        await tasks.end(self._tasks)
        await self._compute.close()

    async def _run(self) -> None:
        await self._nodes.synced.wait()
        await self._pods.synced.wait()
        await self._classes.synced.wait()
        while True:
            pause = _SCAN
            try:
                await self._reconcile()
            except (ApiServerError, ComputeError, httpx.HTTPError, OSError) as error:
                _log.info("%s: %s; again in %.0f s", self._cluster, error, _FAILED)
                pause = _FAILED
            except Exception:
                _log.exception("%s: the autoscaler failed", self._cluster)
                pause = _FAILED
            await asyncio.sleep(pause)

    async def _reconcile(self) -> None:
        pools = self._scaling.pools()
        if not pools and self._scaling.provisioner is None:
            return
        nodes, pods = self._nodes.objects(), self._pods.objects()
        known = classes.read(self._classes.objects())
        await self._report(pools, known)
        if group := await self._leaving.proceed(pools, nodes, pods):
            await self._resize(group, group.size - 1)
            self._leaving.removed(group.last_node)
            return  # the sizes have changed
        if any(is_unschedulable(pod) for pod in pods):
            self._idle_since.clear()
            self._empty_since.clear()
            if self._has_all(pools, nodes):
                backoff = self._backoff.groups(time.monotonic())
                new = self._candidates(known)
                wanted = plan.scale_up([*pools, *new], nodes, pods, backoff, known)
                self._provision(wanted, new)
                await self._grow(wanted)
            return
        if not await self._migrate(pools, nodes, pods, known):
            await self._shrink(pools, nodes, pods)
            self._drop_empty_pools(pools)

    async def _report(
        self, pools: Sequence[ScalingPool], known: Mapping[str, classes.ComputeClass]
    ) -> None:
        """Say in the status of each class whether it can be followed."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for one in self._classes.objects():
            name = one["metadata"]["name"]
            wanted = class_health.conditions(one, known[name], pools, now=now)
            if wanted is not None:
                await self._server.request(
                    "PATCH",
                    f"{CLASSES}/{name}/status",
                    {"status": {"conditions": wanted}},
                    content_type="application/merge-patch+json",
                )

    def _candidates(self, known: Mapping[str, classes.ComputeClass]) -> Sequence[ScalingPool]:
        """The pools that could be created now."""
        if self._scaling.provisioner is None:
            return ()
        rules = [rule for one in known.values() for rule in one.creatable]
        return self._scaling.provisioner.candidates(rules)

    def _provision(self, wanted: plan.Plan, new: Sequence[ScalingPool]) -> None:
        """Create the pools that a plan needs, and take them out of it: they grow later."""
        groups = {group for pool in new for group in pool.groups}
        for pool in new:
            if self._scaling.provisioner and any(wanted.growth[one] for one in pool.groups):
                _log.info("%s: creating pool %s", self._cluster, pool.name)
                self._scaling.provisioner.make(pool.name)
        for group in groups:
            del wanted.growth[group]
        wanted.helped[:] = [one for one in wanted.helped if one[1] not in groups]

    def _drop_empty_pools(self, pools: Sequence[ScalingPool]) -> None:
        """Delete auto-provisioned pools that have been empty for long enough."""
        now = time.monotonic()
        empty = [p.name for p in pools if p.is_auto and not any(g.size for g in p.groups)]
        self._empty_since = {name: self._empty_since.get(name, now) for name in empty}
        for name, since in self._empty_since.items():
            if self._scaling.provisioner and now - since >= self._scaling.unneeded_seconds():
                _log.info("%s: deleting empty pool %s", self._cluster, name)
                self._scaling.provisioner.drop(name)
                return

    async def _migrate(
        self,
        pools: Sequence[ScalingPool],
        nodes: Sequence[Json],
        pods: Sequence[Json],
        known: Mapping[str, classes.ComputeClass],
    ) -> bool:
        """Let pods return to what their classes prefer; whether something was done for it."""
        if not any(one.migrates for one in known.values()) or not self._has_all(pools, nodes):
            return False
        if migration.leaving(nodes):
            return True  # one node at a time
        budgets = (await self._server.list(_BUDGETS))["items"]
        backoff = self._backoff.groups(time.monotonic())
        # Only now, since they are many: pods return to pools that have yet to be created, too.
        creates = any(one.migrates and one.nodes is not None for one in known.values())
        new = self._candidates(known) if creates else ()
        everything = [*pools, *new]
        move = migration.next_move(everything, nodes, pods, budgets, classes=known, backoff=backoff)
        if move is None:
            return False
        if move.growth:
            wanted = plan.Plan(growth=move.growth)
            self._provision(wanted, new)
            await self._grow(wanted)
        else:
            await self._leaving.begin(move.node)
        return True

    def _has_all(self, pools: Sequence[ScalingPool], nodes: Sequence[Json]) -> bool:
        """Whether all requested nodes exist and take pods. Until then no more are requested."""
        if any(map(plan.is_starting, nodes)):
            return False
        present = {node["metadata"]["name"] for node in nodes}
        groups = [group for pool in pools for group in pool.groups]
        return all(not group.last_node or group.last_node in present for group in groups)

    async def _grow(self, wanted: plan.Plan) -> None:
        failed: dict[ScalingGroup, str] = {}
        for group, added in wanted.growth.items():
            began = timestamp(datetime.now(UTC))
            await self._resize(group, group.size + added)
            if code := await self._error(group, began):
                failed[group] = code
                self._backoff.failed(group.path, time.monotonic())
            else:
                self._backoff.grew(group.path)
        for pod, group in wanted.helped:
            size = group.size + wanted.growth[group]
            name = group.path.rpartition("/")[2]
            text = f"pod triggered scale-up: [{{{name} {group.size}->{size}}}]"
            await self._events.record(pod, "Normal", "TriggeredScaleUp", text)
            if group in failed:
                text = failure(group.zone, failed[group])
                await self._events.warn(pod, "FailedScaleUp", text)
        for pod, reasons in wanted.unschedulable:
            text = f"pod didn't trigger scale-up: {reasons}"
            await self._events.record(pod, "Normal", "NotTriggerScaleUp", text)

    async def _error(self, group: ScalingGroup, since: str) -> str:
        """The code of the newest error of a group that is not older; empty without any."""
        listed = await self._compute.request("GET", f"{group.path}/listErrors")
        new = [one for one in listed.get("items") or () if one["timestamp"] >= since]
        return str(new[-1]["error"]["code"]) if new else ""

    async def _shrink(
        self, pools: Sequence[ScalingPool], nodes: Sequence[Json], pods: Sequence[Json]
    ) -> None:
        budgets = (await self._server.list(_BUDGETS))["items"] if self._may_shrink(pools) else []
        idle: Mapping[str, ScalingGroup] = removal.idle(pools, nodes, pods, budgets)
        now = time.monotonic()
        self._idle_since = {name: self._idle_since.get(name, now) for name in idle}
        for name, group in idle.items():
            if now - self._idle_since[name] >= self._scaling.unneeded_seconds():
                # One at a time: its pods may need the next node.
                await self._resize(group, group.size - group.step)
                return

    def _may_shrink(self, pools: Sequence[ScalingPool]) -> bool:
        return any(group.size for pool in pools for group in pool.groups)

    async def _resize(self, group: ScalingGroup, size: int) -> None:
        _log.info("%s: %s from %d to %d nodes", self._cluster, group.path, group.size, size)
        await self._compute.request("POST", f"{group.path}/resize?size={size}")
