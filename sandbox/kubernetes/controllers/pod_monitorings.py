"""Managed collection: what the PodMonitorings of one cluster select is scraped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

from sandbox import tasks
from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.controllers.informer import Informer
from sandbox.kubernetes.managed_prometheus import POD_MONITORINGS
from sandbox.kubernetes.specs import ClusterKey
from sandbox.traffic.dial_plan import DialPlan, Listener
from sandbox.traffic.metrics import scrape_jobs
from sandbox.traffic.metrics.managed_service import EngineError, ManagedService, PrometheusError

_log = logging.getLogger("sandbox.kubernetes.controllers")
_SETTLE, _LOOK = 0.05, 0.5
"""Seconds to wait for further changes, and between looks at the dial plan."""


class PodMonitorings:
    """Tells the managed service what the cluster collects, whenever it changes."""

    def __init__(
        self,
        server: ApiServer,
        *,
        key: ClusterKey,
        plan: Path,
        programs: Callable[[], list[Listener]],
        service: ManagedService,
    ) -> None:
        """`programs` tells where the metrics of real programs are, which no plan has."""
        self._cluster = scrape_jobs.Cluster(
            project=key.project, location=key.location, name=key.name
        )
        self._plan = plan
        self._programs = programs
        self._service = service
        self._wake = asyncio.Event()
        self._monitorings = Informer(server, POD_MONITORINGS, self._wake.set)
        self._pods = Informer(server, "/api/v1/pods", self._wake.set)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the controller."""
        self._tasks = [
            asyncio.create_task(self._monitorings.run()),
            asyncio.create_task(self._pods.run()),
            asyncio.create_task(self._run()),
        ]

    async def stop(self) -> None:
        """Stop the controller. What was collected stays."""
        await tasks.end(self._tasks)

    async def _run(self) -> None:
        await self._monitorings.synced.wait()
        await self._pods.synced.wait()
        seen: tuple[int, list[Listener]] = 0, []
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._wake.wait()
            written = self._written(), self._programs()
            if not self._wake.is_set() and written == seen:
                continue
            await asyncio.sleep(_SETTLE)
            self._wake.clear()
            try:
                jobs = scrape_jobs.jobs(
                    self._cluster,
                    self._monitorings.objects(),
                    self._pods.objects(),
                    DialPlan([*DialPlan.read(self._plan).listeners, *written[1]]),
                )
                await self._service.collect(self._cluster, jobs)
                seen = written
            except (EngineError, PrometheusError, OSError) as error:
                _log.warning("%s: metrics are not collected: %s", self._cluster.name, error)
                await asyncio.sleep(2)
                self._wake.set()

    def _written(self) -> int:
        """When the dial plan was written; 0 before it is."""
        try:
            return self._plan.stat().st_mtime_ns
        except FileNotFoundError:
            return 0
