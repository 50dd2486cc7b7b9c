"""RBAC rules of the LWS controller's account: groups of pods, and no Secrets of models.

The release's own ClusterRole may also read every Secret; here only the controller's certificate.
Source: https://github.com/kubernetes-sigs/lws/tree/v0.9.0/config/rbac.
"""

from infra.serving.manifest import Manifest

READ = ["get", "list", "watch"]
WRITE = ["create", "delete", "get", "list", "patch", "update", "watch"]
STATUS = ["get", "patch", "update"]
_SETS = ["leaderworkersets", "disaggregatedsets"]
_API_GROUPS = ["leaderworkerset.x-k8s.io", "disaggregatedset.x-k8s.io"]
MUTATING, VALIDATING = "lws-mutating-webhook-configuration", "lws-validating-webhook-configuration"
"""Names that the controller knows: it writes its certificate authority into both."""
CERTIFICATE = "lws-webhook-server-cert"
"""The Secret with its certificate, which it fills and may not create."""


def _rule(groups: list[str], resources: list[str], verbs: list[str], *names: str) -> Manifest:
    named: Manifest = {"resourceNames": list(names)} if names else {}
    return {"apiGroups": groups, "resources": resources, "verbs": verbs, **named}


def cluster_rules() -> list[Manifest]:
    """Rules in all namespaces."""
    return [
        _rule([""], ["nodes"], READ),
        _rule([""], ["pods", "services"], WRITE),
        _rule([""], ["pods/finalizers"], ["update"]),
        _rule(["", "events.k8s.io"], ["events"], ["create", "patch"]),
        _rule(["apps"], ["controllerrevisions", "statefulsets"], WRITE),
        _rule(["apps"], ["controllerrevisions/finalizers", "statefulsets/finalizers"], ["update"]),
        _rule(_API_GROUPS, _SETS, WRITE),
        _rule(_API_GROUPS, [f"{one}/finalizers" for one in _SETS], ["update"]),
        _rule(_API_GROUPS, [f"{one}/status" for one in _SETS], STATUS),
        _rule(
            ["admissionregistration.k8s.io"],
            ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
            ["list", "watch"],
        ),
        _rule(
            ["admissionregistration.k8s.io"],
            ["mutatingwebhookconfigurations"],
            ["get", "update"],
            MUTATING,
        ),
        _rule(
            ["admissionregistration.k8s.io"],
            ["validatingwebhookconfigurations"],
            ["get", "update"],
            VALIDATING,
        ),
    ]


def namespace_rules() -> list[Manifest]:
    """Rules in the controller's own namespace: its certificate, and the lease of the active one."""
    return [
        _rule([""], ["secrets"], ["list", "watch"]),
        _rule([""], ["secrets"], ["get", "update"], CERTIFICATE),
        _rule(["coordination.k8s.io"], ["leases"], WRITE),
    ]
