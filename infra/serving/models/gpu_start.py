"""The pod's part of `arguments_by_gpu`: a program that starts the server, and what it reads.

It asks the driver for the device, and becomes the server with the arguments for it. These stand in
the pod template, so that a change of theirs is a rollout.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict

from facts.gpu_devices import devices
from infra.serving.manifest import Manifest
from infra.serving.models.gpu_arguments import FOLDER, VOLUME
from infra.serving.models.workload import Workload
from infra.serving.pod_programs import GPU_ARGUMENTS, source
from infra.serving.pod_programs.gpu_arguments import TABLE, VARIABLE


def config_map(workload: str) -> str:
    """The name of the ConfigMap."""
    return f"{workload}-gpu-arguments"


def data() -> dict[str, str]:
    """The ConfigMap's data: the program, and how it recognizes GPUs."""
    known = {kind: asdict(device) for kind, device in sorted(devices().items())}
    return {GPU_ARGUMENTS: source(GPU_ARGUMENTS), TABLE: json.dumps(known, indent=1)}


def command(workload: Workload, own: Sequence[str]) -> list[str]:
    """The container's command, of which `own` is the server's."""
    if not workload.arguments_by_gpu:
        return list(own)
    return ["python3", "-B", f"{FOLDER}/{GPU_ARGUMENTS}", *own]


def environment(workload: Workload) -> list[Manifest]:
    """The variable with the arguments of each type."""
    if not workload.arguments_by_gpu:
        return []
    table = {kind: list(words) for kind, words in sorted(workload.arguments_by_gpu.items())}
    return [{"name": VARIABLE, "value": json.dumps(table)}]


def volumes(workload: Workload) -> list[Manifest]:
    """The ConfigMap."""
    if not workload.arguments_by_gpu:
        return []
    return [{"name": VOLUME, "configMap": {"name": config_map(workload.name)}}]


def mounts(workload: Workload) -> list[Manifest]:
    """Where the server's container has it."""
    if not workload.arguments_by_gpu:
        return []
    return [{"name": VOLUME, "mountPath": FOLDER, "readOnly": True}]
