"""The manifests of the rate limit service: one pod with the service and its counters.

Both are in one pod: Valkey has no password and listens on a socket that nobody else can reach. It
keeps nothing: after a restart the minute begins anew. While the pod is away, the gateways do what
`failure` says.
"""

import json

from infra.serving.callers import limits, pods
from infra.serving.callers.pods import GATEWAY, LIMITS, LIMITS_PORT
from infra.serving.callers.settings import CallersArgs
from infra.serving.manifest import SURGE_STRATEGY, Manifest
from infra.serving.network_policy import tcp

IMAGE = "docker.io/envoyproxy/ratelimit:3fb70258"
"""Images of the service are named by commit: this is v1.4.1-0.20260122083618-3fb702589d36."""
COUNTERS_IMAGE = "docker.io/valkey/valkey:9.1.2"
SELECTOR = {"app.kubernetes.io/name": LIMITS, "app.kubernetes.io/component": LIMITS}
_CONFIG, _SOCKETS = "/etc/limits", "/run/counters"
_SOCKET = f"{_SOCKETS}/valkey.sock"
_HEALTH_PORT = 8080


def settings(callers: CallersArgs) -> dict[str, str]:
    """The data of the ConfigMap, which the service follows."""
    return {"limits.yaml": json.dumps(limits.configuration(callers.allowed), indent=1)}


def deployment(*, labels: dict[str, str]) -> Manifest:
    """The spec of the Deployment. Two pods would each know half of the requests."""
    return {
        "replicas": 1,
        "selector": {"matchLabels": SELECTOR},
        "strategy": SURGE_STRATEGY,
        "template": {
            "metadata": {"labels": {**labels, **SELECTOR}},
            "spec": pods.pod(
                [_service()],
                sidecars=[_counters()],
                selector=SELECTOR,
                account=LIMITS,
                grace_seconds=30,
                volumes=[
                    {"name": "limits", "configMap": {"name": LIMITS}},
                    {"name": "counters", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
                ],
            ),
        },
    }


def _service() -> Manifest:
    variables = {
        **limits.environment(socket=_SOCKET, root=_CONFIG),
        "GRPC_PORT": str(LIMITS_PORT),
        "PORT": str(_HEALTH_PORT),
        # It shows the configuration, to nobody outside.
        "DEBUG_HOST": "127.0.0.1",
    }
    health = {"httpGet": {"path": "/healthcheck", "port": "health"}}
    return {
        "name": "ratelimit",
        "image": IMAGE,
        "command": ["/bin/ratelimit"],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "ports": [
            {"name": "grpc", "containerPort": LIMITS_PORT, "protocol": "TCP"},
            {"name": "health", "containerPort": _HEALTH_PORT, "protocol": "TCP"},
        ],
        "resources": pods.resources("100m", "64Mi", most_memory="256Mi"),
        "startupProbe": {**health, "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {**health, "periodSeconds": 5},
        "livenessProbe": {**health, "periodSeconds": 10, "failureThreshold": 6},
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        "volumeMounts": [
            {
                "name": "limits",
                "mountPath": f"{_CONFIG}/{limits.DOMAIN}/config",
                "readOnly": True,
            },
            {"name": "counters", "mountPath": _SOCKETS},
        ],
    }


def _counters() -> Manifest:
    return {
        "name": "valkey",
        "image": COUNTERS_IMAGE,
        "restartPolicy": "Always",
        "command": ["valkey-server"],
        "args": [
            "--port",
            "0",
            "--unixsocket",
            _SOCKET,
            "--save",
            "",
            "--appendonly",
            "no",
            "--maxmemory",
            "64mb",
            "--maxmemory-policy",
            "volatile-ttl",
        ],
        # The service ends if it finds nobody at the socket.
        "startupProbe": {
            "exec": {"command": ["valkey-cli", "-s", _SOCKET, "ping"]},
            "periodSeconds": 1,
            "failureThreshold": 60,
        },
        "resources": pods.resources("50m", "64Mi", most_memory="128Mi"),
        "workingDir": _SOCKETS,
        "volumeMounts": [{"name": "counters", "mountPath": _SOCKETS}],
    }


def service() -> Manifest:
    """The spec of the Service that gateways ask."""
    return {
        "type": "ClusterIP",
        "selector": SELECTOR,
        "ports": [{"name": "grpc", "port": LIMITS_PORT, "targetPort": "grpc", "protocol": "TCP"}],
    }


def network_policy() -> Manifest:
    """The spec of the policy on its pod: gateways of all namespaces call it; it calls nobody."""
    gateways = {"matchLabels": {"app.kubernetes.io/component": GATEWAY}}
    return {
        "podSelector": {"matchLabels": SELECTOR},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {
                "from": [{"namespaceSelector": {}, "podSelector": gateways}],
                "ports": [tcp(LIMITS_PORT)],
            }
        ],
    }
