"""The server of one container, from its start to its end, as if it were a process of its own.

Its ports are bound from the start. Until it listens the kernel refuses connections, as it does for
the real server that loads its model first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, TypeAlias

from sandbox.traffic.model_servers import answers
from sandbox.traffic.model_servers.http_connection import HttpConnection
from sandbox.traffic.model_servers.load import Load, Settings
from sandbox.traffic.model_servers.messages import Answer, Request
from sandbox.traffic.model_servers.passed_on import PassedOn, socket_name
from sandbox.traffic.model_servers.pods import Container, Pod
from sandbox.traffic.model_servers.served import Served
from sandbox.traffic.model_servers.splice import Splice

if TYPE_CHECKING:
    from sandbox.traffic.model_servers.grpc_bridge import GrpcBridge
    from sandbox.traffic.model_servers.grpc_server import GrpcServer
    from sandbox.traffic.model_servers.http2_connection import Http2Connection
    from sandbox.traffic.model_servers.http2_sender import Headers

    Connection: TypeAlias = "HttpConnection | Http2Connection | PassedOn | Splice"

_log = logging.getLogger("sandbox.traffic.model_servers")
_BACKLOG = 1024


class ServerProcess:
    """One container's server. It ends by `terminate` or `kill`, and is not started again."""

    def __init__(self, pod: Pod, container: Container, ended: Callable[[], None]) -> None:
        """Bind its ports. `ended` is called once, when nothing of it is left. Raises OSError."""
        self._loop = asyncio.get_running_loop()
        self.born = self._loop.time()
        self.started = container.started
        self.server = container.server
        self._ended = ended
        self.load = Load(pod.settings, self._loop, max_loras=self.server.max_loras)
        self._sockets: dict[int, socket.socket] = {}
        try:
            for port in self.server.ports:
                self._sockets[port] = _bound()
        except OSError:
            self._close_sockets()
            raise
        self.listens = {port: int(one.getsockname()[1]) for port, one in self._sockets.items()}
        self._listeners: list[asyncio.Server] = []
        self._connections: set[Connection] = set()
        self._grpc: asyncio.Future[GrpcServer] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_listening = False
        self.is_terminating = False
        self.closes = False
        """Whether each connection is closed after the answer under way."""
        self.over = asyncio.Event()
        """Set once it has ended."""
        self._gauges = pod.gauges
        self._uid = pod.uid
        self._served = _served(pod, container)
        self._served.is_loaded = False
        self._asked: Mapping[str, str] = {}
        """Folders of the adapters that have had their first request, by name."""
        self.identity = b""
        self.update(pod, pod.settings)

    @property
    def is_loaded(self) -> bool:
        """Whether its model is loaded."""
        return self._served.is_loaded

    @property
    def connections(self) -> int:
        """How many connections it has."""
        return len(self._connections)

    def update(self, pod: Pod, settings: Settings) -> None:
        """Take over what changed of the pod, and the settings that hold for it."""
        served = self._served
        served.zone, served.version, self._gauges = pod.zone, pod.version, pod.gauges
        self.identity = b"".join(
            f"{name}: {value}\r\n".encode("latin-1", "replace") for name, value in served.headers()
        )
        if settings != self.load.settings:
            self.load.change(settings)

    def set_adapters(self, adapters: Mapping[str, str]) -> None:
        """Have these adapters beside those of its start, as the pod's sidecar tells it."""
        if self.server.updates_adapters:
            self._served.adapters = {**self.server.adapters, **adapters}
            self._ask_adapters()

    def _ask_adapters(self) -> None:
        """Take the sidecar's first request for each adapter, once the server answers.

        It takes no time here, whatever the pod's latency.
        """
        if not self.is_loaded:
            return
        found = self._served.adapters
        for name, folder in found.items():
            if self.server.adapters.get(name) != folder and self._asked.get(name) != folder:
                self.load.pass_at_once(name)
                self.load.count(name, "completions", 200, None, (1, 1))
        self._asked = dict(found)

    def set_loaded(self, loaded: bool) -> None:
        """Say whether its model is loaded; it listens from then on at the latest."""
        self._served.is_loaded = loaded
        if (loaded or self.server.listens_while_loading) and not self._is_listening:
            self._is_listening = True
            for one in self._sockets.values():
                one.listen(_BACKLOG)  # at once: the kernel takes connections until they are read
            self._spawn(self._listen())
        self._ask_adapters()

    async def _listen(self) -> None:
        while self._sockets:
            # The loop closes a socket that it was given: closing it here too would end another's.
            port, one = self._sockets.popitem()

            def connection(port: int = port) -> asyncio.Protocol:
                if self.server.ports[port] == "passed-on":
                    return PassedOn(port, self.connected, self._pass_to_pod, self.disconnected)
                return HttpConnection(self, port, self._upgrade)

            listener = await self._loop.create_server(connection, sock=one, backlog=_BACKLOG)
            self._listeners.append(listener)
            if self.is_terminating and self.server.on_sigterm != "ignore":
                listener.close()

    # What a connection asks for

    def answer(self, request: Request, port: int) -> Answer:
        """The answer to a request on a container's port."""
        role = self.server.ports[port]
        return answers.answer(self._served, self.load, self._gauges, request, role)

    def speaks_http(self, port: int) -> bool:
        """Whether a container's port takes HTTP/1.1."""
        return self.server.ports[port] != "grpc"

    def connected(self, connection: HttpConnection | PassedOn) -> None:
        """Take note of a connection; one that was accepted as the process ended is reset."""
        self._connections.add(connection)
        if self.over.is_set():
            connection.cut()

    def disconnected(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)

    def _upgrade(self, connection: HttpConnection, data: bytes) -> None:
        """Give a connection that speaks HTTP/2 to what the port speaks."""
        self._connections.discard(connection)
        match self.server.ports[connection.port]:
            case "grpc":
                splice = Splice(connection.transport, data, connection.port, self.disconnected)
                self._connections.add(splice)
                self._spawn(self._pass_on(splice))
            case "any":
                # Imported when it is needed, as gRPC is.
                from sandbox.traffic.model_servers.http2_connection import (  # noqa: PLC0415
                    Http2Connection,
                )

                found = Http2Connection(self, connection.port, self.disconnected, self._bridge)
                self._connections.add(found)
                found.take_over(connection.transport, data)
            case _:
                connection.cut()

    def _pass_to_pod(self, connection: PassedOn, data: bytes) -> None:
        """Pass a connection on to the program that runs for the pod."""
        self._connections.discard(connection)
        splice = Splice(connection.transport, data, connection.port, self.disconnected)
        self._connections.add(splice)
        name = socket_name(self._uid, splice.port)
        self._spawn(splice.open(f"\0{name}"))

    async def _pass_on(self, splice: Splice) -> None:
        await splice.open((await self._grpc_server()).path)

    async def _bridge(
        self, connection: Http2Connection, number: int, headers: Headers
    ) -> GrpcBridge:
        """Pass on a gRPC call of a connection that has other requests too."""
        from sandbox.traffic.model_servers.grpc_bridge import GrpcBridge  # noqa: PLC0415

        return GrpcBridge((await self._grpc_server()).channel, connection, number, headers)

    async def _grpc_server(self) -> GrpcServer:
        if self._grpc is None:
            self._grpc = self._loop.create_future()
            # Imported when it is needed: gRPC takes some 20 MiB.
            from sandbox.traffic.model_servers.grpc_server import GrpcServer  # noqa: PLC0415

            server = GrpcServer(self._served, self.load)
            await server.start()
            self._grpc.set_result(server)
        return await asyncio.shield(self._grpc)

    # Its end

    async def terminate(self) -> None:
        """Send SIGTERM, and wait until it has ended. It may never end by itself."""
        if not self.is_terminating:
            self.is_terminating = True
            match self.server.on_sigterm:
                case "exit":
                    self.kill()
                case "drain":
                    self._spawn(self._drain(closes=True))
                case "finish":
                    self._spawn(self._drain(closes=False))
                case "ignore":
                    pass
        await self.over.wait()

    async def _drain(self, *, closes: bool) -> None:
        self._close_sockets()
        self.closes = closes
        for connection in list(self._connections):
            if closes and not isinstance(connection, (Splice, PassedOn)):
                connection.close_when_idle()
        limit = self.server.shutdown_seconds
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                if self._grpc is not None:
                    # The pod's grace period cuts what takes longer.
                    await (await asyncio.shield(self._grpc)).stop(limit or 3600)
                while self._connections:
                    await asyncio.sleep(0.01)
        self.kill()

    def cut_balanced(self, listens: int) -> int:
        """Reset the load balancer's connections to a port of 127.0.0.1; how many those are.

        Whose a connection of gRPC is, its headers say, which are not read here: all are cut.
        """
        ports = {port for port, own in self.listens.items() if own == listens}
        found = [
            one
            for one in self._connections
            if one.port in ports and (isinstance(one, (Splice, PassedOn)) or one.is_balanced)
        ]
        for connection in found:
            connection.cut()
        return len(found)

    def kill(self) -> None:
        """End it at once: connections are reset."""
        if self.over.is_set():
            return
        self.over.set()
        self.is_terminating = True
        self._close_sockets()
        for connection in list(self._connections):
            connection.cut()
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()
        if self._grpc is not None and self._grpc.done():
            stopping = self._loop.create_task(self._grpc.result().stop(None))
            self._tasks.add(stopping)
            stopping.add_done_callback(self._tasks.discard)
        self._ended()

    def _close_sockets(self) -> None:
        for listener in self._listeners:
            listener.close()
        for one in self._sockets.values():
            one.close()
        self._listeners = []
        self._sockets = {}

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("%s/%s: %r", self._served.pod, self.server.container, error)


def _served(pod: Pod, container: Container) -> Served:
    return Served(
        pod=pod.name,
        namespace=pod.namespace,
        node=pod.node,
        zone=pod.zone,
        version=pod.version,
        workload=pod.workload,
        server=container.server,
        adapters=dict(container.server.adapters),
    )


def _bound() -> socket.socket:
    """A socket on a free port of the loopback address, which does not listen yet."""
    one = socket.socket()
    try:
        one.bind(("127.0.0.1", 0))
        one.setblocking(False)
    except OSError:
        one.close()
        raise
    return one
