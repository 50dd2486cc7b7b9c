"""The duty cycle of GPUs, from how long the model servers of containers with GPUs were busy.

https://cloud.google.com/monitoring/api/metrics_kubernetes: percent of the time over the past
sample period in which the accelerator worked. A server works while a request is worked on, which
takes no time unless a latency is set.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import msgspec

from sandbox.traffic.metrics.exposition import Sample

NAME = "kubernetes_io:container_accelerator_duty_cycle"
SHORTEST = 5.0
"""Seconds of a sample period at least: until then the last values stand."""
_Key = tuple[str, ...]
"""Cluster, namespace, pod and container."""


class _Record(msgspec.Struct):
    port: int


class Accelerators:
    """The GPUs of all pods of a sandbox."""

    def __init__(self, record: Path) -> None:
        """`record` is the file with the port of the model servers' control."""
        self._record = record
        self._http = httpx.AsyncClient(timeout=5, trust_env=False)
        self._taken = float("-inf")
        self._busy: dict[_Key, float] = {}
        self._percent: dict[_Key, float] = {}

    async def samples(self, project: str) -> list[Sample]:
        """The series of a project; none while the model servers do not answer."""
        now = time.monotonic()
        if now - self._taken >= SHORTEST:
            try:
                record = msgspec.json.decode(self._record.read_bytes(), type=_Record)
                answer = await self._http.get(f"http://127.0.0.1:{record.port}/pods")
                self._take(now, answer.json())
            except (OSError, ValueError, httpx.HTTPError):
                return []  # they start, or end
        return [
            Sample(NAME, percent, _labels(key))
            for key, percent in self._percent.items()
            if key[0].partition(".")[0] == project
        ]

    def _take(self, now: float, pods: list[dict[str, Any]]) -> None:
        """Note how long each container was busy since the last time."""
        busy: dict[_Key, float] = {
            (pod["cluster"], pod["namespace"], pod["pod"], server["container"]): server[
                "busySeconds"
            ]
            for pod in pods
            for server in pod["servers"]
            if server["gpus"]
        }
        self._percent = {
            key: 100
            * min(1.0, max(0.0, seconds - self._busy.get(key, seconds)) / (now - self._taken))
            for key, seconds in busy.items()
        }
        self._busy, self._taken = busy, now

    async def close(self) -> None:
        """Close connections."""
        await self._http.aclose()


def _labels(key: _Key) -> dict[str, str]:
    cluster, namespace, pod, container = key
    project, location, name = cluster.split(".", 2)
    return {
        "monitored_resource": "k8s_container",
        "project_id": project,
        "location": location,
        "cluster_name": name,
        "namespace_name": namespace,
        "pod_name": pod,
        "container_name": container,
        "make": "nvidia",
    }
