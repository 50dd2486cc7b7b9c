"""Managed Service for Prometheus in a cluster: the kind PodMonitoring, and what it collects.

Model servers do not run here, so their gauges come from annotations; a gauge exists only if a
PodMonitoring selects its pod. The metrics of Google's services come from annotations too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.gateway_api import wait_until_listed

Json = dict[str, Any]
GAUGES = "sandbox/gauges"
"""Annotation of a pod: `{"<gauge>": "<number>"}`."""
SERIES = "sandbox/time-series"
"""Annotation of a namespace: `[{"name": "<metric type>", "labels": {…}, "value": "<number>"}]`.

The labels are `resource.labels.…` and `metric.labels.…`, `resource.type` names the monitored
resource.
"""
POD_MONITORINGS = "/apis/monitoring.googleapis.com/v1/podmonitorings"
_DEFINITION = Path(__file__).parent / "defaults" / "managed-prometheus" / "podmonitorings.yaml"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_NAME = "podmonitorings.monitoring.googleapis.com"


@dataclass(frozen=True, slots=True)
class Sample:
    """The last value of a time series."""

    name: str
    """A Prometheus metric's name, or a metric type of Cloud Monitoring."""
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels of the Prometheus target; for a metric type, those of the annotation."""


async def install(server: ApiServer) -> None:
    """Define PodMonitoring and return when it is served."""
    body = _DEFINITION.read_bytes()
    await server.apply_text(f"{_DEFINITIONS}/{_NAME}", body, manager="addon-manager")
    await wait_until_listed(server, POD_MONITORINGS)


async def collected(server: ApiServer, labels: Mapping[str, str]) -> list[Sample]:
    """What a cluster's PodMonitorings collect now. `labels` are the project's and cluster's."""
    monitorings = (await server.list(POD_MONITORINGS))["items"]
    if not monitorings:
        return []
    pods = (await server.list("/api/v1/pods"))["items"]
    return [
        sample
        for monitoring in monitorings
        for pod in pods
        if _selects(monitoring, pod)
        for endpoint in monitoring["spec"]["endpoints"]
        if (port := _port(pod, endpoint["port"])) is not None
        for sample in _gauges(monitoring, pod, port, labels)
    ]


async def reported(server: ApiServer) -> list[Sample]:
    """The metrics of Google's services."""
    found = []
    for namespace in (await server.list("/api/v1/namespaces"))["items"]:
        text = (namespace["metadata"].get("annotations") or {}).get(SERIES, "[]")
        for series in json.loads(text):
            name = series["name"].replace("|", "/")
            found.append(Sample(name, float(series["value"]), series.get("labels", {})))
    return found


def _selects(monitoring: Json, pod: Json) -> bool:
    if monitoring["metadata"]["namespace"] != pod["metadata"]["namespace"]:
        return False
    if (pod.get("status") or {}).get("phase") != "Running":
        return False
    labels = pod["metadata"].get("labels") or {}
    selector = monitoring["spec"]["selector"]
    return (selector.get("matchLabels") or {}).items() <= labels.items() and all(
        _holds(one, labels) for one in selector.get("matchExpressions") or []
    )


def _holds(expression: Json, labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    values = expression.get("values") or []
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case _:  # DoesNotExist
            return value is None


def _port(pod: Json, wanted: int | str) -> int | None:
    """The number of a port, which must be declared if it is a name."""
    if isinstance(wanted, int):
        return wanted
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or []:
            if port.get("name") == wanted:
                return int(port["containerPort"])
    return None


def _gauges(monitoring: Json, pod: Json, port: int, labels: Mapping[str, str]) -> Iterator[Sample]:
    metadata = pod["metadata"]
    target = {
        **labels,
        "namespace": metadata["namespace"],
        "job": monitoring["metadata"]["name"],
        "instance": f"{metadata['name']}:{port}",
        "pod": metadata["name"],
    }
    gauges = json.loads((metadata.get("annotations") or {}).get(GAUGES, "{}"))
    for name, value in gauges.items():
        yield Sample(name, float(value), target)
