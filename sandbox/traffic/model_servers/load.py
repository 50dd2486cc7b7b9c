"""The load of one model server: how long answers take, which fail, how many run at a time.

Requests beyond the concurrency wait in order. Failures are spread evenly, not drawn by chance, so
that a rate is kept exactly. All times are seconds.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandbox.traffic.model_servers.adapter_batch import AdapterBatch
from sandbox.traffic.model_servers.prefix_cache import PrefixCache

COMMON_BOUNDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of most servers' histograms."""
FIRST_TOKEN_BOUNDS = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0),
    *(7.5, 10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
"""Those of vLLM's time to the first token."""
TOKEN_BOUNDS = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0),
    *(2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
)
"""Those of its time between two tokens."""
BUCKETS = tuple(sorted({*COMMON_BOUNDS, *FIRST_TOKEN_BOUNDS, *TOKEN_BOUNDS}))
"""All bounds that are counted by; a histogram shows its own."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be set for a pod."""

    latency: float = 0.0
    error_rate: float = 0.0
    """The share of requests that fail, 0 to 1."""
    concurrency: int = 0
    """How many requests are worked on at a time; 0: any number."""
    gauges: Mapping[str, float] = field(default_factory=dict)
    """Values of gauges, in place of measured ones."""
    failing_paths: frozenset[str] = frozenset()
    """Paths that answer 503, as a health check's does of a server that cannot do its work; of gRPC,
    `/service/Method`."""


@dataclass(slots=True)
class Histogram:
    """Counts by upper bound, as Prometheus has them; the last is +Inf's."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def observe(self, seconds: float, times: int = 1) -> None:
        """Count one, or several that took as long."""
        self.counts[bisect_left(BUCKETS, seconds)] += times
        self.total += seconds * times


class Ticket:
    """A request that waits or is worked on."""

    __slots__ = ("adapter", "began", "begun", "entered", "finished", "handle")

    def __init__(
        self,
        entered: float,
        finished: Callable[[], None],
        begun: Callable[[float], None] | None,
        adapter: str,
    ) -> None:
        self.entered = entered
        self.adapter = adapter
        """The LoRA adapter that it asks for; empty: none."""
        self.finished = finished
        self.begun = begun
        """Called when the work begins, with the seconds that it takes."""
        self.began: float | None = None
        self.handle: asyncio.TimerHandle | None = None


class Load:
    """The requests of a model server, and what was counted of them."""

    def __init__(
        self, settings: Settings, loop: asyncio.AbstractEventLoop, *, max_loras: int = 0
    ) -> None:
        """`max_loras` adapters fit into a batch; 0: the server takes none."""
        self.settings = settings
        self._loop = loop
        self.adapters = AdapterBatch(max_loras) if max_loras else None
        self._waiting: deque[Ticket] = deque()
        self.running = 0
        self._busy, self._since = 0.0, 0.0
        self.requests: Counter[tuple[str, str, int]] = Counter()
        """By model, verb and HTTP status."""
        self.durations: dict[str, Histogram] = {}
        """By model, from arrival to answer."""
        self.queued: defaultdict[str, float] = defaultdict(float)
        """Seconds in the queue by model."""
        self.between_tokens = Histogram()
        self.prompt_tokens: Counter[str] = Counter()
        self.generated_tokens: Counter[str] = Counter()
        self.prefixes = PrefixCache()
        self._owed = 0.0

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    @property
    def busy_seconds(self) -> float:
        """For how long requests were worked on so far."""
        return self._busy + (self._loop.time() - self._since if self.running else 0.0)

    @property
    def is_instant(self) -> bool:
        """Whether a request is answered at once."""
        settings = self.settings
        return not settings.latency and not settings.concurrency

    def fails(self) -> bool:
        """Whether the next request fails."""
        if not self.settings.error_rate:
            return False
        self._owed += self.settings.error_rate
        # Sums of 0.1 fall short of whole numbers by rounding.
        if self._owed >= 1.0 - 1e-9:
            self._owed -= 1.0
            return True
        return False

    def enter(
        self,
        finished: Callable[[], None],
        begun: Callable[[float], None] | None = None,
        *,
        adapter: str = "",
    ) -> Ticket:
        """Take a request; `finished` is called once it is worked on for its time."""
        ticket = Ticket(self._loop.time(), finished, begun, adapter)
        if self._is_full or not self._fits(ticket):
            self._waiting.append(ticket)
            if self.adapters is not None:
                self.adapters.wait(adapter)
        else:
            self._begin(ticket)
        return ticket

    def pass_at_once(self, adapter: str) -> None:
        """Take note of a request that is answered at once."""
        if self.adapters is not None:
            self.adapters.begin(adapter, has_waited=False)
            self.adapters.end(adapter)

    async def pass_through(self) -> Ticket:
        """Wait until a request has been worked on."""
        done = self._loop.create_future()
        ticket = self.enter(lambda: None if done.done() else done.set_result(None))
        try:
            await done
        except asyncio.CancelledError:
            self.leave(ticket)
            raise
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give up a request, as when its caller is gone. Does nothing after it has finished."""
        if ticket.began is None:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                if self.adapters is not None:
                    self.adapters.leave(ticket.adapter)
        elif ticket.handle is not None:
            ticket.handle.cancel()
            self._end(ticket)

    def change(self, settings: Settings) -> None:
        """Apply settings; those that are being worked on keep their times."""
        self.settings = settings
        self._admit()

    def count(
        self,
        model: str,
        verb: str,
        status: int,
        ticket: Ticket | None,
        tokens: tuple[int, int] = (0, 0),
    ) -> None:
        """Count an answered request; `tokens`: how many were read and generated."""
        self.requests[model, verb, status] += 1
        if tokens[0] or tokens[1]:
            self.prompt_tokens[model] += tokens[0]
            self.generated_tokens[model] += tokens[1]
        if (histogram := self.durations.get(model)) is None:
            histogram = self.durations[model] = Histogram()
        worked = 0.0 if ticket is None else self._loop.time() - (ticket.began or ticket.entered)
        if tokens[1] > 1:
            self.between_tokens.observe(worked / tokens[1], tokens[1] - 1)
        if ticket is None:
            histogram.observe(0.0)
            return
        histogram.observe(self._loop.time() - ticket.entered)
        self.queued[model] += (ticket.began or ticket.entered) - ticket.entered

    @property
    def _is_full(self) -> bool:
        limit = self.settings.concurrency
        return bool(limit) and self.running >= limit

    def _fits(self, ticket: Ticket) -> bool:
        return self.adapters is None or self.adapters.fits(ticket.adapter)

    def _begin(self, ticket: Ticket, *, has_waited: bool = False) -> None:
        ticket.began = self._loop.time()
        if not self.running:
            self._since = ticket.began
        self.running += 1
        if self.adapters is not None:
            self.adapters.begin(ticket.adapter, has_waited=has_waited)
        seconds = self.settings.latency
        ticket.handle = self._loop.call_later(seconds, self._finish, ticket)
        if ticket.begun is not None:
            ticket.begun(seconds)

    def _finish(self, ticket: Ticket) -> None:
        self._end(ticket)
        ticket.finished()

    def _end(self, ticket: Ticket) -> None:
        ticket.handle = None
        self.running -= 1
        if self.adapters is not None:
            self.adapters.end(ticket.adapter)
        if not self.running:
            self._busy += self._loop.time() - self._since
        self._admit()

    def _admit(self) -> None:
        while self._waiting and not self._is_full:
            ticket = next((one for one in self._waiting if self._fits(one)), None)
            if ticket is None:
                return
            self._waiting.remove(ticket)
            self._begin(ticket, has_waited=True)
