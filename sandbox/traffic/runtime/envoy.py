"""The Envoy of one home: its files, its process, and whether it has taken what it was given."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
import psutil

from sandbox.gcp.store import Json
from sandbox.home import Home, write_private
from sandbox.traffic.load_balancer import files
from sandbox.traffic.load_balancer.configuration import ARGUMENTS
from sandbox.traffic.runtime import processes
from sandbox.traffic.runtime.backend_clusters import BackendClusters
from sandbox.traffic.runtime.child_process import ChildProcess
from sandbox.traffic.runtime.discovery_server import DiscoveryServer
from sandbox.traffic.runtime.envoy_admin import EnvoyAdmin

_log = logging.getLogger("sandbox.traffic")
_REFUSAL = re.compile(r"\[(?:warning|error|critical)\].*?(rejected:.*|error adding listener.*)")
_TAKES, _STARTS = 1.0, 10.0  # seconds
_WARMS = 1.0
"""Seconds that routes wait for a new cluster: until the first answers of its health checks."""


class Envoy:
    """One Envoy with the configuration in one folder."""

    def __init__(self, home: Home, binary: Path) -> None:
        self.folder = home.traffic / "envoy"
        self._home = home
        self._binary = binary
        self._log = home.logs / "envoy.log"
        self._bootstrap: bytes | None = None
        self._child: ChildProcess | None = None
        self._admin: EnvoyAdmin | None = None
        self.discovery = DiscoveryServer()
        self._discovered: Mapping[tuple[str, str], Json] = {}
        self.backend_clusters = BackendClusters()
        self.refusal: str | None = None
        """Why Envoy keeps an earlier configuration; None where it took the last one."""

    @property
    def pid(self) -> int | None:
        """The process id; None while it does not run."""
        return self._child.pid if self._child else None

    async def apply(
        self,
        bootstrap: Json,
        given: Mapping[str, Json],
        discovered: Mapping[tuple[str, str], Json],
    ) -> None:
        """Give Envoy its files and resources, start it, and wait until it has taken them.

        Another bootstrap starts it again. Raises OSError.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.backend_clusters.added(given[files.CLUSTERS]):
            await self._prepare(given[files.CLUSTERS], discovered)
        before = await self._counters()
        changed = self.discovery.set(discovered)
        self._discovered = discovered
        clusters = self.backend_clusters.follow(given[files.CLUSTERS])
        given = {**given, files.CLUSTERS: clusters}
        written = await asyncio.to_thread(files.write, self.folder, given)
        encoded = msgspec.json.encode(bootstrap)
        if encoded != self._bootstrap:
            self._bootstrap = encoded
            write_private(self.folder / "bootstrap.json", encoded.decode())
            await self._start(bootstrap)
            await self._await_start()
        elif (written or changed) and before is not None:
            await self._await_update(before, len(written), changed)

    async def _prepare(self, clusters: Json, discovered: Mapping[tuple[str, str], Json]) -> None:
        """Give a running Envoy new clusters and their endpoints before the routes to them."""
        before = await self._counters()
        if before is None:
            return
        endpoints = {key: body for key, body in discovered.items() if key[0] == "eds"}
        self.discovery.set({**self._discovered, **endpoints})
        ahead = {files.CLUSTERS: self.backend_clusters.ahead(clusters)}
        written = await asyncio.to_thread(files.write, self.folder, ahead)
        await self._await_update(before, len(written), [])
        deadline = asyncio.get_running_loop().time() + _WARMS
        while asyncio.get_running_loop().time() < deadline:
            if self._admin is None or not await self._admin.warming():
                break
            await asyncio.sleep(0.02)

    async def _start(self, bootstrap: Json) -> None:
        await self.stop()
        link = processes.envoy_link(self._home)
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(self._binary)
        if self._log.exists():
            self._log.unlink()  # it says what the last configuration made of Envoy
        command = [
            str(link), "-c", str(self.folder / "bootstrap.json"), *ARGUMENTS,
            "--log-level", "warning",
            "--drain-time-s", "30", "--parent-shutdown-time-s", "31",
        ]  # fmt: skip
        self._child = ChildProcess("envoy", command, self._log, {})
        admin = bootstrap["admin"]["address"]["socket_address"]["port_value"]
        self._admin = EnvoyAdmin(admin)
        self._child.start()

    async def _await_start(self) -> None:
        assert self._admin is not None  # noqa: S101 (`_start` sets it)
        deadline = asyncio.get_running_loop().time() + _STARTS
        while not await self._admin.is_live():
            if asyncio.get_running_loop().time() > deadline:
                self.refusal = self._last_refusal() or f"it does not start; see {self._log}"
                return
            await asyncio.sleep(0.05)
        await self._note_refusal(0)

    async def _await_update(
        self, before: tuple[int, int], count: int, changed: list[tuple[str, str]]
    ) -> None:
        """Wait until Envoy has read what was written and taken what changed, or for a second."""
        deadline = asyncio.get_running_loop().time() + _TAKES
        while asyncio.get_running_loop().time() < deadline:
            now = await self._counters()
            is_read = now is not None and now[0] >= before[0] + count
            if (is_read and not self.discovery.pending(changed)) or (now and now[1] > before[1]):
                break
            await asyncio.sleep(0.02)
        await self._note_refusal(before[1])

    async def _note_refusal(self, before: int) -> None:
        now = await self._counters()
        is_refused = now is not None and now[1] > before
        self.refusal = (self._last_refusal() or f"see {self._log}") if is_refused else None
        if self.refusal:
            _log.warning("envoy keeps its earlier configuration: %s", self.refusal)

    async def clusters(self) -> Json:
        """What it says of its clusters and their hosts; nothing while it does not answer."""
        if self._admin is None or self.pid is None:
            return {}
        return await self._admin.clusters() or {}

    async def _counters(self) -> tuple[int, int] | None:
        if self._admin is None or self.pid is None:
            return None
        found = await self._admin.updates()
        return None if found is None else (found.attempts, found.rejected)

    def _last_refusal(self) -> str | None:
        try:
            lines = self._log.read_text(errors="replace").splitlines()
        except OSError:
            return None
        found = [match[1] for line in lines[-200:] if (match := _REFUSAL.search(line))]
        return found[-1] if found else None

    def listens(self) -> set[int]:
        """The ports on which it listens."""
        pid = self.pid
        if pid is None:
            return set()
        try:
            connections = psutil.Process(pid).net_connections("tcp")
        except psutil.Error:
            return set()
        return {one.laddr.port for one in connections if one.status == psutil.CONN_LISTEN}

    async def stop(self) -> None:
        """End the process; the files stay."""
        child, self._child = self._child, None
        if child is not None:
            await child.stop()
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.close()
