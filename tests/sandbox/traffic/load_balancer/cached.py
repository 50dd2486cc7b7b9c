"""Cloud CDN's cache in a thread, before the rig's storage. Not a test."""

from __future__ import annotations

import asyncio
import threading

from sandbox.traffic.cdn.cache import Invalidation
from sandbox.traffic.cdn.server import CdnServer
from tests.sandbox.traffic.load_balancer.rig import free_port


class Cached:
    """A running cache, and the invalidations that it is told of."""

    def __init__(self, storage: int) -> None:
        self.invalidations: list[Invalidation] = []
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = CdnServer(storage, lambda _project: self.invalidations)
        asyncio.run_coroutine_threadsafe(self._server.start(self.port), self._loop).result()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._server.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
