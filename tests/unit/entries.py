"""Entries of `gke-serving:models` that tests change: the smallest one, and a model on a GPU."""

from typing import Any

BASE: dict[str, Any] = {
    "name": "m1",
    "server": "tensorflow-serving",
    "source": "gs://acme-ml-dev-models/m1",
    "replicas": {"min": 1, "max": 1},
    "resources": {
        "requests": {"cpu": "1", "memory": "1Gi"},
        "limits": {"cpu": "2", "memory": "1Gi"},
    },
    "exposure": {"kind": "cluster-ip"},
}

VLLM: dict[str, Any] = {
    "name": "m1",
    "server": "vllm",
    "source": "gs://acme-ml-dev-models/m1",
    "files": {"via": "gcs-fuse"},
    "replicas": {"min": 1, "max": 1},
    "resources": {
        "requests": {"cpu": "4", "memory": "16Gi"},
        "limits": {"cpu": "4", "memory": "16Gi"},
        "gpu": {"type": "nvidia-l4"},
    },
    "exposure": {"kind": "cluster-ip"},
}
