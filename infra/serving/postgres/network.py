"""Network policies around Postgres: of its namespace, and the rule that lets models out to it."""

from collections.abc import Sequence

from infra.serving.manifest import Manifest
from infra.serving.models.database import PORT
from infra.serving.network_policy import dns, metadata_servers, namespace_selector, tcp
from infra.serving.postgres.clusters import Cluster

INSTANCE_LABELS = {"application": "spilo"}
"""Labels that the operator puts on instances."""


def network_policy(clusters: Sequence[Cluster]) -> Manifest:
    """The spec of the policy on Postgres' namespace: models may reach Postgres, nothing else."""
    callers = sorted({cluster.models_namespace for cluster in clusters})
    return {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {"from": [{"podSelector": {}}]},
            {"from": [namespace_selector(one) for one in callers], "ports": [tcp(PORT)]},
        ],
        "egress": [
            {"to": [{"podSelector": {}}]},
            dns(),
            *metadata_servers(),
            # The API server, which may have any private address, and Cloud Storage.
            {"ports": [tcp(443)]},
        ],
    }


def egress_to(namespace: str) -> Manifest:
    """The egress rule of a namespace whose models use a cluster in `namespace`."""
    return {
        "to": [{**namespace_selector(namespace), "podSelector": {"matchLabels": INSTANCE_LABELS}}],
        "ports": [tcp(PORT)],
    }
