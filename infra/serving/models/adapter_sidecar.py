"""The sidecar that keeps a server's LoRA adapters as a ConfigMap lists them.

Neither it nor the server tells in its manifest which adapters are loaded, so that the pod template
stays as it is when one is added or removed.
"""

import json

from infra.serving.manifest import SECURITY_CONTEXT, Manifest
from infra.serving.models.adapters import (
    CONTAINER,
    FOLDER,
    LIST_FOLDER,
    VOLUMES,
    Adapters,
    slug,
)
from infra.serving.models.files import DOWNLOADER
from infra.serving.models.workload import Workload
from infra.serving.pod_programs import GUARD, SYNC, source

IMAGE = DOWNLOADER
"""It has Python 3.11: GoogleCloudPlatform/cloud-sdk-docker, debian_slim/Dockerfile."""
REQUESTS = {"cpu": "50m", "memory": "128Mi", "ephemeral-storage": "64Mi"}
LIMITS = {"cpu": "500m", "memory": "256Mi", "ephemeral-storage": "64Mi"}
_READY = "/tmp/ready"  # noqa: S108 - in the container
_FILES, _LIST = VOLUMES


def config_map(workload: str) -> str:
    """The name of the ConfigMap."""
    return f"{workload}-adapters"


def data(adapters: Adapters) -> dict[str, str]:
    """The ConfigMap's data: the list, and the programs that read it."""
    listed = [
        {"name": one.name, "source": one.folder, "folder": slug(one.name, one.folder)}
        for one in adapters.loaded
    ]
    return {
        "adapters.json": json.dumps(listed, indent=1),
        GUARD: source(GUARD),
        SYNC: source(SYNC),
    }


def containers(workload: Workload) -> list[Manifest]:
    """The sidecar: it runs from before the server's start to after its end."""
    if workload.adapters is None:
        return []
    words = {
        "list": f"{LIST_FOLDER}/adapters.json",
        "server": f"http://127.0.0.1:{workload.rest_port}",
        "disk": FOLDER,
        "ready": _READY,
        "max-rank": str(workload.adapters.lora.max_rank),
    }
    return [
        {
            "name": CONTAINER,
            "image": IMAGE,
            "restartPolicy": "Always",
            "command": ["python3", "-B", f"{LIST_FOLDER}/{SYNC}"],
            "args": [f"--{name}={value}" for name, value in words.items()],
            # A pod that still loads adapters would answer 404 for them.
            "readinessProbe": {"exec": {"command": ["test", "-e", _READY]}, "periodSeconds": 5},
            "resources": {"requests": REQUESTS, "limits": LIMITS},
            "securityContext": SECURITY_CONTEXT,
            "volumeMounts": [
                {"name": _FILES, "mountPath": FOLDER},
                {"name": _LIST, "mountPath": LIST_FOLDER, "readOnly": True},
                {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - in the container
            ],
        }
    ]


def volumes(workload: Workload) -> list[Manifest]:
    """The adapters' files, and the ConfigMap."""
    if workload.adapters is None:
        return []
    return [
        {"name": _FILES, "emptyDir": {"sizeLimit": workload.adapters.lora.size}},
        {"name": _LIST, "configMap": {"name": config_map(workload.name)}},
    ]


def mounts(workload: Workload) -> list[Manifest]:
    """The server's mounts."""
    if workload.adapters is None:
        return []
    return [
        {"name": _FILES, "mountPath": FOLDER, "readOnly": True},
        {"name": _LIST, "mountPath": LIST_FOLDER, "readOnly": True},
    ]
