"""What Google measures of GPUs, from how long the servers of containers with GPUs were busy.

The duty cycle is GKE's system metric; `gpus` has what its DCGM exporter measures.
https://cloud.google.com/monitoring/api/metrics_kubernetes: percent of the time over the past
sample period in which the accelerator worked. A server works while a request is worked on, which
takes no time unless a latency is set.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec

from sandbox.kubernetes.cluster_objects import ClusterObjects
from sandbox.traffic.metrics import gpus
from sandbox.traffic.metrics.exposition import Sample
from sandbox.traffic.metrics.gpus import Holder

NAME = "kubernetes_io:container_accelerator_duty_cycle"
SHORTEST = 5.0
"""Seconds of a sample period at least: until then the last values stand."""
_Key = tuple[str, ...]
"""Cluster, namespace, pod and container."""


class _Record(msgspec.Struct):
    port: int


class Accelerators:
    """The GPUs of all pods of a sandbox."""

    def __init__(self, record: Path, objects: Callable[[], Sequence[ClusterObjects]]) -> None:
        """`record` is the file with the port of the model servers' control."""
        self._record = record
        self._objects = objects
        self._http = httpx.AsyncClient(timeout=5, trust_env=False)
        self._taken = float("-inf")
        self._busy: dict[_Key, float] = {}
        self._holders: dict[_Key, Holder] = {}

    async def samples(self, project: str, *, exported: Collection[str]) -> list[Sample]:
        """The series of a project; none while the model servers do not answer.

        `exported` are the clusters with a DCGM exporter, `project.location.name`.
        """
        now = time.monotonic()
        if now - self._taken >= SHORTEST:
            try:
                record = msgspec.json.decode(self._record.read_bytes(), type=_Record)
                answer = await self._http.get(f"http://127.0.0.1:{record.port}/pods")
                self._take(now, answer.json())
            except (OSError, ValueError, httpx.HTTPError):
                return []  # they start, or end
        holders = [
            one for one in self._holders.values() if one.cluster.rsplit(".", 2)[0] == project
        ]
        nodes = {
            f"{one.cluster}/{node['metadata']['name']}": node
            for one in self._objects()
            for node in one.nodes
        }
        cycles = [Sample(NAME, 100 * one.busy, _labels(one)) for one in holders]
        measured = [one for one in holders if one.cluster in exported]
        return [*cycles, *gpus.samples(measured, nodes)]

    def _take(self, now: float, pods: list[dict[str, Any]]) -> None:
        """Note how long each container was busy since the last time."""
        found: dict[_Key, tuple[dict[str, Any], dict[str, Any]]] = {
            (pod["cluster"], pod["namespace"], pod["pod"], server["container"]): (pod, server)
            for pod in pods
            for server in pod["servers"]
            if server["gpus"]
        }
        busy = {key: float(server["busySeconds"]) for key, (_, server) in found.items()}
        passed = now - self._taken
        self._holders = {
            key: Holder(
                cluster=pod["cluster"],
                node=pod["node"],
                namespace=pod["namespace"],
                pod=pod["pod"],
                container=server["container"],
                gpus=server["gpus"],
                busy=min(1.0, max(0.0, busy[key] - self._busy.get(key, busy[key])) / passed),
                memory_share=server["memoryShare"] if server["isLoaded"] else 0.0,
            )
            for key, (pod, server) in found.items()
        }
        self._busy, self._taken = busy, now

    async def close(self) -> None:
        """Close connections."""
        await self._http.aclose()


def _labels(one: Holder) -> dict[str, str]:
    project, location, name = one.cluster.rsplit(".", 2)
    return {
        "monitored_resource": "k8s_container",
        "project_id": project,
        "location": location,
        "cluster_name": name,
        "namespace_name": one.namespace,
        "pod_name": one.pod,
        "container_name": one.container,
        "make": "nvidia",
    }
