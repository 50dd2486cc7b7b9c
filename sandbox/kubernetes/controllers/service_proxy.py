"""The network between the API server and the Services of aggregated APIs and of webhooks: a proxy.

The API server connects to a Service's cluster IP or name. Nothing has such an address here: the
proxy finds the Service, the ready pod that it selects, and the process that runs in its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import Any

from sandbox import tasks
from sandbox.kubernetes.controllers import http_messages
from sandbox.kubernetes.controllers.connections import Connections

_log = logging.getLogger("sandbox.kubernetes.controllers")
Json = dict[str, Any]
_AGAIN = 2.0


class ServiceProxy:
    """The proxy of one cluster, on the port that its API server knows."""

    def __init__(
        self,
        port: int | None,
        *,
        services: Callable[[], Iterable[Json]],
        pods: Callable[[], Iterable[Json]],
    ) -> None:
        """`port` is None for a control plane of an earlier version, which has no proxy."""
        self._port = port
        self._services = services
        self._pods = pods
        self._backends: dict[str, int] = {}
        """Local ports of processes by the uid of the pod that they run for."""
        self._task: asyncio.Task[None] | None = None
        self._connections = Connections()

    def serves(self, pod: Json, port: int | None) -> None:
        """Note the port of the process that answers for a pod; None: none does."""
        uid = pod["metadata"]["uid"]
        if port is None:
            self._backends.pop(uid, None)
        else:
            self._backends[uid] = port

    def start(self) -> None:
        """Start the proxy."""
        if self._port is not None:
            self._task = asyncio.create_task(self._run(self._port))

    async def stop(self) -> None:
        """Stop the proxy. The API server then reports its aggregated APIs as unavailable."""
        await tasks.end([self._task])
        await self._connections.close()

    async def _run(self, port: int) -> None:
        while True:
            try:
                serve = self._connections.tracked(self._serve_connection)
                listener = await asyncio.start_server(serve, "127.0.0.1", port)
            except OSError as error:
                _log.info("service proxy: %s; again in %.0f s", error, _AGAIN)
                await asyncio.sleep(_AGAIN)
                continue
            async with listener:
                await listener.serve_forever()

    async def _serve_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
                asked = await http_messages.read(reader)
                port = self.backend(asked.target) if asked.method == "CONNECT" else None
                if port is None:
                    reason = f"no process serves {asked.target}".encode()
                    await http_messages.write(writer, 502, reason, content_type="text/plain")
                    return
                inner, outer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    await asyncio.gather(_copy(reader, outer), _copy(inner, writer))
                finally:
                    outer.close()
        finally:
            writer.close()

    def backend(self, address: str) -> int | None:
        """The local port of the process behind a Service's `<cluster IP or name>:<port>`.

        The API server calls aggregated APIs by address, and webhooks by name.
        """
        host, _, port = address.rpartition(":")
        for service in self._services():
            metadata, spec = service["metadata"], service["spec"]
            name = f"{metadata['name']}.{metadata['namespace']}.svc"
            if host not in (spec.get("clusterIP"), name) or not spec.get("selector"):
                continue
            if all(str(one["port"]) != port for one in spec.get("ports") or []):
                continue
            for pod in self._pods():
                if (
                    pod["metadata"]["namespace"] == service["metadata"]["namespace"]
                    and spec["selector"].items() <= (pod["metadata"].get("labels") or {}).items()
                    and pod["metadata"]["uid"] in self._backends
                ):
                    return self._backends[pod["metadata"]["uid"]]
        return None


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
