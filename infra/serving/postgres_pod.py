"""The operator's pod, and what surrounds it and the instances: quota and network policy.

Plain data. The instances' pods are the operator's to write; only their walls are said here.
"""

import hashlib
import json
from typing import Any

from infra.serving.config import ServingConfig
from infra.serving.database import PORT
from infra.serving.manifest import Manifest
from infra.serving.postgres import home_of
from infra.serving.postgres_objects import CLUSTER_LABELS, OPERATOR_PORT
from infra.serving.quantity import amount
from infra.serving.teams import namespace_selector

IMAGE = "ghcr.io/zalando/postgres-operator:v1.15.1"
_NOBODY = 65534
_REQUESTS = {"cpu": "100m", "memory": "256Mi"}
_LIMITS = {"cpu": "500m", "memory": "512Mi"}
_FAREWELL_SECONDS = 30
_METADATA_SERVERS = (("169.254.169.254/32", 80), ("169.254.169.252/32", 988))


def operator(labels: dict[str, str], name: str, configuration: Manifest) -> Manifest:
    """The spec of the operator's Deployment. Two of them would undo each other's work."""
    # It reads its configuration once: a new one needs a new pod.
    written = hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()
    selector = {"app.kubernetes.io/name": name}
    return {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": selector},
        "template": {
            "metadata": {
                "labels": {**labels, **selector},
                "annotations": {"platform/configuration": written[:16]},
            },
            "spec": {
                "serviceAccountName": name,
                "terminationGracePeriodSeconds": 2 * _FAREWELL_SECONDS,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": _NOBODY,
                    "runAsGroup": _NOBODY,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [_container(name)],
            },
        },
    }


def _container(name: str) -> dict[str, Any]:
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
        # Where cluster and operator go together, it has this long to clear up after the cluster.
        "lifecycle": {"preStop": {"sleep": {"seconds": _FAREWELL_SECONDS}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def quota(config: ServingConfig) -> Manifest:
    """The spec of the ResourceQuota: all instances, one of each cluster anew, and the operator."""
    clusters = config.postgres.clusters if config.postgres else ()
    cpu, memory, pods = amount(_REQUESTS["cpu"]), amount(_REQUESTS["memory"]), 2
    for cluster in clusters:
        asked, count = cluster.resources.requests, cluster.instances + 1
        cpu += amount(asked.cpu) * count
        memory += amount(asked.memory) * count
        pods += count
    return {
        "hard": {
            "requests.cpu": f"{int(cpu * 1000)}m",
            "requests.memory": f"{int(memory / 2**20)}Mi",
            "pods": str(pods),
            "services.loadbalancers": "0",
        }
    }


def walls(config: ServingConfig) -> Manifest:
    """The spec of the policy on the namespace: models may reach Postgres, and nothing else."""
    clusters = config.postgres.clusters if config.postgres else ()
    homes = sorted({home_of(cluster, config) for cluster in clusters})
    return {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {"from": [{"podSelector": {}}]},
            {
                "from": [namespace_selector(home) for home in homes],
                "ports": [{"port": PORT, "protocol": "TCP"}],
            },
        ],
        "egress": [
            {"to": [{"podSelector": {}}]},
            {
                "to": [
                    namespace_selector("kube-system"),
                    {"ipBlock": {"cidr": "169.254.20.10/32"}},
                ],
                "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
            },
            *(
                {
                    "to": [{"ipBlock": {"cidr": cidr}}],
                    "ports": [{"port": port, "protocol": "TCP"}],
                }
                for cidr, port in _METADATA_SERVERS
            ),
            # The API server, which may have any private address, and the bucket.
            {"ports": [{"port": 443, "protocol": "TCP"}]},
        ],
    }


def way_to(namespace: str) -> dict[str, Any]:
    """What the policy of a models' namespace must let out."""
    return {
        "to": [{**namespace_selector(namespace), "podSelector": {"matchLabels": CLUSTER_LABELS}}],
        "ports": [{"port": PORT, "protocol": "TCP"}],
    }
