"""A model's metrics: the PodMonitoring that collects them, and the PromQL that reads them.

Managed Service for Prometheus stores what a PodMonitoring collects with the labels `cluster`,
`location`, `namespace` and `job`, which is the PodMonitoring's name. Its query API also has the
metrics of Google's services, under other names. Sources:
https://cloud.google.com/stackdriver/docs/managed-prometheus/setup-managed and
https://cloud.google.com/monitoring/promql/promql-mapping.
"""

import re
from dataclasses import dataclass

from infra.serving.manifest import Manifest
from infra.serving.scaling.settings import (
    ExternalMetric,
    GpuDutyCycle,
    Metric,
    PodMetric,
    PubSubBacklog,
)

API, KIND = "monitoring.googleapis.com/v1", "PodMonitoring"
INTERVAL = "15s"
"""Between two collections; the autoscaler decides every 15 s."""
_BACKLOG = "pubsub.googleapis.com/subscription/num_undelivered_messages"
_DUTY_CYCLE = "kubernetes.io/container/accelerator/duty_cycle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitoring:
    """The cluster whose models are measured, and the project that stores the metrics."""

    project: str
    cluster: str
    location: str
    collects: bool
    """Whether the cluster has managed collection, and so the kind PodMonitoring."""

    @property
    def address(self) -> str:
        """The base URL of the Prometheus API of the project's metrics."""
        return (
            f"https://monitoring.googleapis.com/v1/projects/{self.project}"
            "/location/global/prometheus"
        )

    def labels(self, namespace: str) -> dict[str, str]:
        """Labels of what is measured in a namespace of the cluster."""
        return {"cluster": self.cluster, "location": self.location, "namespace": namespace}


def pod_monitoring(selector: dict[str, str], *, port: int, path: str) -> Manifest:
    """The spec of the PodMonitoring of the pods of `selector`."""
    return {
        "selector": {"matchLabels": selector},
        "endpoints": [{"port": port, "path": path, "interval": INTERVAL}],
    }


def query(metric: Metric, monitoring: Monitoring, *, name: str, namespace: str) -> str:
    """PromQL for the total of a metric over all pods of the Deployment `name`."""
    match metric:
        case PodMetric():
            return _sum(metric.name, {**monitoring.labels(namespace), "job": name})
        case PubSubBacklog():
            return _sum(
                promql_name(_BACKLOG),
                {"project_id": monitoring.project, "subscription_id": metric.subscription},
            )
        case GpuDutyCycle():
            return _sum(
                promql_name(_DUTY_CYCLE),
                {
                    "monitored_resource": "k8s_container",
                    "project_id": monitoring.project,
                    "cluster_name": monitoring.cluster,
                    "location": monitoring.location,
                    "namespace_name": namespace,
                    "container_name": name,
                },
            )
        case ExternalMetric():
            resource = {"monitored_resource": metric.resource} if metric.resource else {}
            return _sum(
                promql_name(metric.name.replace("|", "/")),
                {**resource, **_promql_labels(metric.labels)},
            )


def promql_name(metric_type: str) -> str:
    """The PromQL name of a metric type of Cloud Monitoring: the first slash becomes a colon."""
    service, _, path = metric_type.partition("/")
    return ":".join(re.sub(r"[^A-Za-z0-9_]", "_", part) for part in (service, path))


def _promql_labels(labels: dict[str, str]) -> dict[str, str]:
    """Labels of a time series as PromQL has them.

    A metric's label that the resource has too is prefixed.
    """
    found: dict[str, str] = {}
    for key, value in sorted(labels.items(), reverse=True):  # resource.* before metric.*
        kind, _, rest = key.partition(".")
        label = rest.removeprefix("labels.")
        if rest == "type":
            label = "monitored_resource" if kind == "resource" else label
        found[f"metric_{label}" if kind == "metric" and label in found else label] = value
    return found


def _sum(name: str, labels: dict[str, str]) -> str:
    matchers = ",".join(f"{label}={_quoted(value)}" for label, value in labels.items())
    return f"sum({name}{{{matchers}}})"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
