"""RBAC rules of Zalando's operator and of the instances.

The operator's own manifest grants everything in every namespace. Here it has one namespace, and
elsewhere only the Secrets that it creates there, by name.
"""

from collections.abc import Iterable, Sequence

from infra.serving.manifest import Manifest
from infra.serving.postgres.clusters import Cluster
from infra.serving.postgres.settings import SYSTEM_USERS

_READ = ("get", "list", "watch")
_CHANGE = ("create", "update", "patch", "delete")


def _rule(group: str, resources: Iterable[str], verbs: Iterable[str], *names: str) -> Manifest:
    return {
        "apiGroups": [group],
        "resources": list(resources),
        "verbs": list(verbs),
        **({"resourceNames": list(names)} if names else {}),
    }


def credentials(clusters: Sequence[Cluster]) -> dict[str, list[str]]:
    """The names of the users' Secrets, by the namespace of their models."""
    found: dict[str, list[str]] = {}
    for cluster in clusters:
        names = [cluster.secret(cluster.role(user)) for user in cluster.settings.users]
        found.setdefault(cluster.models_namespace, []).extend(names)
    return found


def secrets(names: list[str]) -> list[Manifest]:
    """Rules for the operator on the Secrets of a namespace: create any, change only its own."""
    return [
        _rule("", ["secrets"], ["create"]),
        _rule("", ["secrets"], ["get", "update", "patch", "delete"], *names),
    ]


def operator(clusters: Sequence[Cluster]) -> list[Manifest]:
    """Rules for the operator in its own namespace, where all clusters are."""
    own = [cluster.secret(user) for cluster in clusters for user in SYSTEM_USERS]
    return [
        _rule("acid.zalan.do", ["postgresqls"], [*_READ, "update", "patch"]),
        _rule("acid.zalan.do", ["postgresqls/status"], ["get", "update", "patch"]),
        _rule("acid.zalan.do", ["operatorconfigurations"], ["get"]),
        *secrets(own),
        _rule("", ["pods"], ["get", "list", "watch", "update", "patch", "delete"]),
        # Major version upgrades run inside the primary.
        _rule("", ["pods/exec"], ["create"]),
        _rule("", ["services", "endpoints", "configmaps"], [*_READ, *_CHANGE]),
        _rule("", ["persistentvolumeclaims"], ["get", "list", "update", "patch"]),
        _rule("", ["serviceaccounts"], ["get"], "postgres-pod"),
        _rule("", ["events"], ["create", "patch", "update"]),
        _rule("rbac.authorization.k8s.io", ["rolebindings"], ["get"], "postgres-pod"),
        _rule("apps", ["statefulsets"], [*_READ, *_CHANGE]),
        _rule("apps", ["deployments"], ["get", "list"]),
        _rule("batch", ["cronjobs"], ["get", "list"]),
        _rule("policy", ["poddisruptionbudgets"], [*_READ, *_CHANGE]),
    ]


def nodes(namespaces: Iterable[str]) -> list[Manifest]:
    """Cluster-wide rules for the operator: it watches drains, and looks up the namespaces."""
    return [
        _rule("", ["nodes"], _READ),
        _rule("", ["namespaces"], ["get"], *namespaces),
    ]


def instance() -> list[Manifest]:
    """Rules for instances: Patroni keeps its state and its leader in endpoints."""
    return [
        _rule("", ["endpoints"], [*_READ, *_CHANGE]),
        _rule("", ["pods"], [*_READ, "update", "patch"]),
        _rule("", ["services"], ["create"]),
    ]
