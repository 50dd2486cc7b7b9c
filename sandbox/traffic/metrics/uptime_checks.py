"""Uptime checks: made at their periods, and their time series.

https://cloud.google.com/monitoring/api/metrics_gcp has the series. A check is made for the first
time some seconds after it was created, as Google takes a while. What has been measured is
forgotten with the daemon.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from sandbox import tasks
from sandbox.gcp.store import Store
from sandbox.traffic.load_balancer.unsupported import Unsupported
from sandbox.traffic.metrics import uptime_requests
from sandbox.traffic.metrics.exposition import Sample
from sandbox.traffic.metrics.uptime_requests import Place, Requests, Result
from sandbox.traffic.runtime.frontends import Frontend
from sandbox.well_known_types import seconds

Json = dict[str, Any]
PREFIX = "monitoring_googleapis_com:uptime_check_"
_COLLECTION = "/uptimeCheckConfigs/"
_LOOK = 1.0
FIRST = 5.0
"""Seconds from a check's creation to its first request."""
AFTER_START = 30.0
"""Seconds from the daemon's start to the first request: by then pods serve again, whose absence is
the sandbox's doing."""
_log = logging.getLogger("sandbox.traffic.metrics")


class UptimeChecks:
    """The uptime checks of all projects of a sandbox."""

    def __init__(
        self, store: Store, authority: Path, frontends: Callable[[], list[Frontend] | None]
    ) -> None:
        """`authority` is the certificate of the sandbox's own.

        `frontends` are those in force now; None while changes of them are under way: nothing is
        checked meanwhile.
        """
        self._store = store
        self._authority = authority
        self._frontends = frontends
        self._started: float | None = None
        self._due: dict[str, float] = {}
        self._bodies: dict[str, bytes] = {}
        self._checks: dict[str, Json] = {}
        self._results: dict[tuple[str, Place], Result] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Make the checks, until cancelled."""
        requests = Requests(self._authority)
        try:
            while True:
                self.begin_due(requests, time.monotonic())
                await asyncio.sleep(_LOOK)
        finally:
            await tasks.end(self._under_way)
            await requests.close()

    def begin_due(self, requests: Requests, now: float) -> None:
        """Begin the checks that are due."""
        self._read(now)
        found = self._frontends()
        if found is None:
            return
        for key, due in self._due.items():
            check = self._checks[key]
            if due > now or uptime_requests.unsupported(check):
                continue
            self._due[key] = now + seconds(check.get("period") or "60s")
            for place in uptime_requests.places(check):
                task = asyncio.create_task(self._make(key, check, place, requests, found))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)

    def samples(self, project: str) -> Iterator[Sample]:
        """The series of a project."""
        for (key, place), result in self._results.items():
            check = self._checks[key]
            _, _, owner, _, identity = key.split("/", 4)
            if owner != project:
                continue
            host = check["monitoredResource"]["labels"]["host"]
            labels = {
                "monitored_resource": "uptime_url",
                "project_id": project,
                "host": host,
                "check_id": identity,
                "checked_resource_id": host,
                "checker_location": place.location,
            }
            yield Sample(f"{PREFIX}check_passed", float(result.passed), labels)
            yield Sample(f"{PREFIX}request_latency", result.milliseconds, labels)
            if result.status is not None:
                yield Sample(f"{PREFIX}http_status", result.status, labels)

    def unsupported(self) -> list[Unsupported]:
        """The checks that are not made."""
        return [
            Unsupported(key.partition("/")[2], *why)
            for key, check in self._checks.items()
            if (why := uptime_requests.unsupported(check))
        ]

    def _read(self, now: float) -> None:
        """Note the checks that there are; one that was changed begins anew."""
        if self._started is None:
            self._started = now
        bodies = {
            key: body
            for key, body in self._store.bodies("monitoring/projects/").items()
            if _COLLECTION in key
        }
        for key in [one for one, body in self._bodies.items() if bodies.get(one) is not body]:
            del self._due[key], self._checks[key]
            for one in [one for one in self._results if one[0] == key]:
                del self._results[one]
        for key, body in bodies.items():
            if key not in self._checks:
                self._checks[key] = msgspec.json.decode(body)
                self._due[key] = max(now + FIRST, self._started + AFTER_START)
        self._bodies = bodies

    async def _make(
        self, key: str, check: Json, place: Place, requests: Requests, found: list[Frontend]
    ) -> None:
        try:
            result = await requests.send(check, place, found)
        except Exception:
            _log.exception("the uptime check %s failed in the sandbox", key)
            return
        with contextlib.suppress(KeyError):
            if self._checks[key] is check:
                self._results[key, place] = result
