"""Other values of keys that hold mappings, or that depend on others: whole mappings, mostly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.edits import outside

REMOVED = object()
"""The key is taken out."""


@dataclass(frozen=True, slots=True)
class With:
    """A value that the checks accept together with other values of its mapping only."""

    value: Any
    others: Mapping[str, Any] = field(default_factory=dict)


RESOURCES = {
    "requests": {"cpu": "200m", "memory": "256Mi"},
    "limits": {"cpu": "1", "memory": "512Mi"},
}
_REVISION = "4" * 40
_PROXIES = (
    "gke-serving:models[].exposure(inference-gateway).picker",
    "gke-serving:inference_gateway.router",
)
_OF_PROXIES: Mapping[str, list[Any]] = {
    "resources": [RESOURCES],
    "resources.requests": [With(RESOURCES["requests"], {"limits": RESOURCES["limits"]})],
    "resources.limits": [With(RESOURCES["limits"], {"requests": RESOURCES["requests"]})],
}
_IMPORTS = (
    "gke-serving:models[].import",
    "gke-serving:models[].adapters[].import",
    "gke-serving:models[].canary.import",
)
_OF_IMPORTS: Mapping[str, list[Any]] = {
    "from": ["hf://acme/edited"],
    "revision": [_REVISION],
    "include": [["*.safetensors", "*.json", "*.onnx", "*.bin"]],
    "token.secret_manager": ["hub-edited"],
}
MORE: Mapping[str, list[Any]] = {
    "gke-cluster:compute_classes[].priorities": [
        [{"node_pools": ["classed"]}],
    ],
    "gke-cluster:compute_classes[].priorities[].create.machine_type": ["g2-standard-12"],
    "gke-cluster:compute_classes[].priorities[].create.zones": [["europe-west4-a"]],
    "gke-cluster:compute_classes[].priorities[].create.reservation": ["held"],
    "gke-cluster:compute_classes[].priorities[].node_pools": [
        With(REMOVED, {"create": {"machine_type": "n2-standard-8"}})
    ],
    "gke-cluster:compute_classes[].priorities[].create": [
        With(REMOVED, {"node_pools": ["gpu"]}),
        With(REMOVED, {"node_pools": ["queued"]}),
    ],
    "gke-serving:models[].resources": [
        {
            "requests": {"cpu": "300m", "memory": "640Mi"},
            "limits": {"cpu": "1", "memory": "640Mi"},
        }
    ],
    "gke-serving:models[].resources.requests": [{"cpu": "200m", "memory": "512Mi"}],
    "gke-serving:models[].resources.limits": [{"cpu": "1500m", "memory": "512Mi"}],
    "gke-serving:models[].exposure(http-load-balancer).rewrites": [
        {"/pictures": "/v1/models/resnet/versions"},
        {"/pictures": "/v1/models/resnet/metadata"},
    ],
    "gke-serving:models[].exposure(ingress).max_body": ["16Mi"],
    "gke-serving:models[].exposure(gateway).rewrite": ["/v1/models/sentiment/versions"],
    "gke-serving:models[].exposure(gateway).iap": [{"members": ["group:a@acme.example"]}],
    "gke-serving:models[].exposure(inference-gateway).picker": [{"replicas": 3}],
    "gke-serving:models[].exposure(inference-gateway).picker.weights": [{"queue": 2}],
    "gke-serving:models[].exposure(inference-gateway).hosts": [["edited.stage.acme.example"]],
    "gke-serving:inference_gateway.router": [{"replicas": 3}],
    **{f"{place}.{key}": values for place in _PROXIES for key, values in _OF_PROXIES.items()},
    **{f"{place}.{key}": values for place in _IMPORTS for key, values in _OF_IMPORTS.items()},
    "gke-serving:models[].resources.gpu": [
        {"type": "nvidia-l4", "count": 1, "sharing": {"strategy": "TIME_SHARING", "clients": 4}},
        {"type": "nvidia-tesla-a100", "partition": "1g.5gb", "count": 1},
    ],
    "gke-serving:models[].resources.gpu.sharing": [{"strategy": "TIME_SHARING", "clients": 4}],
    "gke-serving:models[].resources.gpu.partition": [With("1g.5gb", {"type": "nvidia-tesla-a100"})],
    "gke-serving:models[].compute_class": [
        With(
            REMOVED,
            {
                "arguments_by_gpu": REMOVED,
                "resources": {**RESOURCES, "gpu": {"type": "nvidia-l4", "count": 1}},
            },
        )
    ],
    "gke-serving:models[].adapters[].import.pickles": [With(True, {"include": ["*.bin"]})],
    "gke-serving:models[].adapters[].name": ["edited"],
    "gke-serving:models[].adapters[].source": ["gs://acme-ml-stage-models/adapters/edited"],
    "gke-serving:models[].custom.path": ["/v1/own/edited"],
    "gke-serving:models[].custom.ready": ["/ready"],
    "gke-serving:models[].custom.also": [["/v1/edited"]],
    "gke-serving:models[].custom.command": [["/server", "--port={rest_port}", "--edited"]],
    "gke-serving:models[].custom.grpc_services": [["acme.Own", "acme.Edited"]],
    "gke-serving:models[].custom.metrics": [
        {"port": 8003, "path": "/metrics", "gauges": ["queue_length"]}
    ],
    "gke-serving:models[].custom.metrics.gauges": [["queue_length", "edited"]],
    "gke-serving:models[].pod.init_containers": [
        [
            {
                "name": "first",
                "image": "europe-west4-docker.pkg.dev/acme-ml-lab/models/first:1",
                "resources": RESOURCES,
            }
        ]
    ],
    "gke-serving:models[].pod.containers": [
        [
            {
                "name": "beside",
                "image": "europe-west4-docker.pkg.dev/acme-ml-lab/models/beside:1",
                "resources": RESOURCES,
            }
        ]
    ],
    **{
        f"gke-serving:models[].pod.volumes[].{kind}": [With(name, {"ephemeral": REMOVED})]
        for kind, name in outside.VOLUMES.items()
    },
    "gke-serving:models[].pod.volumes[].ephemeral": [With(REMOVED, {"empty_dir": "1Gi"})],
    "gke-serving:models[].pod.volumes[].sub_path": ["edited"],
    "gke-serving:models[].autoscaling": [{"cpu_utilization": 40}],
    "gke-serving:models[].autoscaling.metrics[](pod).name": [
        "depth",
        "nv_gpu_utilization",
        "vllm:num_requests_running",
    ],
    "gke-serving:models[].autoscaling.metrics[](pubsub-backlog).subscription": ["edited"],
    "gke-serving:models[].autoscaling.metrics[](external).name": ["custom.googleapis.com|edited"],
    "gke-serving:models[].autoscaling.metrics[](external).labels": [
        {"metric.labels.queue": "edited"}
    ],
    "gke-serving:models[].autoscaling.metrics[](external).resource": ["k8s_container"],
    "gke-serving:models[].autoscaling.metrics[](external).total": [With("9", {"average": REMOVED})],
    "gke-serving:models[].canary.weights.stable": [With(80, {"canary": 20})],
    "gke-serving:models[].canary.weights.canary": [With(30, {"stable": 70})],
    "gke-serving:models[].canary.mirror": [With(20, {"weights": {"stable": 100, "canary": 0}})],
    "gke-serving:models[].rollout": [
        {"max_surge": 1, "max_unavailable": 1},
        {"timeout_seconds": 900},
    ],
    "gke-serving:teams[].quota": [{"cpu": "17", "memory": "70Gi"}],
    "gke-serving:callers.allowed[].name": ["edited"],
    "gke-serving:callers.allowed[].models": [["chat", "classed"]],
    "gke-serving:callers.allowed[].keys": [
        [{"secret_manager": "key-web", "version": 1}, {"secret_manager": "key-more", "version": 1}]
    ],
    "gke-serving:callers.allowed[].keys[].secret_manager": ["key-more"],
    "gke-serving:callers.audit.location": ["europe-west4"],
    "gke-serving:postgres.clusters[].instances": [1],
    "gke-serving:postgres.clusters[].resources": [
        {
            "requests": {"cpu": "600m", "memory": "2Gi"},
            "limits": {"cpu": "1500m", "memory": "2Gi"},
        }
    ],
    "gke-serving:postgres.clusters[].resources.requests": [{"cpu": "700m", "memory": "2Gi"}],
    "gke-serving:postgres.clusters[].resources.limits": [{"cpu": "1200m", "memory": "2Gi"}],
    "gke-serving:postgres.clusters[].users": [{"recommender": [], "reader": ["createdb"]}],
    "gke-serving:postgres.clusters[].databases": [
        {"features": "recommender", "more": "recommender"}
    ],
    "gke-serving:teams[].container_most.cpu": ["3"],
    "gke-networking:probes": [{"interval_seconds": 15}, {"path": "/edited"}],
    **{
        f"{bucket}.retention_days": [With(3, {"versioning": False, "force_destroy": False})]
        for bucket in (
            "gke-networking:static_files",
            "gke-serving:models_bucket",
            "gke-serving:postgres.backups_bucket",
        )
    },
    **{
        f"{place}.others": [With("deny", {"allow": ["203.0.113.0/24"]})]
        for place in (
            "gke-networking:armor",
            "gke-serving:gateway.armor",
            "gke-serving:inference_gateway.armor",
        )
    },
    "gke-platform:alerts.fast": [{"burn_rate": 13, "window_minutes": 60, "confirm_minutes": 5}],
    "gke-platform:alerts.slow": [{"burn_rate": 5, "window_minutes": 360, "confirm_minutes": 30}],
    "gke-platform:notifications[](pubsub).name": ["edited"],
    "gke-platform:notifications[](pubsub).topic": ["projects/acme-ml-lab/topics/edited"],
    "gke-platform:notifications[](webhook).name": ["edited"],
    "gke-platform:notifications[](webhook).url": ["https://hooks.acme.example/edited"],
    "gke-platform:notifications[](webhook).username": ["edited"],
    "gke-platform:notifications[](webhook).password": ["edited"],
}
