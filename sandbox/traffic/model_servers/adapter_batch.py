"""The LoRA adapters of a vLLM server's batch: which fit, and what its gauge tells of them.

A batch has requests of `--max-loras` adapters at most; a request for another one waits, and those
behind it that fit go first (`vllm/v1/core/sched/scheduler.py`). The gauge is
`vllm:lora_requests_info`: the names are its labels, the value is the time of the last step. Each
pair of names is a series that stays (`vllm/v1/metrics/loggers.py`). There is none before the first
request.

Both labels have each adapter that has requests, whether these run or wait: vLLM counts both for
each adapter, also none, and joins the names alone (`LoRARequestStates.update_scheduler_stats` in
`vllm/v1/metrics/stats.py` of v0.30; an adapter that only waits is counted with 0 running in
`tests/v1/engine/test_output_processor.py`).
"""

from __future__ import annotations

import time
from collections import Counter

_STEP = 1e-4
"""Seconds between two steps at least, so that one series is the newest."""


class AdapterBatch:
    """The adapters of one server, by the requests that run and wait."""

    def __init__(self, most: int) -> None:
        """`most` adapters fit."""
        self.most = most
        self._running: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._seen: dict[str, float] = {}
        self._last = 0.0

    def fits(self, adapter: str) -> bool:
        """Whether a request may run now; an empty name is the model itself."""
        return not adapter or adapter in self._running or len(self._running) < self.most

    def wait(self, adapter: str) -> None:
        """Take note of a request that waits."""
        _add(self._waiting, adapter)
        self._step()

    def leave(self, adapter: str) -> None:
        """Take note of a request that waits no longer, and does not run."""
        _remove(self._waiting, adapter)
        self._step()

    def begin(self, adapter: str, *, has_waited: bool) -> None:
        """Take note of a request that runs."""
        if has_waited:
            _remove(self._waiting, adapter)
        _add(self._running, adapter)
        self._step()

    def end(self, adapter: str) -> None:
        """Take note of a request that has run."""
        _remove(self._running, adapter)
        self._step()

    def series(self) -> dict[str, float]:
        """The time of the last step by the names of those that have requests.

        A server that works makes steps; one that is idle makes none.
        """
        if self._running or self._waiting:
            self._step()
        return dict(self._seen)

    def _step(self) -> None:
        self._last = max(time.time(), self._last + _STEP)
        names = self._running.keys() | self._waiting.keys()
        self._seen[",".join(sorted(names))] = self._last


def _add(counted: Counter[str], adapter: str) -> None:
    if adapter:
        counted[adapter] += 1


def _remove(counted: Counter[str], adapter: str) -> None:
    if adapter:
        counted[adapter] -= 1
        if not counted[adapter]:
            del counted[adapter]
