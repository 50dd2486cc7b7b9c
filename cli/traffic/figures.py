"""The figures of a load: what was sent, answered and lost, and how long the answers took."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from cli.traffic.connection import Answer, Loss

_STEP = math.log(1.01)
_SMALLEST = 1e-5


class Latencies:
    """A histogram with buckets 1 % apart: its memory does not grow with the load."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.count = 0
        self.longest = 0.0

    def add(self, seconds: float) -> None:
        """Count one latency."""
        bucket = math.ceil(math.log(max(seconds, _SMALLEST) / _SMALLEST) / _STEP)
        self._buckets[bucket] += 1
        self.count += 1
        self.longest = max(self.longest, seconds)

    def include(self, others: Latencies) -> None:
        """Count all of another histogram."""
        self._buckets += others._buckets
        self.count += others.count
        self.longest = max(self.longest, others.longest)

    def quantile(self, share: float) -> float | None:
        """The latency in seconds that `share` of all do not exceed; None without any."""
        rank, passed = math.ceil(self.count * share), 0
        for bucket in sorted(self._buckets):
            passed += self._buckets[bucket]
            if passed >= rank:
                return min(_SMALLEST * math.exp(bucket * _STEP), self.longest)
        return None

    def milliseconds(self) -> dict[str, float | None]:
        """The median, the 90th and 99th percentile and the longest."""
        found = {f"p{share}": self.quantile(share / 100) for share in (50, 90, 99)}
        found["max"] = self.longest if self.count else None
        return {name: _rounded(value) for name, value in found.items()}


@dataclass(slots=True)
class Figures:
    """Counts of the requests that were to be sent in a period."""

    sent: int = 0
    answered: int = 0
    """With a status below 500."""
    lost: Counter[Loss] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    pods: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    latencies: Latencies = field(default_factory=Latencies)

    def add(self, result: Answer | Loss, seconds: float) -> None:
        """Count what became of one request, `seconds` after it was to be sent."""
        if isinstance(result, Loss):
            self.lost[result] += 1
            return
        self.statuses[result.status] += 1
        if pod := result.served_by.get("pod"):
            self.pods[pod] += 1
        # The Deployment tells a canary from its model, even if both run one image.
        if version := result.served_by.get("workload") or result.served_by.get("version"):
            self.versions[version] += 1
        if result.status >= 500:
            self.lost[Loss.SERVER_ERROR] += 1
            return
        self.answered += 1
        self.latencies.add(seconds)

    def include(self, others: Figures) -> None:
        """Count those of another period as well."""
        self.sent += others.sent
        self.answered += others.answered
        self.lost += others.lost
        self.statuses += others.statuses
        self.pods += others.pods
        self.versions += others.versions
        self.latencies.include(others.latencies)

    @property
    def total_lost(self) -> int:
        """Requests with no answer, or with a 5xx."""
        return self.lost.total()


@dataclass(slots=True)
class Result(Figures):
    """The figures of a whole load."""

    seconds: float = 0.0
    """How long requests were sent."""
    per_second: list[Figures] = field(default_factory=list)
    """By the second in which a request was to be sent, whenever its answer came."""
    reason: str = ""
    """Why the last connection failed that could not be opened; empty if none failed."""

    @property
    def unfinished(self) -> int:
        """Requests under way when the load was stopped: neither answered nor lost."""
        return self.sent - self.answered - self.total_lost

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "sent": self.sent,
            "answered": self.answered,
            "lost": {one.value: self.lost[one] for one in Loss},
            "unfinished": self.unfinished,
            "seconds": round(self.seconds, 3),
            **({"reason": self.reason} if self.reason else {}),
            "latencies_ms": self.latencies.milliseconds(),
            "by_status": {str(code): count for code, count in sorted(self.statuses.items())},
            "by_pod": dict(sorted(self.pods.items())),
            "by_version": dict(sorted(self.versions.items())),
            "per_second": [
                {
                    "second": second,
                    "sent": one.sent,
                    "answered": one.answered,
                    "lost": one.total_lost,
                    **one.latencies.milliseconds(),
                    "pods": len(one.pods),
                }
                for second, one in enumerate(self.per_second)
            ],
        }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
