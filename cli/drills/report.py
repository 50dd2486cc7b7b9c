"""What a drill has shown: requests by phase, the disruption budget, and the events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cli.courses.course import Event, Sample
from cli.drills.drill import Drill
from cli.traffic.connection import Loss
from cli.traffic.figures import Figures, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcome of one drill."""

    drill: Drill
    result: Result
    events: tuple[Event, ...]
    acted: float
    """When it was done, in seconds since the load began; `restored`: when it was taken back."""
    restored: float
    below_budget: float | None
    """Seconds with fewer available replicas than the budget demands; None without a budget."""
    fewest: int | None
    """The fewest available replicas at any moment; `desired`: what the budget demanded then."""
    desired: int | None
    replicas: tuple[Sample, ...] = ()
    """Available replicas over time, and what the budget demanded; empty without a budget."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What should not have happened; empty if the drill has passed."""
        found = []
        if self.result.total_lost and not self.drill.may_lose:
            found.append(f"{self.result.total_lost} requests were lost")
        if self.below_budget and not self.drill.may_break_budget:
            found.append(f"the disruption budget was broken for {self.below_budget:.1f} s")
        for code, count in sorted(self.result.statuses.items()):
            if 400 <= code < 500:
                found.append(f"{count} requests were refused with {code}")
        if not self.result.answered:
            found.append("no request was answered")
        return tuple(found)

    @property
    def phases(self) -> dict[str, Figures]:
        """The figures before, during and after; by the second in which a request was to be sent."""
        seconds = self.result.per_second
        during, after = math.floor(self.acted), math.ceil(self.restored)
        return {
            "before": total(seconds[:during]),
            "during": total(seconds[during:after]),
            "after": total(seconds[after:]),
        }

    @property
    def steps(self) -> tuple[tuple[Event, Figures], ...]:
        """Each event with the figures of the whole seconds until the next one."""
        seconds = self.result.per_second
        ends = [*(math.floor(one.at) for one in self.events[1:]), len(seconds)]
        return tuple(
            (event, total(seconds[math.ceil(event.at) : end]))
            for event, end in zip(self.events, ends, strict=True)
        )

    def document(self) -> dict[str, Any]:
        """As JSON."""
        result = self.result
        return {
            "drill": self.drill.name,
            "passed": not self.problems,
            "problems": list(self.problems),
            "sent": result.sent,
            "answered": result.answered,
            "lost": {one.value: result.lost[one] for one in Loss},
            "by_status": {str(code): count for code, count in sorted(result.statuses.items())},
            "phases": {name: _phase(one) for name, one in self.phases.items()},
            "budget": None
            if self.below_budget is None
            else {
                "seconds_below": round(self.below_budget, 1),
                "fewest_available": self.fewest,
                "demanded": self.desired,
            },
            "events": [
                {"at": round(one.at, 1), "event": one.text, "until_next": _phase(then)}
                for one, then in self.steps
            ],
        }

    def text(self) -> str:
        """For people."""
        result = self.result
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(result.lost.items()) if count)
        lost = f"lost {result.total_lost}{f' ({kinds})' if kinds else ''}"
        lines = [f"sent {result.sent}, answered {result.answered}, {lost}"]
        for name, one in self.phases.items():
            p99 = one.latencies.milliseconds()["p99"]
            shown = "-" if p99 is None else f"{p99:.1f} ms"
            lines.append(
                f"  {name:<7} sent {one.sent:<6} lost {one.total_lost:<5} p99 {shown:<12} "
                f"{_shares(one)}".rstrip()
            )
        lines += [
            f"  {event.text}: {shares}" for event, then in self.steps if (shares := _shares(then))
        ]
        if self.below_budget is None:
            lines.append("no disruption budget")
        else:
            lines.append(
                f"below the disruption budget for {self.below_budget:.1f} s; at the least "
                f"{self.fewest} replicas were available, {self.desired} demanded"
            )
        return "\n".join(lines)


def hint(report: Report, kind: str) -> str:
    """Why callers of an exposure of this kind lost requests, where that is known; else empty."""
    if kind != "load-balancer" or not report.result.lost[Loss.RESET]:
        return ""
    return (
        "a network load balancer leaves callers' connections with a pod until it ends, in the "
        "account too; callers repeat such requests, or use the HTTP load balancer: "
        "docs/guides/ending-pods.md"
    )


def total(seconds: Sequence[Figures]) -> Figures:
    """The figures of several seconds together."""
    whole = Figures()
    for one in seconds:
        whole.include(one)
    return whole


def _phase(one: Figures) -> dict[str, Any]:
    return {
        "sent": one.sent,
        "lost": one.total_lost,
        "latencies_ms": one.latencies.milliseconds(),
        "by_version": dict(sorted(one.versions.items())),
    }


def _shares(one: Figures) -> str:
    if len(one.versions) < 2:
        return ""
    total_ = one.versions.total()
    return ", ".join(f"{name} {count / total_:.1%}" for name, count in one.versions.most_common(4))
