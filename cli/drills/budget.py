"""How long a model had fewer available replicas than its disruption budget demands.

The API server's own count is taken: `currentHealthy` and `desiredHealthy` of the budget's status.
The disruption controller counts ready pods that do not end. Of groups it counts all their pods, and
what is compared here is the groups (`cli/workloads.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from itertools import pairwise

from cli import workloads
from cli.courses.course import Sample
from cli.drills.cluster import Cluster, Json, workload_path
from cli.errors import CliError

_EVERY = 0.1
"""Seconds between two looks."""


def seconds_below(samples: Iterable[Sample]) -> float:
    """For how long fewer replicas were healthy than the budget demands."""
    return sum(
        after.at - before.at
        for before, after in pairwise(samples)
        if before.healthy < before.desired
    )


class BudgetWatch:
    """Looks at a budget several times a second, in a thread of its own."""

    def __init__(
        self, cluster: Cluster, path: str | None, workload: Json, now: Callable[[], float]
    ) -> None:
        """`path` is the budget's; None for a model without one."""
        self._cluster, self._path, self._workload, self._now = cluster, path, workload, now
        self.samples: list[Sample] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        if self._path is not None:
            self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def fewest(self) -> Sample | None:
        """The look with the fewest healthy replicas; None without a budget."""
        return min(self.samples, key=lambda one: one.healthy, default=None)

    def _run(self) -> None:
        assert self._path is not None  # noqa: S101 (`start` asks for it)
        while not self._stop.wait(_EVERY):
            try:
                found = self._cluster.get(self._path)
                groups = self._groups()
            except CliError:
                continue  # the control plane is busy; the last look holds until the next
            if found is not None:
                desired, healthy = workloads.budget(groups, found.get("status") or {})
                self.samples.append(Sample(self._now(), healthy, desired))

    def _groups(self) -> Json | None:
        """The model's groups as they are now; None where its replicas are pods."""
        if not workloads.is_groups(self._workload):
            return None
        now = self._cluster.get(workload_path(self._workload))
        return None if now is None else {**self._workload, **now}


def budget_of(cluster: Cluster, workload: Json) -> str | None:
    """The path of the budget that covers the pods of a workload; None if there is none."""
    labels = workloads.template_of(workload)["metadata"].get("labels") or {}
    path = f"/apis/policy/v1/namespaces/{workload['metadata']['namespace']}/poddisruptionbudgets"
    for one in cluster.items(path):
        selected = (one["spec"].get("selector") or {}).get("matchLabels") or {}
        if selected and selected.items() <= labels.items():
            return f"{path}/{one['metadata']['name']}"
    return None
