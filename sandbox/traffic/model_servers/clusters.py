"""The clusters in a sandbox's home, and the watch on the pods and nodes of each.

A cluster whose API server does not answer keeps its pods, as a real one does; a cluster that is
deleted loses them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from pathlib import Path

from sandbox.home import Home
from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.controllers.informer import Informer
from sandbox.kubernetes.folder import Folder
from sandbox.kubernetes.specs import ClusterKey, ControlPlaneError
from sandbox.traffic.model_servers.adapter_lists import AdapterLists
from sandbox.traffic.model_servers.fleet import Fleet
from sandbox.traffic.model_servers.pods import ZONE
from sandbox.traffic.model_servers.started_words import ACCELERATOR as GPU
from sandbox.traffic.model_servers.started_words import StartedWords

_log = logging.getLogger("sandbox.traffic.model_servers")
_PERIOD = 0.5
"""Seconds between two looks at the home. Connecting to a new cluster takes longer than that."""
_Mark = tuple[int, int]
"""The API server's port, and when the CA's certificate was written."""


class _PodInformer(Informer):
    """An informer that says whether its objects come from a list."""

    is_list = True

    async def _list(self) -> str:
        self.is_list = True
        try:
            return await super()._list()
        finally:
            self.is_list = False


class Clusters:
    """Follows all clusters."""

    def __init__(self, home: Home, fleet: Fleet) -> None:
        self._folder = home.path / "clusters"
        self._token = home.token
        self._fleet = fleet
        self._watches: dict[ClusterKey, tuple[_Mark, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Follow the clusters until cancelled."""
        try:
            while True:
                await self._look()
                await asyncio.sleep(_PERIOD)
        finally:
            for key in list(self._watches):
                await self._stop(key)

    async def _look(self) -> None:
        marks = {key: mark for key, mark in map(self._mark, self._folders()) if mark is not None}
        for key in [one for one in self._watches if one not in marks]:
            if not Folder(self._folder / str(key), key).is_complete():
                await self._stop(key)
                self._fleet.forget(key)
                _log.info("cluster %s is gone", key)
        for key, mark in marks.items():
            before = self._watches.get(key)
            if before is not None and before[0] == mark and not before[1].done():
                continue
            await self._stop(key)
            _log.info("cluster %s answers on port %d", key, mark[0])
            self._watches[key] = mark, asyncio.create_task(self._watch(key, mark))

    def _folders(self) -> list[Folder]:
        found = []
        for path in self._folder.glob("*/cluster.json"):
            with contextlib.suppress(ValueError):
                found.append(Folder(path.parent, ClusterKey.parse(path.parent.name)))
        return found

    def _mark(self, folder: Folder) -> tuple[ClusterKey, _Mark | None]:
        try:
            written = _certificate(folder).stat().st_mtime_ns
            return folder.key, (folder.load().ports["api"], written)
        except (ControlPlaneError, OSError, KeyError):
            return folder.key, None  # it is being written or deleted

    async def _stop(self, key: ClusterKey) -> None:
        watch = self._watches.pop(key, None)
        if watch is not None:
            watch[1].cancel()
            (result,) = await asyncio.gather(watch[1], return_exceptions=True)
            if isinstance(result, Exception):
                _log.error("the watch on cluster %s failed: %r; it begins again", key, result)

    async def _watch(self, key: ClusterKey, mark: _Mark) -> None:
        folder = Folder(self._folder / str(key), key)
        server = ApiServer(
            mark[0],
            ca=_certificate(folder),
            token=self._token.read_text().strip(),
            agent="sandbox-model-servers",
        )

        def changed() -> None:
            # Without the nodes the zones are not known, and an answer must say the right one.
            if pods.synced.is_set() and nodes.synced.is_set():
                zones = {
                    one["metadata"]["name"]: (one["metadata"].get("labels") or {}).get(ZONE, "")
                    for one in nodes.objects()
                }
                accelerators = {
                    one["metadata"]["name"]: (one["metadata"].get("labels") or {}).get(GPU, "")
                    for one in nodes.objects()
                }
                running = words.started(pods.objects(), accelerators)
                self._fleet.follow(key, running, zones, missed=pods.is_list)
                lists.want(self._fleet.adapter_lists(key))

        pods = _PodInformer(server, "/api/v1/pods", changed)
        nodes = Informer(server, "/api/v1/nodes", changed)
        words = StartedWords(server, changed)
        lists = AdapterLists(server, partial(self._fleet.set_adapters, key))
        try:
            await asyncio.gather(pods.run(), nodes.run())
        finally:
            await words.stop()
            await lists.stop()
            await server.close()


def _certificate(folder: Folder) -> Path:
    return folder.state / "pki" / "ca.crt"
