"""The pod of a model server, as plain data: probes, resources, spread, and what it may not do."""

import re
from collections.abc import Sequence
from typing import Any

from infra.serving import database
from infra.serving.database import Connection
from infra.serving.files import Supply, supply
from infra.serving.manifest import Manifest
from infra.serving.model import (
    HttpLoadBalancer,
    LoadBalancer,
    Model,
    files,
    preset,
    ready_path,
    served_name,
)
from infra.serving.presets import Preset
from infra.serving.sizing import Resources
from infra.serving.teams import OPEN

NOBODY = 65534
PROBE_PERIOD = 10
GPU = "nvidia.com/gpu"
SETTLE_SECONDS = 30
"""From the end of draining until the pod is ended: time for requests that are under way."""

_PLACE = re.compile(r"\{(name|files|folder|rest_port|grpc_port)\}")
_UNSATISFIABLE = {"required": "DoNotSchedule", "preferred": "ScheduleAnyway"}


def selector(model: Model) -> dict[str, str]:
    """The labels that pods are found by. They never change, or the Deployment is replaced."""
    return {"app.kubernetes.io/name": model.name, "app.kubernetes.io/component": "model-server"}


def template(
    model: Model,
    *,
    labels: dict[str, str],
    account: str,
    tolerations: Sequence[Manifest] = (),
    connection: Connection | None = None,
) -> Manifest:
    """The pod template of `model`."""
    supplied = supply(model.name, model.source, files(model), serves=served_name(model))
    spread = constraints(model)
    spec: dict[str, Any] = {
        "serviceAccountName": account,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": model.drain_seconds + SETTLE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": NOBODY,
            "runAsGroup": NOBODY,
            "fsGroup": NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container(model, supplied, connection)],
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
            *shared_memory(model),
            *supplied.volumes,
        ],
    }
    wanted = {
        "topologySpreadConstraints": spread,
        "initContainers": supplied.init,
        "priorityClassName": model.priority,
        "nodeSelector": node_selector(model),
        "tolerations": list(tolerations),
    }
    return {
        "metadata": {
            "labels": {**labels, **selector(model), **({OPEN: "true"} if is_open(model) else {})},
            **({"annotations": supplied.annotations} if supplied.annotations else {}),
        },
        "spec": {**spec, **{key: value for key, value in wanted.items() if value}},
    }


def is_open(model: Model) -> bool:
    """Whether callers come by an address or by a port of the nodes that is the model's own."""
    exposure = model.exposure
    if isinstance(exposure, HttpLoadBalancer):
        return exposure.node_port is not None
    return isinstance(exposure, LoadBalancer)


def node_selector(model: Model) -> dict[str, str]:
    """What the nodes must bear."""
    gpu = model.resources.gpu
    return {
        **({"cloud.google.com/gke-nodepool": model.node_pool} if model.node_pool else {}),
        **({"cloud.google.com/gke-accelerator": gpu.type} if gpu else {}),
    }


def shared_memory(model: Model) -> list[dict[str, Any]]:
    """The volume behind /dev/shm; without one it is 64 MiB, of which a server soon dies."""
    size = model.shared_memory or preset(model).shared_memory
    return [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": size}}] if size else []


def container(
    model: Model, supplied: Supply, connection: Connection | None = None
) -> dict[str, Any]:
    """The model server's container. It bears the model's name, by which its metrics are found."""
    server = preset(model)
    known = {
        "name": served_name(model),
        "files": supplied.path,
        "folder": supplied.folder,
        "rest_port": str(server.rest_port),
        "grpc_port": str(server.grpc_port or ""),
    }

    def filled(text: str) -> str:
        # Only the known places: braces of JSON stay as they are.
        return _PLACE.sub(lambda place: known[place[1]], text)

    environment = dict(server.environment) | model.environment
    mounts = [
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - in the container
        *({"name": volume["name"], "mountPath": "/dev/shm"} for volume in shared_memory(model)),  # noqa: S108
        *supplied.mounts,
    ]
    wanted = {
        "command": [filled(word) for word in server.command],
        "args": [filled(word) for word in (*server.arguments, *model.arguments)],
        "env": [
            *({"name": name, "value": filled(value)} for name, value in environment.items()),
            *(database.environment(connection) if connection else ()),
        ],
    }
    return {
        "name": model.name,
        "image": model.image or server.image,
        **{key: value for key, value in wanted.items() if value},
        "ports": ports(server),
        "resources": resources(model.resources),
        **probes(model),
        # Load balancers learn of a pod's end later than the pod does: it serves on meanwhile.
        "lifecycle": {"preStop": {"sleep": {"seconds": model.drain_seconds}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }


def ports(server: Preset) -> list[dict[str, Any]]:
    """The ports of the container, by the names that Services and probes use."""
    known = {"rest": server.rest_port, "grpc": server.grpc_port}
    if server.metrics and server.metrics.port != server.rest_port:
        known["metrics"] = server.metrics.port
    return [
        {"name": name, "containerPort": port, "protocol": "TCP"}
        for name, port in known.items()
        if port is not None
    ]


def resources(asked: Resources) -> dict[str, Any]:
    """Requests and limits; of GPUs both are the same, as Kubernetes wants it."""
    gpus = {GPU: str(asked.gpu.count)} if asked.gpu else {}
    return {
        "requests": {"cpu": asked.requests.cpu, "memory": asked.requests.memory, **gpus},
        "limits": {"cpu": asked.limits.cpu, "memory": asked.limits.memory, **gpus},
    }


def probes(model: Model) -> dict[str, Any]:
    """Startup, readiness and liveness.

    The model's own readiness says whether it started and whether it can serve. Liveness asks only
    whether the process still works: a model that is slow or reloads must lose traffic, not its
    process.
    """
    server = preset(model)
    status = {"httpGet": {"path": ready_path(model), "port": "rest"}}
    alive: dict[str, Any] = {"tcpSocket": {"port": "grpc" if server.grpc_port else "rest"}}
    if server.alive:
        alive = {
            "httpGet": {"path": server.alive.replace("{name}", served_name(model)), "port": "rest"}
        }
    return {
        "startupProbe": {
            **status,
            "periodSeconds": PROBE_PERIOD,
            "timeoutSeconds": 5,
            "failureThreshold": -(-model.startup_seconds // PROBE_PERIOD),
        },
        "readinessProbe": {
            **status,
            "periodSeconds": PROBE_PERIOD,
            "timeoutSeconds": 5,
            "failureThreshold": 2,
        },
        "livenessProbe": {
            **alive,
            "periodSeconds": PROBE_PERIOD,
            "timeoutSeconds": 5,
            "failureThreshold": 6,
        },
    }


def constraints(model: Model) -> list[dict[str, Any]]:
    """How the replicas are spread: of themselves evenly over zones, and over nodes if possible."""
    common = {
        "maxSkew": model.spread.max_skew,
        "labelSelector": {"matchLabels": selector(model)},
        # Each revision is spread by itself, or the old one's pods would skew the new one's.
        "matchLabelKeys": ["pod-template-hash"],
    }
    asked = {
        "topology.kubernetes.io/zone": model.spread.zones,
        "kubernetes.io/hostname": model.spread.nodes,
    }
    return [
        {
            **common,
            "topologyKey": key,
            "whenUnsatisfiable": _UNSATISFIABLE[wish],
            # A place whose nodes are all cordoned or lost is none to wait for.
            **({"nodeTaintsPolicy": "Honor"} if wish == "required" else {}),
        }
        for key, wish in asked.items()
        if wish != "off"
    ]
