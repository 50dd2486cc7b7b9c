"""The pod of a model server, as plain data: probes, resources, spread, and what it may not do."""

from typing import Any

from infra.serving.model import Model, model_path
from infra.serving.presets import PRESETS

NOBODY = 65534
PROBE_PERIOD = 10
SETTLE_SECONDS = 30
"""From the end of draining until the pod is ended: time for requests that are under way."""


def selector(model: Model) -> dict[str, str]:
    """The labels that pods are found by. They never change, or the Deployment is replaced."""
    return {"app.kubernetes.io/name": model.name, "app.kubernetes.io/component": "model-server"}


def template(model: Model, *, labels: dict[str, str], account: str) -> dict[str, Any]:
    """The pod template of `model`."""
    return {
        "metadata": {"labels": {**labels, **selector(model)}},
        "spec": {
            "serviceAccountName": account,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": model.drain_seconds + SETTLE_SECONDS,
            "topologySpreadConstraints": spread(model),
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": NOBODY,
                "runAsGroup": NOBODY,
                "fsGroup": NOBODY,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container(model)],
            "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}],
            **(
                {"nodeSelector": {"cloud.google.com/gke-nodepool": model.node_pool}}
                if model.node_pool
                else {}
            ),
        },
    }


def container(model: Model) -> dict[str, Any]:
    """The model server's container."""
    preset = PRESETS[model.server]
    known = {
        "name": model.name,
        "source": model.source,
        "rest_port": preset.rest_port,
        "grpc_port": preset.grpc_port,
    }
    return {
        "name": "model-server",
        "image": model.image or preset.image,
        "command": list(preset.command),
        "args": [argument.format(**known) for argument in preset.arguments],
        "ports": [
            {"name": "rest", "containerPort": preset.rest_port, "protocol": "TCP"},
            {"name": "grpc", "containerPort": preset.grpc_port, "protocol": "TCP"},
        ],
        "resources": {
            "requests": {
                "cpu": model.resources.requests.cpu,
                "memory": model.resources.requests.memory,
            },
            "limits": {"cpu": model.resources.limits.cpu, "memory": model.resources.limits.memory},
        },
        **probes(model),
        # Load balancers learn of a pod's end later than the pod does: it serves on meanwhile.
        "lifecycle": {"preStop": {"sleep": {"seconds": model.drain_seconds}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - in the container
    }


def probes(model: Model) -> dict[str, Any]:
    """Startup, readiness and liveness.

    TensorFlow Serving has no URL that answers for the server as a whole, so the model's own status
    says whether it started and whether it can serve. Liveness asks only whether the process still
    listens: a model that is slow or reloads must lose traffic, not its process.
    """
    status = {"httpGet": {"path": model_path(model), "port": "rest"}}
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
            "tcpSocket": {"port": "grpc"},
            "periodSeconds": PROBE_PERIOD,
            "timeoutSeconds": 5,
            "failureThreshold": 6,
        },
    }


def spread(model: Model) -> list[dict[str, Any]]:
    """Evenly over the zones that have usable nodes; over nodes where that can be had."""
    common = {
        "maxSkew": 1,
        "labelSelector": {"matchLabels": selector(model)},
        # Each revision is spread by itself, or the old one's pods would skew the new one's.
        "matchLabelKeys": ["pod-template-hash"],
    }
    return [
        {
            **common,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "DoNotSchedule",
            # A zone whose nodes are all cordoned or lost is no zone to wait for.
            "nodeTaintsPolicy": "Honor",
        },
        {
            **common,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
        },
    ]
