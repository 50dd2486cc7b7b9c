"""What GKE's managed DCGM exporter measures of the GPUs that pods hold.

Its metrics and their labels are those of a cluster of GKE 1.34 (gke-dcgm-exporter 4.4.1-4.6.0);
`modelName` and `pci_bus_id` are left out. Engines are at work while a server works on a request.
Memory is what vLLM takes at its start. What cannot be known here has no series: tensor cores,
memory bandwidth, power, temperature, GPUs that no pod holds, and GPUs that pods share. Names:
https://docs.cloud.google.com/kubernetes-engine/docs/how-to/dcgm-metrics.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from facts.accelerator_memory import memory_of
from sandbox.traffic.metrics.exposition import Sample

Json = Mapping[str, Any]
JOB = "gke-managed-dcgm-exporter"
ENGINE = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
USED, FREE, TOTAL = "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE", "DCGM_FI_DEV_FB_TOTAL"
_TYPE = "cloud.google.com/gke-accelerator"
_SHARED = ("cloud.google.com/gke-gpu-sharing-strategy", "cloud.google.com/gke-gpu-partition-size")
_DRIVER = "cloud.google.com/gke-gpu-driver-version"
_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A container that holds GPUs."""

    cluster: str
    """`project.location.name`."""
    node: str
    namespace: str
    pod: str
    container: str
    gpus: int
    busy: float
    """The share of the time that its server was busy, 0 to 1."""
    memory_share: float
    """The share of the GPUs' memory that its server takes; 0: not known."""


def samples(holders: Iterable[Holder], nodes: Mapping[str, Json]) -> Iterator[Sample]:
    """The series of the GPUs that the containers hold. `nodes` are by cluster and name."""
    taken: Counter[str] = Counter()
    for one in sorted(holders, key=lambda one: (one.cluster, one.node, one.namespace, one.pod)):
        place = f"{one.cluster}/{one.node}"
        labels = (nodes.get(place, {}).get("metadata") or {}).get("labels") or {}
        # The exporter runs where GKE installs the driver.
        if _DRIVER not in labels or any(label in labels for label in _SHARED):
            continue
        for _ in range(one.gpus):
            yield from _of_gpu(one, taken[place], str(labels.get(_TYPE, "")))
            taken[place] += 1


def _of_gpu(holder: Holder, index: int, kind: str) -> Iterator[Sample]:
    project, location, name = holder.cluster.rsplit(".", 2)
    labels = {
        "project_id": project,
        "location": location,
        "cluster": name,
        "job": JOB,
        "instance": f"{holder.node}:metrics",
        "Hostname": holder.node,
        "gpu": str(index),
        "device": f"nvidia{index}",
        "UUID": f"GPU-{uuid.uuid5(uuid.NAMESPACE_DNS, f'{holder.cluster}/{holder.node}/{index}')}",
        "namespace": holder.namespace,
        "pod": holder.pod,
        "container": holder.container,
    }
    yield Sample(ENGINE, holder.busy, labels)
    memory = memory_of(kind)
    if memory is None or not holder.memory_share:
        return
    used = memory.visible * holder.memory_share // _MIB
    yield Sample(USED, used, labels)
    yield Sample(FREE, memory.visible // _MIB - used, labels)
    yield Sample(TOTAL, memory.total // _MIB, labels)
