"""How long a model had fewer available replicas than its disruption budget demands.

The API server's own count is taken: `currentHealthy` and `desiredHealthy` of the budget's status.
The disruption controller counts ready pods that do not end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from itertools import pairwise

from cli.courses.course import Sample
from cli.drills.cluster import Cluster, Json
from cli.errors import CliError

_EVERY = 0.1
"""Seconds between two looks."""


def seconds_below(samples: Iterable[Sample]) -> float:
    """For how long fewer pods were healthy than the budget demands."""
    return sum(
        after.at - before.at
        for before, after in pairwise(samples)
        if before.healthy < before.desired
    )


class BudgetWatch:
    """Looks at a budget several times a second, in a thread of its own."""

    def __init__(self, cluster: Cluster, path: str | None, now: Callable[[], float]) -> None:
        """`path` is the budget's; None for a model without one."""
        self._cluster, self._path, self._now = cluster, path, now
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
        """The look with the fewest healthy pods; None without a budget."""
        return min(self.samples, key=lambda one: one.healthy, default=None)

    def _run(self) -> None:
        assert self._path is not None  # noqa: S101 (`start` asks for it)
        while not self._stop.wait(_EVERY):
            try:
                found = self._cluster.get(self._path)
            except CliError:
                continue  # the control plane is busy; the last look holds until the next
            if found is not None:
                self.samples.append(_sample(self._now(), found))


def _sample(at: float, budget: Json) -> Sample:
    status = budget.get("status") or {}
    return Sample(at, status.get("currentHealthy", 0), status.get("desiredHealthy", 0))


def budget_of(cluster: Cluster, deployment: Json) -> str | None:
    """The path of the budget that covers the pods of a Deployment; None if there is none."""
    labels = deployment["spec"]["template"]["metadata"].get("labels") or {}
    path = f"/apis/policy/v1/namespaces/{deployment['metadata']['namespace']}/poddisruptionbudgets"
    for one in cluster.items(path):
        selected = (one["spec"].get("selector") or {}).get("matchLabels") or {}
        if selected and selected.items() <= labels.items():
            return f"{path}/{one['metadata']['name']}"
    return None
