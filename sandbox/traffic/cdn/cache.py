"""The kept answers of one sandbox, and which of them an invalidation has ended."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sandbox.traffic.cdn.policy import LARGEST, Policy

_MOST_BYTES = 64 << 20
Key = tuple[object, ...]


@dataclass(slots=True)
class Answer:
    """What a bucket has answered."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    varied: Mapping[str, str | None]
    """The request's values of the headers that `Vary` names."""
    kept_at: float = 0.0
    """Seconds of the clock that lookups and invalidations use."""


@dataclass(frozen=True, slots=True)
class Invalidation:
    """A request to `urlMaps.invalidateCache`."""

    at: float
    host: str
    """Empty for all hosts."""
    path: str
    """A path, or a prefix that ends with `/*`."""

    def covers(self, host: str, path: str) -> bool:
        """Whether it ends what was kept of a URL."""
        if self.host and self.host.lower() != host.lower():
            return False
        if self.path.endswith("/*"):
            return path.startswith(self.path[:-1])
        return path == self.path


class Cache:
    """Answers by key; the least recently used go first when it is full."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, Answer] = OrderedDict()
        self._bytes = 0

    def find(
        self,
        key: Key,
        request: Mapping[str, str],
        url: tuple[str, str],
        invalidations: Iterable[Invalidation],
    ) -> Answer | None:
        """What is kept for a request, fresh or not. `url` is its host and path."""
        found = self._kept.get(key)
        if found is None:
            return None
        if any(request.get(name) != value for name, value in found.varied.items()):
            return None
        if any(one.at >= found.kept_at and one.covers(*url) for one in invalidations):
            self.forget(key)
            return None
        self._kept.move_to_end(key)
        return found

    def keep(self, key: Key, answer: Answer, now: float) -> None:
        """Keep an answer, if it is not too large."""
        self.forget(key)
        if len(answer.body) > min(LARGEST, _MOST_BYTES):
            return
        answer.kept_at = now
        self._kept[key] = answer
        self._bytes += len(answer.body)
        while self._bytes > _MOST_BYTES:
            self.forget(next(iter(self._kept)))

    def forget(self, key: Key) -> None:
        """Drop what is kept under a key."""
        if (found := self._kept.pop(key, None)) is not None:
            self._bytes -= len(found.body)


@dataclass(frozen=True, slots=True)
class Found:
    """What a lookup has come to."""

    answer: Answer | None
    is_fresh: bool = False
    may_be_stale: bool = False
    """Whether it may be served while it is fetched anew."""


def judged(answer: Answer | None, policy: Policy, request: Mapping[str, str], now: float) -> Found:
    """Whether a kept answer may be served, by the policy as it is now.

    A policy's change of times holds for what is kept already.
    """
    if answer is None:
        return Found(None)
    lifetime = policy.lifetime(answer.status, answer.headers, request)
    if lifetime is None:
        return Found(None)
    late = now - answer.kept_at - lifetime
    is_error = answer.status >= 400
    return Found(answer, late < 0, 0 <= late < policy.serve_while_stale and not is_error)
