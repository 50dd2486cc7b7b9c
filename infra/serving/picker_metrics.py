"""What starts a model without pods: the requests that its endpoint picker is asked about.

A pool's picker runs while the pool has no pods, answers each request 503, and counts it. It is
asked in any case by the gateway for callers; whether Google's load balancer asks the picker of a
pool without endpoints is not documented, so that only models with callers start by it.

Metrics and ports are those of the Gateway API Inference Extension v1.5.0, pkg/epp/metrics: a
request that got a pod is counted in one series, one that failed in another.
"""

from infra.serving.exposures.inference import picker
from infra.serving.exposures.inference_gateway import InferencePoolSettings
from infra.serving.manifest import Manifest
from infra.serving.models import Workload
from infra.serving.scaling import monitoring as collection
from infra.serving.scaling.monitoring import Monitoring

COUNTED = ("inference_objective_request_total", "inference_objective_request_error_total")
QUEUED = "inference_extension_flow_control_queue_size"
"""Requests that wait in the picker, with flow control."""
WINDOW = "2m"
"""How long a request counts: eight collections."""


def starts(workload: Workload) -> bool:
    """Whether requests at its picker start the first replica of a workload."""
    return (
        workload.replicas.min == 0
        and bool(workload.callers)
        and workload.exposure.needs_inference_gateway
    )


def pod_monitoring(workload: Workload) -> Manifest:
    """The spec of the PodMonitoring of its picker."""
    return collection.pod_monitoring(
        picker.selector(workload), port=picker.METRICS, path="/metrics"
    )


def query(workload: Workload, monitoring: Monitoring) -> str:
    """PromQL: 1 where the picker was asked in the last minutes, and no value where it was not.

    It starts the first replica; how many more there are is up to the entry's own metrics.
    """
    labels = {**monitoring.labels(workload.namespace), "job": picker.picker_name(workload)}
    matchers = "{" + ",".join(f'{label}="{value}"' for label, value in labels.items()) + "}"
    asked = [_counted(f"{name}{matchers}") for name in COUNTED]
    exposure = workload.exposure
    if isinstance(exposure, InferencePoolSettings) and exposure.picker.flow_control:
        asked.append(f"({QUEUED}{matchers} > 0)")
    return f"clamp_max(count({' or '.join(asked)}), 1)"


def _counted(series: str) -> str:
    """Series that grew, and those that are new: a counter begins with its first request."""
    return f"({series} unless {series} offset {WINDOW}) or (increase({series}[{WINDOW}]) > 0)"
