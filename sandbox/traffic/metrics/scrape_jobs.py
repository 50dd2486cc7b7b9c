"""Prometheus's scrape jobs from PodMonitorings, as Managed Service for Prometheus makes them.

Labels of a target, defaults and selection follow
https://github.com/GoogleCloudPlatform/prometheus-engine/blob/main/doc/api.md. The address is the
dial plan's: the pod's own cannot be dialled.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.traffic.dial_plan import DialPlan

Json = dict[str, Any]
_METADATA = ("pod", "container", "top_level_controller_name", "top_level_controller_type")
"""The labels that a PodMonitoring's `targetLabels.metadata` has by default."""
_REPLICA_SET_HASH = re.compile(r"-[0-9a-z]+$")
NOBODY = "127.0.0.1:1"
"""The address of a pod that nobody answers for: refused at once, so that the target is down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where the pods are; `location` and `name` as the container API has them."""

    project: str
    location: str
    name: str

    @property
    def labels(self) -> dict[str, str]:
        """What every target of the cluster is labelled with."""
        return {"project_id": self.project, "location": self.location, "cluster": self.name}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeJob:
    """An endpoint of a PodMonitoring: how it is scraped, and its targets at the moment."""

    name: str
    settings: Json
    """Fields of Prometheus's `scrape_config`, without targets."""
    targets: tuple[tuple[str, Mapping[str, str]], ...]
    """Address and labels of each."""


def jobs(
    cluster: Cluster, monitorings: Iterable[Json], pods: Iterable[Json], plan: DialPlan
) -> list[ScrapeJob]:
    """A job for each endpoint of each PodMonitoring, sorted by name."""
    running = [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Running"]
    found = []
    for monitoring in monitorings:
        metadata = monitoring["metadata"]
        selected = [pod for pod in running if _selects(monitoring, pod)]
        for index, endpoint in enumerate(monitoring["spec"]["endpoints"]):
            targets = [
                target
                for pod in selected
                if (target := _target(cluster, monitoring, endpoint, pod, plan)) is not None
            ]
            name = f"{cluster.location}/{cluster.name}/{metadata['namespace']}/{metadata['name']}"
            found.append(
                ScrapeJob(
                    name=f"{name}/{index}",
                    settings=_settings(monitoring, endpoint),
                    targets=tuple(sorted(targets, key=lambda one: one[1]["instance"])),
                )
            )
    return sorted(found, key=lambda job: job.name)


def _settings(monitoring: Json, endpoint: Json) -> Json:
    interval = endpoint.get("interval") or "1m"
    settings: Json = {
        "scrape_interval": interval,
        "scrape_timeout": endpoint.get("timeout") or interval,
        "metrics_path": endpoint.get("path") or "/metrics",
        "scheme": endpoint.get("scheme") or "http",
        "honor_labels": False,
    }
    if params := endpoint.get("params"):
        settings["params"] = params
    if rules := endpoint.get("metricRelabeling"):
        settings["metric_relabel_configs"] = [_relabelling(rule) for rule in rules]
    limits = monitoring["spec"].get("limits") or {}
    for ours, theirs in (
        ("samples", "sample_limit"),
        ("labels", "label_limit"),
        ("labelNameLength", "label_name_length_limit"),
        ("labelValueLength", "label_value_length_limit"),
    ):
        if limits.get(ours):
            settings[theirs] = limits[ours]
    return settings


def _relabelling(rule: Json) -> Json:
    names = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
    return {names.get(key, key): value for key, value in rule.items()}


def _selects(monitoring: Json, pod: Json) -> bool:
    if monitoring["metadata"]["namespace"] != pod["metadata"]["namespace"]:
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


def _target(
    cluster: Cluster, monitoring: Json, endpoint: Json, pod: Json, plan: DialPlan
) -> tuple[str, dict[str, str]] | None:
    """Address and labels of a pod's port; None where no container declares a port of the name."""
    wanted = endpoint["port"]
    container, number = _port(pod, wanted)
    if number is None:
        return None
    metadata = pod["metadata"]
    controller, kind = _controller(metadata)
    known = {
        "pod": metadata["name"],
        "container": container,
        "node": pod["spec"].get("nodeName") or "",
        "top_level_controller_name": controller,
        "top_level_controller_type": kind,
    }
    chosen = monitoring["spec"].get("targetLabels") or {}
    names = chosen.get("metadata", _METADATA)
    labels = {
        **cluster.labels,
        "namespace": metadata["namespace"],
        "job": monitoring["metadata"]["name"],
        "instance": f"{metadata['name']}:{wanted}",
        **{name: known[name] for name in names if known.get(name)},
    }
    own = metadata.get("labels") or {}
    for one in chosen.get("fromPod") or []:
        if one["from"] in own:
            labels[one.get("to") or re.sub(r"[^a-zA-Z0-9_]", "_", one["from"])] = own[one["from"]]
    port = plan.port(cluster.project, (pod["status"].get("podIP") or ""), number)
    return (NOBODY if port is None else f"127.0.0.1:{port}"), labels


def _port(pod: Json, wanted: int | str) -> tuple[str, int | None]:
    """The container that declares a port, and the port's number; a number needs no declaration."""
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or []:
            if wanted in (port.get("name"), port["containerPort"]):
                return container["name"], int(port["containerPort"])
    return "", wanted if isinstance(wanted, int) else None


def _controller(metadata: Json) -> tuple[str, str]:
    """Name and kind of what the pod belongs to; of a ReplicaSet's pods it is the Deployment."""
    for owner in metadata.get("ownerReferences") or []:
        if owner.get("controller"):
            if owner["kind"] == "ReplicaSet":
                return _REPLICA_SET_HASH.sub("", owner["name"]), "Deployment"
            return owner["name"], owner["kind"]
    return metadata["name"], "Pod"
