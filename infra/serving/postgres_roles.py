"""What Zalando's operator and the instances may do in Kubernetes, as plain data.

The operator's own manifest grants everything in every namespace. Here it has one namespace, and
elsewhere no more than the Secrets that it is to make there, by their names.
"""

from collections.abc import Iterable

from infra.serving.config import ServingConfig
from infra.serving.manifest import Manifest
from infra.serving.postgres import SYSTEM_USERS, home_of, role, secret

_READ = ("get", "list", "watch")
_CHANGE = ("create", "update", "patch", "delete")


def _rule(group: str, resources: Iterable[str], verbs: Iterable[str], *names: str) -> Manifest:
    return {
        "apiGroups": [group],
        "resources": list(resources),
        "verbs": list(verbs),
        **({"resourceNames": list(names)} if names else {}),
    }


def logins(config: ServingConfig) -> dict[str, list[str]]:
    """The Secrets of users that log in, by the namespace where their models are."""
    found: dict[str, list[str]] = {}
    for cluster in config.postgres.clusters if config.postgres else ():
        names = [secret(cluster, role(cluster, user, config)) for user in cluster.users]
        found.setdefault(home_of(cluster, config), []).extend(names)
    return found


def secrets(names: list[str]) -> list[Manifest]:
    """What the operator may do with Secrets of a namespace: make any, touch only its own."""
    return [
        _rule("", ["secrets"], ["create"]),
        _rule("", ["secrets"], ["get", "update", "patch", "delete"], *names),
    ]


def operator(config: ServingConfig) -> list[Manifest]:
    """What the operator may do in its own namespace, where all clusters are."""
    clusters = config.postgres.clusters if config.postgres else ()
    own = [secret(cluster, user) for cluster in clusters for user in SYSTEM_USERS]
    return [
        _rule("acid.zalan.do", ["postgresqls"], [*_READ, "update", "patch"]),
        _rule("acid.zalan.do", ["postgresqls/status"], ["get", "update", "patch"]),
        _rule("acid.zalan.do", ["operatorconfigurations"], ["get"]),
        *secrets(own),
        _rule("", ["pods"], ["get", "list", "watch", "update", "patch", "delete"]),
        # It runs the upgrade to another major version inside the primary.
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
    """What it may read of the cluster: which nodes are drained, and where Secrets may go."""
    return [
        _rule("", ["nodes"], _READ),
        _rule("", ["namespaces"], ["get"], *namespaces),
    ]


def instance() -> list[Manifest]:
    """What an instance may do: Patroni keeps its state, and who leads, in endpoints."""
    return [
        _rule("", ["endpoints"], [*_READ, *_CHANGE]),
        _rule("", ["pods"], [*_READ, "update", "patch"]),
        _rule("", ["services"], ["create"]),
    ]
