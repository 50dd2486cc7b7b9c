"""The container of a model server: image, arguments, ports, resources and probes."""

import re

from infra.serving.accelerators import GPU_RESOURCE, TPU_RESOURCE
from infra.serving.manifest import SECURITY_CONTEXT, Manifest
from infra.serving.models import adapter_sidecar, additions, database, gpu_start, secrets, storage
from infra.serving.models.files import Supply, mebibytes
from infra.serving.models.presets import Preset
from infra.serving.models.workload import SETTLE_SECONDS, SHUTDOWN_MARGIN, Workload
from infra.serving.resources import Resources

PROBE_PERIOD = 10
SETTLED = 15
"""Seconds within which the load balancer knows a new pod of an InferencePool.

GKE's readiness gate waits for the load balancer's health check only in pods behind a Service with
an endpoint group. The check is every 5 s, and a group, which has pods that are not ready too, is
changed within about 10 s:
https://docs.cloud.google.com/kubernetes-engine/docs/concepts/container-native-load-balancing
"""

_PLACEHOLDER = re.compile(r"\{(name|files|folder|rest_port|grpc_port|shutdown_seconds)\}")


def shared_memory(workload: Workload) -> list[Manifest]:
    """The volume for /dev/shm. Default: 64 MiB, which is too small for most model servers."""
    size = workload.shared_memory
    return [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": size}}] if size else []


def container(workload: Workload, supplied: Supply) -> Manifest:
    """The container. It has the workload's name, by which its metrics are found."""
    server = workload.preset
    values = {
        "name": workload.served_name,
        "files": supplied.path,
        "folder": supplied.folder,
        "rest_port": str(server.rest_port or ""),
        "grpc_port": str(server.grpc_port or ""),
        "shutdown_seconds": str(SETTLE_SECONDS - SHUTDOWN_MARGIN),
    }

    def filled(text: str) -> str:
        # Only known placeholders: braces of JSON stay as they are.
        return _PLACEHOLDER.sub(lambda match: values[match[1]], text)

    mounts = [
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - in the container
        *({"name": one["name"], "mountPath": "/dev/shm"} for one in shared_memory(workload)),  # noqa: S108
        *supplied.mounts,
        *adapter_sidecar.mounts(workload),
        *gpu_start.mounts(workload),
        *additions.mounts(workload.pod),
    ]
    connection = workload.connection
    optional = {
        "command": gpu_start.command(workload, [filled(word) for word in server.command]),
        "args": [filled(word) for word in workload.arguments],
        "env": [
            *(
                {"name": name, "value": filled(value)}
                for name, value in workload.environment.items()
            ),
            *secrets.environment(workload.references, workload=workload.name),
            *(database.environment(connection) if connection else ()),
            *gpu_start.environment(workload),
        ],
    }
    return {
        "name": workload.name,
        "image": workload.image,
        **{key: value for key, value in optional.items() if value},
        "ports": ports(server),
        "resources": resources(
            workload.resources,
            ephemeral_storage=mebibytes(storage.of_server(workload)),
            chips=workload.chips,
        ),
        **probes(workload),
        # Load balancers deregister a pod later than it is told to stop: keep serving meanwhile.
        "lifecycle": {"preStop": {"sleep": {"seconds": workload.drain_seconds}}},
        "securityContext": SECURITY_CONTEXT,
        "volumeMounts": mounts,
    }


def ports(server: Preset) -> list[Manifest]:
    """The ports of the container, with the names that Services and probes use."""
    numbers = {"rest": server.rest_port, "grpc": server.grpc_port}
    if server.metrics and server.metrics.port != server.rest_port:
        numbers["metrics"] = server.metrics.port
    return [
        {"name": name, "containerPort": port, "protocol": "TCP"}
        for name, port in numbers.items()
        if port is not None
    ]


def resources(settings: Resources, *, ephemeral_storage: str, chips: int) -> Manifest:
    """Requests and limits. Kubernetes requires GPUs and TPUs to be the same in both.

    `chips` are the TPU chips of the pod.
    """
    gpus = {GPU_RESOURCE: str(settings.gpu.count)} if settings.gpu else {}
    tpus = {TPU_RESOURCE: str(chips)} if chips else {}
    same = {"ephemeral-storage": ephemeral_storage, **gpus, **tpus}
    return {
        "requests": {"cpu": settings.requests.cpu, "memory": settings.requests.memory, **same},
        "limits": {
            **({"cpu": settings.limits.cpu} if settings.limits.cpu else {}),
            "memory": settings.limits.memory,
            **same,
        },
    }


def probes(workload: Workload) -> Manifest:
    """Startup, readiness and liveness probes.

    Startup and readiness check the model. Liveness only checks the process: a model that is slow
    or reloading must lose its traffic, not its process.

    An endpoint picker names a pod as soon as it is ready, so that a pod of an InferencePool must
    answer for a while first, until the load balancer knows it as well.
    """
    ready: Manifest = {"grpc": {"port": workload.grpc_port}}
    if workload.ready_path:
        ready = {"httpGet": {"path": workload.ready_path, "port": "rest"}}
    alive: Manifest = {"tcpSocket": {"port": "grpc" if workload.grpc_port else "rest"}}
    if workload.alive_path:
        alive = {"httpGet": {"path": workload.alive_path, "port": "rest"}}
    every = {"periodSeconds": PROBE_PERIOD, "timeoutSeconds": 5}
    startup_failures = -(-workload.startup_seconds // PROBE_PERIOD)
    settling = {}
    if workload.exposure.needs_inference_gateway:
        settling = {"successThreshold": 1 + -(-SETTLED // PROBE_PERIOD)}
    return {
        "startupProbe": {**ready, **every, "failureThreshold": startup_failures},
        "readinessProbe": {**ready, **every, "failureThreshold": 2, **settling},
        "livenessProbe": {**alive, **every, "failureThreshold": 6},
    }
