"""The load balancer's time series, counted from a line that Envoy writes for each request.

https://cloud.google.com/load-balancing/docs/https/https-logging-monitoring#metrics_for has the
series; the bounds of the distributions are ours. Counters begin at 0 with the daemon.
"""

from __future__ import annotations

import bisect
import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sandbox.traffic.metrics.exposition import Sample

PREFIX = "loadbalancing_googleapis_com:https_"
_LONGEST = 64 * 2**20
"""The file is emptied once it has been read and is longer, in bytes."""
_MILLISECONDS = (1, 2, 5, 10, 20, 50, 75, 100, 150, 200, 250, 300, 400, 500, 600, 750, 1000, 1500,
                 2000, 3000, 4000, 5000, 7500, 10_000, 15_000, 20_000, 30_000, 60_000, 120_000,
                 300_000, 600_000, 1_200_000)  # fmt: skip


_FROM_CACHE = frozenset({"hit", "stale"})
_RESULTS = {"hit": "HIT", "stale": "HIT", "revalidated": "HIT"}
"""The label `cache_result` by what Cloud CDN has come to; MISS for all else."""


class Request(msgspec.Struct, frozen=True):
    """A request that was answered, or broken off."""

    project: str
    forwarding_rule: str
    target_proxy: str
    url_map: str
    rule: str | None
    """The rule of the URL map that decided."""
    backend: str | None
    """The backend service or bucket; None where the load balancer answered itself."""
    code: int
    milliseconds: int
    backend_milliseconds: int | None
    request_bytes: int
    response_bytes: int
    protocol: str | None
    cache: str | None = None


class _Series:
    """Counters of requests with the same labels."""

    __slots__ = ("backend", "count", "request_bytes", "response_bytes", "total")

    def __init__(self) -> None:
        self.count = 0
        self.request_bytes = 0
        self.response_bytes = 0
        self.total = Distribution()
        self.backend = Distribution()


class Distribution:
    """Milliseconds, counted by bucket."""

    __slots__ = ("buckets", "sum")

    def __init__(self) -> None:
        self.buckets = [0] * (len(_MILLISECONDS) + 1)
        self.sum = 0

    def add(self, milliseconds: int) -> None:
        """Count one."""
        self.buckets[bisect.bisect_left(_MILLISECONDS, milliseconds)] += 1
        self.sum += milliseconds

    def samples(self, name: str, labels: dict[str, str]) -> Iterator[Sample]:
        """The cumulative buckets, the sum and the count."""
        count = 0
        for bound, one in zip([*map(str, _MILLISECONDS), "+Inf"], self.buckets, strict=True):
            count += one
            yield Sample(f"{name}_bucket", count, {**labels, "le": bound})
        yield Sample(f"{name}_sum", self.sum, labels)
        yield Sample(f"{name}_count", count, labels)


class RequestMeasurements:
    """What the file of requests says, summed up."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._decoder = msgspec.json.Decoder(Request)
        self._series: dict[tuple[str, ...], _Series] = defaultdict(_Series)
        self._lock = threading.Lock()

    def samples(self, project: str) -> list[Sample]:
        """The series of a project; reads what was written since the last call. Raises OSError."""
        with self._lock:
            self._read()
            return [
                sample
                for key, series in self._series.items()
                if key[0] == project
                for sample in _samples(key, series)
            ]

    def _read(self) -> None:
        try:
            with self._path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._offset:
                    self._offset = 0  # somebody has emptied it
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:
            return
        complete = content.rpartition(b"\n")[0]
        self._offset += len(complete) + bool(complete)
        for line in complete.splitlines():
            try:
                self._count(self._decoder.decode(line))
            except msgspec.MsgspecError:
                continue  # half a line, of an Envoy that was killed
        if self._offset > _LONGEST and len(complete) + 1 == len(content):
            os.truncate(self._path, 0)  # Envoy appends
            self._offset = 0

    def _count(self, one: Request) -> None:
        key = (
            one.project, one.forwarding_rule, one.target_proxy, one.url_map, one.rule or "",
            one.backend or "", str(one.code), one.protocol or "", one.cache or "",
        )  # fmt: skip
        series = self._series[key]
        series.count += 1
        series.request_bytes += one.request_bytes
        series.response_bytes += one.response_bytes
        series.total.add(one.milliseconds)
        if one.backend_milliseconds is not None and one.cache not in _FROM_CACHE:
            series.backend.add(one.backend_milliseconds)


def _matched(rule: str) -> str:
    """The path rule in a route's name, such as `pathMatchers[0].pathRules[1] /v1/models/*`."""
    path = rule.rpartition(" ")[2]
    return path if path.startswith("/") else "UNMATCHED"


def _samples(key: tuple[str, ...], series: _Series) -> Iterator[Sample]:
    project, forwarding_rule, target_proxy, url_map, rule, backend, code, protocol, cache = key
    kind = "BACKEND_BUCKET" if "/backendBuckets/" in backend else "BACKEND_SERVICE"
    labels = {
        "monitored_resource": "https_lb_rule",
        "project_id": project,
        "region": "global",
        "forwarding_rule_name": forwarding_rule,
        "target_proxy_name": target_proxy,
        "url_map_name": url_map,
        "matched_url_path_rule": _matched(rule),
        "backend_target_name": backend.rpartition("/")[2],
        "backend_target_type": kind if backend else "NO_BACKEND_SELECTED",
        "response_code": code,
        # Google's class of an answer that never came is 0.
        "response_code_class": str(int(code) // 100 * 100),
        "protocol": protocol,
        "cache_result": _RESULTS.get(cache, "MISS") if cache else "DISABLED",
    }
    yield Sample(f"{PREFIX}request_count", series.count, labels)
    yield Sample(f"{PREFIX}request_bytes_count", series.request_bytes, labels)
    yield Sample(f"{PREFIX}response_bytes_count", series.response_bytes, labels)
    yield from series.total.samples(f"{PREFIX}total_latencies", labels)
    if backend and cache not in _FROM_CACHE:
        yield from series.backend.samples(f"{PREFIX}backend_latencies", labels)
