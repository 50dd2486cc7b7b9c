"""A cache of one collection, kept up to date by list and watch."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import httpx
import msgspec

from sandbox.kubernetes.api_server import ApiServer, ApiServerError

Json = dict[str, Any]
_log = logging.getLogger("sandbox.kubernetes.controllers")
_LONGEST_PAUSE = 10.0


class Informer:
    """Cached objects of one collection by namespace/name."""

    def __init__(
        self,
        server: ApiServer,
        path: str,
        changed: Callable[[], None],
        *,
        selector: str = "",
    ) -> None:
        """`selector` is one of fields, such as `type=kubernetes.io/tls`."""
        self._server = server
        self._selected = {"fieldSelector": selector} if selector else {}
        self._path = path
        self._changed = changed
        self._objects: dict[str, Json] = {}
        self.synced = asyncio.Event()

    def objects(self) -> list[Json]:
        """Return all cached objects."""
        return list(self._objects.values())

    async def run(self) -> None:
        """List and watch the collection until cancelled. Retries on errors."""
        pause = 0.1
        while True:
            try:
                version = await self._list()
                pause = 0.1
                await self._watch(version)
            except (httpx.HTTPError, ApiServerError, msgspec.DecodeError, OSError) as error:
                _log.info("%s: %s; again in %.1f s", self._path, error or type(error), pause)
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)

    async def _list(self) -> str:
        listed = await self._server.list(self._path, self._selected)
        self._objects = {_key(item): item for item in listed["items"]}
        self.synced.set()
        self._changed()
        return str(listed["metadata"]["resourceVersion"])

    async def _watch(self, version: str) -> None:
        # Close explicitly: an abandoned generator keeps its connection until garbage collection.
        async with contextlib.aclosing(
            self._server.watch(self._path, version, self._selected)
        ) as events:
            async for event in events:
                item = event["object"]
                if event["type"] == "ERROR":
                    return  # the version is too old: list again
                if event["type"] == "BOOKMARK":
                    continue
                if event["type"] == "DELETED":
                    self._objects.pop(_key(item), None)
                else:
                    self._objects[_key(item)] = item
                self._changed()


def _key(item: Json) -> str:
    metadata = item["metadata"]
    return f"{metadata.get('namespace', '')}/{metadata['name']}"
