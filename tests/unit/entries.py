"""Entries of `gke-serving:models` that tests change: the smallest one, and a model on a GPU."""

from typing import Any

import pytest

from gkeplatform.config import load
from gkeplatform.errors import PlatformError
from infra.serving.config import ServingConfig

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


def refusal(*entries: dict[str, Any]) -> str:
    """Why a stack file with these models is refused; an entry's keys with None are left out."""
    models = [{key: value for key, value in one.items() if value is not None} for one in entries]
    with pytest.raises(PlatformError) as raised:
        load(
            ServingConfig,
            namespace="gke-serving",
            values={"gke-serving:models": models},
            file="stacks/Pulumi.dev.yaml",
        )
    return str(raised.value)
