"""PromQL on the GPUs of a model's pods. Pure functions.

GKE's managed DCGM exporter labels what it measures of a GPU with the namespace, pod and container
that hold it. GKE collects it by the ClusterPodMonitoring `gke-managed-dcgm-exporter`, whose
`targetLabels.metadata` is empty, so that no label of the exporter's own pod replaces these
(GoogleCloudPlatform/prometheus-engine, pkg/operator/apis/monitoring/v1/pod_config.go). Names:
https://docs.cloud.google.com/kubernetes-engine/docs/how-to/dcgm-metrics. It exports neither XID
errors nor ECC errors.

`DCGM_FI_DEV_GPU_UTIL` is left out: it says only whether any kernel ran.
"""

from infra.environment.language_models import queries
from infra.environment.language_models.watched import LanguageModel

ENGINE = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
TENSOR = "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"
BANDWIDTH = "DCGM_FI_PROF_DRAM_ACTIVE"
USED, FREE = "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE"
IDLE = 0.05
"""An engine that works less than this share of the time is idle."""
FULL = 0.98
"""Of the memory that programs may have. vLLM takes 0.92 at its start, and CUDA graphs."""


def active(metric: str, model: LanguageModel) -> str:
    """The share of the time that a part of the GPUs works, of each pod."""
    return f"avg by (pod) ({metric}{matchers(model)})"


def memory(model: LanguageModel) -> str:
    """The share of the memory that is in use, of each pod's fullest GPU."""
    used, free = (f"{name}{matchers(model)}" for name in (USED, FREE))
    return f"max by (pod) ({used} / ({used} + {free}))"


def idle_while_requests_wait(model: LanguageModel) -> str:
    """Met by pods whose GPUs are idle although their servers' queues are not empty."""
    waiting = f"max by (pod) (vllm:num_requests_waiting{queries.matchers(model)}) > 0"
    return f"max by (pod) ({ENGINE}{matchers(model)}) < {IDLE:g} and on (pod) {waiting}"


def nearly_full(model: LanguageModel) -> str:
    """Met by pods with hardly any GPU memory left."""
    return f"{memory(model)} > {FULL:g}"


def matchers(model: LanguageModel) -> str:
    """The labels of the metrics of its pods' GPUs."""
    return (
        f'{{cluster="{model.cluster}",location="{model.location}",'
        f'namespace="{model.namespace}",container=~"{"|".join(model.jobs)}"}}'
    )
