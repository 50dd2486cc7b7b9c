"""Managed Service for Prometheus: what all clusters of a project collect, and who stores it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sandbox import engine
from sandbox.engine import EngineError
from sandbox.home import Home
from sandbox.traffic.metrics.prometheus import Prometheus, PrometheusError
from sandbox.traffic.metrics.scrape_jobs import Cluster, ScrapeJob

_log = logging.getLogger("sandbox.traffic.metrics")


class ManagedService:
    """The Prometheus of each project; it runs once a cluster collects anything or somebody asks."""

    def __init__(self, home: Home, *, api: Callable[[], str]) -> None:
        """`api` is the emulated API's address."""
        self._folder = home.traffic / "prometheus"
        self.dial_plan = home.dial_plan
        """Where the pods are reached."""
        self._api = api
        self._jobs: dict[Cluster, Sequence[ScrapeJob]] = {}
        self._servers: dict[str, Prometheus] = {}
        self._away: set[str] = set()
        self._binary: Path | None = None
        self._installing = asyncio.Lock()
        self._is_stopped = False

    async def collect(self, cluster: Cluster, jobs: Sequence[ScrapeJob]) -> None:
        """What a cluster collects from now on. Raises EngineError, PrometheusError, OSError."""
        if not jobs and not self._jobs.get(cluster):
            return
        self._jobs[cluster] = jobs
        if cluster.project not in self._away:
            await self._scrape(cluster.project)

    async def ask(
        self, project: str, path: str, parameters: Mapping[str, str | list[str]]
    ) -> tuple[int, bytes]:
        """Status and body of a call of Prometheus's API, such as `api/v1/query`.

        Raises EngineError, PrometheusError, OSError.
        """
        if project in self._away:
            raise PrometheusError("it was taken away")
        if project not in self._servers:
            await self._scrape(project)
        return await self._servers[project].ask(path, parameters)

    async def take_away(self, project: str) -> None:
        """End the project's Prometheus until `bring_back`: nothing is collected or answered."""
        self._away.add(project)
        server = self._servers.pop(project, None)
        if server is not None:
            await server.stop()

    async def bring_back(self, project: str) -> None:
        """Start what `take_away` has ended. Raises EngineError, PrometheusError, OSError."""
        self._away.discard(project)
        await self._scrape(project)

    async def stop(self) -> None:
        """End all processes, and start no other; their data stays."""
        self._is_stopped = True
        servers, self._servers = list(self._servers.values()), {}
        for server in servers:
            await server.stop()

    async def _scrape(self, project: str) -> None:
        binary = await self._installed()
        if self._is_stopped:
            raise PrometheusError("the sandbox ends")
        if project not in self._servers:
            google = f"{self._api()}/sandbox/v1/metrics/{project}"
            self._servers[project] = Prometheus(self._folder / project, google=google)
        wanted = [
            job for one, found in self._jobs.items() if one.project == project for job in found
        ]
        await self._servers[project].scrape(wanted, binary)

    async def _installed(self) -> Path:
        async with self._installing:
            if self._binary is None:
                self._binary = await asyncio.to_thread(engine.prometheus, _log.info) / "prometheus"
        return self._binary


__all__ = ["EngineError", "ManagedService", "PrometheusError"]
