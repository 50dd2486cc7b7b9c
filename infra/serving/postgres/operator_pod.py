"""The operator's Deployment, and the quota of its namespace.

The pods of instances are written by the operator.
"""

import hashlib
import json
from collections.abc import Sequence

from infra.serving.manifest import SECURITY_CONTEXT, Manifest
from infra.serving.postgres.clusters import Cluster
from infra.serving.postgres.manifests import OPERATOR_PORT
from infra.serving.quantity import amount

IMAGE = "ghcr.io/zalando/postgres-operator:v1.15.1"
_USER = 65534
_REQUESTS = {"cpu": "100m", "memory": "256Mi"}
_LIMITS = {"cpu": "500m", "memory": "512Mi"}
_CLEANUP_SECONDS = 30


def operator(labels: dict[str, str], name: str, configuration: Manifest) -> Manifest:
    """The spec of the operator's Deployment. Two operators would conflict with each other."""
    # It reads its configuration at start only: a new one needs a new pod.
    digest = hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()
    selector = {"app.kubernetes.io/name": name}
    return {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": selector},
        "template": {
            "metadata": {
                "labels": {**labels, **selector},
                "annotations": {"platform/configuration": digest[:16]},
            },
            "spec": {
                "serviceAccountName": name,
                "enableServiceLinks": False,
                "terminationGracePeriodSeconds": 2 * _CLEANUP_SECONDS,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": _USER,
                    "runAsGroup": _USER,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [_container(name)],
            },
        },
    }


def _container(name: str) -> Manifest:
    probe = {"httpGet": {"path": "/readyz/", "port": "api"}, "periodSeconds": 10}
    return {
        "name": name,
        "image": IMAGE,
        "env": [{"name": "POSTGRES_OPERATOR_CONFIGURATION_OBJECT", "value": name}],
        "ports": [{"name": "api", "containerPort": OPERATOR_PORT, "protocol": "TCP"}],
        "resources": {"requests": _REQUESTS, "limits": _LIMITS},
        "startupProbe": {**probe, "failureThreshold": 30},
        "readinessProbe": {**probe, "timeoutSeconds": 5},
        "livenessProbe": {**probe, "timeoutSeconds": 5, "failureThreshold": 6},
        # If cluster and operator are deleted together, it has this long to clean up.
        "lifecycle": {"preStop": {"sleep": {"seconds": _CLEANUP_SECONDS}}},
        "securityContext": SECURITY_CONTEXT,
    }


def quota(clusters: Sequence[Cluster]) -> Manifest:
    """The spec of the ResourceQuota: all instances, one more per cluster, and the operator."""
    cpu, memory, pods = amount(_REQUESTS["cpu"]), amount(_REQUESTS["memory"]), 2
    for cluster in clusters:
        requests = cluster.settings.resources.requests
        count = cluster.settings.instances + 1
        cpu += amount(requests.cpu) * count
        memory += amount(requests.memory) * count
        pods += count
    return {
        "hard": {
            "requests.cpu": f"{int(cpu * 1000)}m",
            "requests.memory": f"{int(memory / 2**20)}Mi",
            "pods": str(pods),
            "services.loadbalancers": "0",
        }
    }
