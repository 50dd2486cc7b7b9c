"""The load itself: the requests that wait for a place, those under way, and what became of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter  # uvloop's own clock counts whole milliseconds

from cli.traffic.connection import Answer, Loss
from cli.traffic.figures import Figures, Result
from cli.traffic.load import places
from cli.traffic.load.places import Place
from cli.traffic.load.schedule import Schedule
from cli.traffic.target import Target

_SWEEP = 0.02
"""Seconds between two looks for requests that are late."""
OnTick = Callable[[Result], None]


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
    share one connection, requests of HTTP/2 few, and `connections` bounds those under way. A
    request without an answer `timeout` seconds after its time is lost. `on_tick` gets the figures
    so far every `tick` seconds. Once `stop` is set nothing is sent any more, and what is under way
    counts as unfinished. `end` lets it end early, as it does after `seconds`. `begun` gets a
    function for this loop that sends further requests to another target. Raises `OSError` and
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
        self._target, self._places = target, places.of(target)
        self._former_places: list[places.Places] = []
        self._former: set[Place] = set()
        """Places of a former target."""
        self._rate, self._seconds = rate, seconds
        self._most, self._timeout = connections, timeout
        self._loop = asyncio.get_running_loop()
        self._idle: list[Place] = []
        self._open: set[Place] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._waiting: deque[_Request] = deque()
        self._is_ended = False
        self._under_way: OrderedDict[Place, _Request] = OrderedDict()

    def redirect(self, target: Target) -> None:
        """Send further requests elsewhere; those under way end where they are."""
        if target is self._target:
            return
        self._former_places.append(self._places)
        self._target, self._places = target, places.of(target)
        self._former |= self._open
        for one in [*self._idle]:
            one.close()

    async def send(self, stop: asyncio.Event, end: asyncio.Event) -> None:
        """Send every request at its time; return when each has an answer or is lost."""
        count = round(self._rate * self._seconds)
        schedule = Schedule(self._rate, count, lambda reached: self._send_due(schedule, reached))
        try:
            while not stop.is_set():
                await asyncio.sleep(_SWEEP)
                self._expire(perf_counter())
                self._is_ended = self._is_ended or end.is_set() or self.result.sent == count
                if self._is_ended and not (self._waiting or self._under_way):
                    break
        finally:
            self._is_ended = True
            schedule.end()
        self.result.seconds = min(self._seconds, perf_counter() - schedule.started)

    def _send_due(self, schedule: Schedule, reached: int) -> None:
        while self.result.sent < reached and not self._is_ended:
            self._begin(schedule)

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
        self.result.reason = self._places.reason or self.result.reason
        for one in (*self._former_places, self._places):
            await one.close()

    def _begin(self, schedule: Schedule) -> None:
        offset = schedule.offset(self.result.sent)
        while len(self.result.per_second) <= offset:
            self.result.per_second.append(Figures())
        figures = self.result.per_second[int(offset)]
        figures.sent += 1
        self.result.sent += 1
        request = _Request(schedule.started + offset, figures)
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                self._put(connection, request)
                return
        self._waiting.append(request)
        if len(self._open) + len(self._opening) < self._most:
            self._connect()

    def _put(self, connection: Place, request: _Request) -> None:
        self._under_way[connection] = request
        connection.send(self._places.request)

    def _connect(self) -> None:
        task = asyncio.create_task(self._opened())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _opened(self) -> None:
        """Open a connection and give it the request that has waited longest."""
        origin, task = self._places, asyncio.current_task()
        try:
            connection = await origin.open(self._done, self._closed)
        except OSError as error:
            self._opening.discard(task)
            self.result.reason = str(error) or type(error).__name__
            if self._waiting:
                self._count(self._waiting.popleft(), Loss.CONNECT)
            if len(self._opening) < len(self._waiting):
                self._connect()
            return
        # Now, not once the task has ended: it would count twice for a request that comes between.
        self._opening.discard(task)
        self._open.add(connection)
        if origin is not self._places:
            self._former.add(connection)
        self._next(connection)

    def _next(self, connection: Place) -> None:
        if not connection.is_open or connection in self._former:
            connection.close()
        elif self._waiting:
            self._put(connection, self._waiting.popleft())
        else:
            self._idle.append(connection)

    def _done(self, connection: Place, result: Answer | Loss) -> None:
        request = self._under_way.pop(connection, None)
        if request is not None:
            self._count(request, result)
        # Soon, not now: the parser of this connection is still at work.
        self._loop.call_soon(self._next, connection)

    def _closed(self, connection: Place) -> None:
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
