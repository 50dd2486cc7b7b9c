"""RBAC rules of KEDA's account: what the operator and the adapter do, and no Secrets of models.

The release's own ClusterRole may read every object and Secret of the cluster, for scale targets of
any kind and for credentials in Secrets. Here targets are Deployments and LeaderWorkerSets, and
credentials come from workload identity. Source: https://github.com/kedacore/keda/tree/v2.21.0/config/rbac.
"""

from infra.serving.manifest import Manifest
from infra.serving.scaling.keda_manifests import CERTIFICATES

READ = ["get", "list", "watch"]
WRITE = ["create", "delete", "get", "list", "patch", "update", "watch"]
CHANGE = ["get", "list", "patch", "update", "watch"]
API_SERVICE = "v1beta1.external.metrics.k8s.io"


def _rule(groups: list[str], resources: list[str], verbs: list[str], *names: str) -> Manifest:
    named: Manifest = {"resourceNames": list(names)} if names else {}
    return {"apiGroups": groups, "resources": resources, "verbs": verbs, **named}


def cluster_rules() -> list[Manifest]:
    """Rules in all namespaces."""
    keda = [
        "clustertriggerauthentications",
        "scaledjobs",
        "scaledobjects",
        "triggerauthentications",
    ]
    eventing = ["cloudeventsources", "clustercloudeventsources"]
    return [
        _rule([""], ["configmaps", "limitranges", "pods", "serviceaccounts", "services"], READ),
        _rule(["", "events.k8s.io"], ["events"], ["create", "patch"]),
        _rule(["apps"], ["deployments", "replicasets", "statefulsets"], READ),
        _rule(["apps"], ["deployments/scale", "statefulsets/scale"], CHANGE),
        _rule(["leaderworkerset.x-k8s.io"], ["leaderworkersets"], READ),
        _rule(["leaderworkerset.x-k8s.io"], ["leaderworkersets/scale"], CHANGE),
        _rule(["batch"], ["jobs"], READ),
        _rule(["autoscaling"], ["horizontalpodautoscalers"], WRITE),
        _rule(
            ["keda.sh"],
            [*keda, *(f"{one}/status" for one in keda), "scaledobjects/finalizers"],
            CHANGE,
        ),
        _rule(["eventing.keda.sh"], [*eventing, *(f"{one}/status" for one in eventing)], CHANGE),
        # It writes its certificate authority into its own APIService.
        _rule(["apiregistration.k8s.io"], ["apiservices"], ["list", "watch"]),
        _rule(
            ["apiregistration.k8s.io"],
            ["apiservices"],
            ["get", "patch", "update"],
            API_SERVICE,
        ),
    ]


def namespace_rules() -> list[Manifest]:
    """Rules in KEDA's own namespace: its certificates, and the lease of the active operator."""
    return [
        _rule([""], ["secrets"], ["create", "list", "watch"]),
        _rule([""], ["secrets"], ["delete", "get", "patch", "update"], CERTIFICATES),
        _rule(["coordination.k8s.io"], ["leases"], WRITE),
    ]


def reader_rules() -> list[Manifest]:
    """Rules of the controller of HorizontalPodAutoscalers."""
    return [_rule(["external.metrics.k8s.io"], ["*"], ["get", "list"])]
