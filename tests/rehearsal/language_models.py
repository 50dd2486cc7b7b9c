"""Entries of language models, as the catalogues of rehearsals have them. Not a test."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
L4 = {"type": "nvidia-l4", "count": 1}


def vllm(name: str, project: str, cpu: str, memory: str, **resources: Any) -> Json:
    """The entry of one replica. Its files are in the models' bucket of the project.

    `resources` has what it computes on, `gpu` or `tpu`.
    """
    amounts = {"cpu": cpu, "memory": memory}
    return {
        "name": name,
        "server": "vllm",
        "source": f"gs://{project}-models/{name}",
        "replicas": {"min": 1, "max": 1},
        "resources": {"requests": amounts, "limits": amounts, **resources},
    }


def on_l4(name: str, project: str, exposure: Json) -> Json:
    """The entry of a small model on one GPU."""
    files = {"via": "download", "size": "1Gi"}
    made = vllm(name, project, "500m", "4Gi", gpu=L4)
    return {**made, "files": files, "exposure": exposure}
