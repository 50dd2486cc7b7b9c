"""Managed Service for Prometheus in a cluster: the kind PodMonitoring.

What Google's services would measure is stated by annotations of namespaces, except what the
emulated services know themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.gateway_api import wait_until_listed

Json = dict[str, Any]
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
class Measured:
    """The last value of a time series of Cloud Monitoring."""

    name: str
    """A metric type of Cloud Monitoring."""
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    """`resource.type`, `resource.labels.…` and `metric.labels.…`, as in the annotation."""


async def install(server: ApiServer) -> None:
    """Define PodMonitoring and return when it is served."""
    body = _DEFINITION.read_bytes()
    await server.apply_text(f"{_DEFINITIONS}/{_NAME}", body, manager="addon-manager")
    await wait_until_listed(server, POD_MONITORINGS)


async def reported(server: ApiServer) -> list[Measured]:
    """The metrics of Google's services."""
    found = []
    for namespace in (await server.list("/api/v1/namespaces"))["items"]:
        text = (namespace["metadata"].get("annotations") or {}).get(SERIES, "[]")
        for series in json.loads(text):
            name = series["name"].replace("|", "/")
            found.append(Measured(name, float(series["value"]), series.get("labels", {})))
    return found
