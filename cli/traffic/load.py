"""An open-loop load: requests are sent at their times, whether or not earlier ones have ended.

A latency is measured from the time at which the request was to be sent. So a server that stalls
shows as many slow requests as its callers would have had, not as one.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter  # uvloop's own clock counts whole milliseconds
from typing import TYPE_CHECKING, TypeAlias

from cli.traffic.connection import Answer, Connection, Loss
from cli.traffic.figures import Figures, Result
from cli.traffic.target import Target

if TYPE_CHECKING:
    from cli.traffic.grpc_connection import GrpcChannel, GrpcConnection

_LEAST_PAUSE = 0.0002
"""Seconds between two wakings: requests that are due in between are sent together."""
_SWEEP = 0.02
"""Seconds between two looks for requests that are late."""
_TLS_SECONDS = 10.0
OnTick = Callable[[Result], None]


_Place: TypeAlias = "Connection | GrpcConnection"


@dataclass(slots=True)
class _Request:
    due: float
    figures: Figures
    """Those of its second."""


async def run(  # noqa: PLR0913
    target: Target,
    *,
    rate: float,
    seconds: float,
    on_tick: OnTick | None = None,
    tick: float = 1.0,
    connections: int = 256,
    timeout: float = 30.0,
    stop: asyncio.Event | None = None,
    end: asyncio.Event | None = None,
    begun: Callable[[Callable[[Target], None]], None] | None = None,
) -> Result:
    """Send `rate` requests a second for `seconds`, and wait for the last answers.

    At most `connections` are open; beyond them requests wait, which counts as latency. gRPC calls
    share one connection, and `connections` bounds those under way. A request
    without an answer `timeout` seconds after its time is lost. `on_tick` gets the figures so far
    every `tick` seconds. Once `stop` is set nothing is sent any more, and what is under way counts
    as unfinished. `end` lets it end early, as it does after `seconds`. `begun` gets a function
    for this loop that sends further requests to another target. Raises `OSError` and
    `ValueError` for a target that cannot be.
    """
    load = _Load(target, rate, seconds, connections, timeout)
    if begun is not None:
        begun(load.redirect)
    ticker = asyncio.create_task(_tick(load.result, on_tick, tick)) if on_tick else None
    try:
        await load.send(stop or asyncio.Event(), end or asyncio.Event())
    finally:
        if ticker:
            ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticker
        await load.close()
    return load.result


async def _tick(result: Result, on_tick: OnTick, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        on_tick(result)


class _Load:
    """The connections, the requests that wait for one, and those under way."""

    def __init__(
        self, target: Target, rate: float, seconds: float, connections: int, timeout: float
    ) -> None:
        self.result = Result()
        self._channel: GrpcChannel | None = None
        self._former: set[_Place] = set()
        self._aim(target)
        self._rate, self._seconds = rate, seconds
        self._most, self._timeout = connections, timeout
        self._loop = asyncio.get_running_loop()
        self._idle: list[_Place] = []
        self._open: set[_Place] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._waiting: deque[_Request] = deque()
        self._is_ended = False
        self._under_way: OrderedDict[_Place, _Request] = OrderedDict()

    def _aim(self, target: Target) -> None:
        self._target = target
        if target.is_grpc:
            from cli.traffic.grpc_connection import GrpcChannel  # noqa: PLC0415 (only for gRPC)

            self._channel = GrpcChannel(target)
        self._bytes = target.body if target.is_grpc else target.request()
        self._tls = None if target.is_grpc else target.tls()

    def redirect(self, target: Target) -> None:
        """Send further requests of HTTP/1.1 elsewhere; those under way end where they are."""
        if target is self._target:
            return
        self._aim(target)
        self._former |= self._open
        for connection in [*self._idle]:
            connection.close()

    async def send(self, stop: asyncio.Event, end: asyncio.Event) -> None:
        """Send every request at its time; return when each has an answer or is lost."""
        started, count = perf_counter(), round(self._rate * self._seconds)
        ended = threading.Event()
        pacer = threading.Thread(target=self._pace, args=(started, count, ended), daemon=True)
        pacer.start()
        try:
            while not stop.is_set():
                await asyncio.sleep(_SWEEP)
                self._expire(perf_counter())
                self._is_ended = self._is_ended or end.is_set() or self.result.sent == count
                if self._is_ended and not (self._waiting or self._under_way):
                    break
        finally:
            self._is_ended = True
            ended.set()
            pacer.join()
        self.result.seconds = min(self._seconds, perf_counter() - started)

    def _pace(self, started: float, count: int, ended: threading.Event) -> None:
        """Wake the loop when requests are due: its own timers count whole milliseconds."""
        reached = 0
        while reached < count:
            if ended.wait(max(started + reached / self._rate - perf_counter(), _LEAST_PAUSE)):
                return
            reached = min(count, int((perf_counter() - started) * self._rate) + 1)
            self._loop.call_soon_threadsafe(self._send_due, started, reached)

    def _send_due(self, started: float, reached: int) -> None:
        while self.result.sent < reached and not self._is_ended:
            self._begin(started)

    async def close(self) -> None:
        """Close every connection; the requests under way are forgotten."""
        self._under_way.clear()
        self._waiting.clear()
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for connection in [*self._open]:
            connection.close()
        await asyncio.sleep(0)
        if self._channel is not None:
            self.result.reason = self._channel.reason
            await self._channel.close()

    def _begin(self, started: float) -> None:
        offset = self.result.sent / self._rate
        while len(self.result.per_second) <= offset:
            self.result.per_second.append(Figures())
        figures = self.result.per_second[int(offset)]
        figures.sent += 1
        self.result.sent += 1
        request = _Request(started + offset, figures)
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                self._put(connection, request)
                return
        self._waiting.append(request)
        if len(self._open) + len(self._opening) < self._most:
            self._connect()

    def _put(self, connection: _Place, request: _Request) -> None:
        self._under_way[connection] = request
        connection.send(self._bytes)

    def _connect(self) -> None:
        task = asyncio.create_task(self._opened())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _opened(self) -> None:
        """Open a connection and give it the request that has waited longest."""
        target = self._target
        try:
            connection = await self._made()
        except OSError as error:
            self.result.reason = str(error) or type(error).__name__
            if self._waiting:
                self._count(self._waiting.popleft(), Loss.CONNECT)
            if len(self._opening) <= len(self._waiting):  # this one still counts
                self._connect()
            return
        self._open.add(connection)
        if target is not self._target:
            self._former.add(connection)
        self._next(connection)

    async def _made(self) -> _Place:
        """A connection that is open. Raises OSError."""
        target = self._target
        if self._channel is not None:
            from cli.traffic.grpc_connection import GrpcConnection  # noqa: PLC0415

            return GrpcConnection(self._channel, self._done, self._closed)
        _, connection = await self._loop.create_connection(
            lambda: Connection(self._done, self._closed, is_head=target.method == "HEAD"),
            target.address,
            target.port,
            ssl=self._tls,
            local_addr=(target.caller, 0) if target.caller else None,
            server_hostname=target.host if self._tls else None,
            ssl_handshake_timeout=_TLS_SECONDS if self._tls else None,
        )
        return connection

    def _next(self, connection: _Place) -> None:
        if not connection.is_open or connection in self._former:
            connection.close()
        elif self._waiting:
            self._put(connection, self._waiting.popleft())
        else:
            self._idle.append(connection)

    def _done(self, connection: _Place, result: Answer | Loss) -> None:
        request = self._under_way.pop(connection, None)
        if request is not None:
            self._count(request, result)
        # Soon, not now: the parser of this connection is still at work.
        self._loop.call_soon(self._next, connection)

    def _closed(self, connection: _Place) -> None:
        self._open.discard(connection)
        self._former.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if len(self._opening) < len(self._waiting):
            self._connect()

    def _count(self, request: _Request, result: Answer | Loss) -> None:
        latency = perf_counter() - request.due
        request.figures.add(result, latency)
        self.result.add(result, latency)

    def _expire(self, now: float) -> None:
        """Lose what has waited for longer than the timeout, for an answer or for a connection."""
        while self._waiting and now - self._waiting[0].due > self._timeout:
            self._count(self._waiting.popleft(), Loss.TIMEOUT)
        late = [
            connection
            for connection, request in self._under_way.items()
            if now - request.due > self._timeout
        ]
        for connection in late:
            connection.close(Loss.TIMEOUT)
