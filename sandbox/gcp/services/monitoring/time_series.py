"""The time series that Google's services write, as PromQL has them.

Names and labels follow https://cloud.google.com/monitoring/promql/promql-mapping.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping

from sandbox.gcp.service import State
from sandbox.gcp.services.container import records
from sandbox.gcp.services.monitoring.metrics import METRICS
from sandbox.traffic.metrics.exposition import Sample

BACKLOG = "pubsub.googleapis.com/subscription/num_undelivered_messages"


async def samples(state: State, project: str) -> list[Sample]:
    """The last value of each series of a project."""
    found = list(_backlogs(state, project))
    if state.requests is not None:
        found += await asyncio.to_thread(state.requests.measurements.samples, project)
        exported = _with_gpu_exporter(state, project)
        found += await state.requests.accelerators.samples(project, exported=exported)
        found += state.requests.uptime.samples(project)
    if state.control_planes is None:
        return found
    stated = [
        Sample(promql_name(one.name), one.value, labels(one.name, one.labels, project))
        for one in await state.control_planes.measured(project)
    ]
    # What is stated by hand replaces what is counted.
    counted = [one for one in found if not any(_covers(other, one) for other in stated)]
    return list(
        {(one.name, *sorted(one.labels.items())): one for one in [*counted, *stated]}.values()
    )


def _covers(stated: Sample, counted: Sample) -> bool:
    """Whether a series has the name and all labels of one that is stated."""
    return stated.name == counted.name and stated.labels.items() <= counted.labels.items()


def _with_gpu_exporter(state: State, project: str) -> frozenset[str]:
    """The clusters in which GKE runs its DCGM exporter, and collects from it."""
    found = set()
    for record in records.in_location(state.store, project, "-"):
        cluster = record["cluster"]
        config = cluster.get("monitoringConfig") or {}
        components = (config.get("componentConfig") or {}).get("enableComponents") or []
        collects = (config.get("managedPrometheusConfig") or {}).get("enabled")
        if collects and "DCGM" in components:
            found.add(f"{project}.{cluster['location']}.{cluster['name']}")
    return frozenset(found)


def _backlogs(state: State, project: str) -> Iterator[Sample]:
    """The messages that no subscriber has acknowledged, by subscription."""
    folder = f"pubsub/projects/{project}/subscriptions"
    for name, _ in state.store.collection(folder):
        count = sum(1 for _ in state.store.collection(f"{folder}/{name}/messages"))
        resource = {"resource.labels.subscription_id": name}
        yield Sample(promql_name(BACKLOG), count, labels(BACKLOG, resource, project))


def labels(name: str, given: Mapping[str, str], project: str) -> dict[str, str]:
    """The labels of a series of the metric type `name`.

    A metric's label that the resource has too is prefixed.
    """
    known = METRICS.get(name)
    found = {"project_id": project}
    if known and len(known.resources) == 1:
        found["monitored_resource"] = next(iter(known.resources))
    for key, value in sorted(given.items(), reverse=True):  # resource.* before metric.*
        label = key.rpartition(".")[2]
        if key == "resource.type":
            label = "monitored_resource"
        elif key.startswith("metric.") and label in found:
            label = f"metric_{label}"
        found[label] = value
    return found


def promql_name(metric_type: str) -> str:
    """The PromQL name of a metric type: its first slash becomes a colon."""
    if "/" not in metric_type:
        return metric_type
    service, _, path = metric_type.partition("/")
    return ":".join(re.sub(r"[^A-Za-z0-9_]", "_", part) for part in (service, path))
