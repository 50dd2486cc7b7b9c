"""The kubeconfig that the layer publishes. It has no credential; an exec plugin gets one."""

import json
from typing import Any

import pulumi
from pulumi_gcp import container

PLUGIN = "gke-gcloud-auth-plugin"


def kubeconfig(cluster: container.Cluster) -> pulumi.Output[str]:
    """The kubeconfig of `cluster`, secret."""
    parts = pulumi.Output.all(
        name=cluster.name,
        endpoint=cluster.endpoint,
        certificate_authority=cluster.master_auth.cluster_ca_certificate,
    )
    return pulumi.Output.secret(parts.apply(lambda known: render(**known)))


def render(*, name: str, endpoint: str, certificate_authority: str) -> str:
    """A kubeconfig (JSON, which is YAML) with one cluster, one user and one context."""
    entry: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "server": f"https://{endpoint}",
                    "certificate-authority-data": certificate_authority,
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "users": [
            {
                "name": name,
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1beta1",
                        "command": PLUGIN,
                        "installHint": f"Install {PLUGIN}: "
                        "https://cloud.google.com/kubernetes-engine/docs/how-to/"
                        "cluster-access-for-kubectl",
                        "interactiveMode": "Never",
                        "provideClusterInfo": True,
                    }
                },
            }
        ],
    }
    return json.dumps(entry)
