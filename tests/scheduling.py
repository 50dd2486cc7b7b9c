"""Which tests each of pytest-xdist's workers takes next. Not a test.

Tests that start real processes wait much of the time, so there is one worker more than there are
cores. It fills the gaps: it takes the other tests first, at a lower priority. The rest begin with
the groups of slow tests, the longest first. Tests of one module stay together, so that what they
share is made once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xdist.scheduler import LoadGroupScheduling

LONGEST = (
    "rehearsal", "kubernetes", "environments", "accelerators", "pooled", "interruptions",
    "fourth", "plugins-cluster", "smallest", "test_language_model_charts", "test_prometheus",
)  # fmt: skip
"""Groups that take long, the longest first; the last ones a minute and half of one.

One that began last would keep the other workers waiting.
"""
NICENESS = 5
"""Of the worker that fills the gaps."""


def scope(nodeid: str) -> str:
    """What a test is taken with: its group, as `@group`, or its module."""
    module, _, name = nodeid.partition("::")
    is_grouped = name.rfind("@") > name.rfind("]")  # an `@` may stand in a parameter
    return f"@{name.rpartition('@')[2]}" if is_grouped else module


def order(sizes: Mapping[str, int]) -> list[str]:
    """The scopes, by how many tests each has: long groups, other groups, modules."""

    def place(one: str) -> tuple[bool, int, int]:
        group = one.removeprefix("@")
        rank = LONGEST.index(group) if group in LONGEST else len(LONGEST)
        return group == one, rank, -sizes[one]

    return sorted(sizes, key=place)


def next_scope(sizes: Mapping[str, int], *, is_filling: bool) -> str:
    """What a worker takes next; one that fills the gaps takes modules while there are any."""
    scopes = order(sizes)
    modules = (one for one in scopes if not one.startswith("@"))
    return next(modules, scopes[0]) if is_filling else scopes[0]


def needs_more(pending: int) -> bool:
    """Whether a worker needs more than the tests that it has, of which it runs the first.

    It runs a test once it knows the next one, since that says which fixtures end. xdist gives
    more while there are two: then a worker in a long test holds two groups that idle ones could
    take.
    """
    return pending < 2


def fills_gaps(worker: str, workers: int) -> bool:
    """Whether the worker, such as `gw2`, is the one that fills the gaps: the last of several."""
    return workers > 2 and worker == f"gw{workers - 1}"


class Scheduling(LoadGroupScheduling):  # type: ignore[misc]  # xdist has no types
    """xdist's `loadgroup`, in the order of this module."""

    def _split_scope(self, nodeid: str) -> str:
        return scope(nodeid)

    def _reschedule(self, node: Any) -> None:
        pending = self._pending_of(self.assigned_work[node])
        if (
            needs_more(pending) or not self.workqueue
        ):  # with nothing left, the worker is told to end
            super()._reschedule(node)

    def _assign_work_unit(self, node: Any) -> None:
        sizes = {one: len(tests) for one, tests in self.workqueue.items()}
        is_filling = fills_gaps(node.gateway.id, self.numnodes)
        self.workqueue.move_to_end(next_scope(sizes, is_filling=is_filling), last=False)
        super()._assign_work_unit(node)
