"""The kinds and versions of Kubernetes' own API groups, including removed versions.

The groups are closed: an object with another kind or version in one of them is a mistake, and the
API server refuses it. Source: the API reference of Kubernetes 1.16 to 1.36.
"""

import difflib

from gkeplatform.errors import PlatformError

BUILT_IN: dict[str, tuple[str, str]] = {
    "core": (
        "v1",
        "Binding ComponentStatus ConfigMap Endpoints Event LimitRange List Namespace Node "
        "PersistentVolume PersistentVolumeClaim Pod PodTemplate ReplicationController "
        "ResourceQuota Secret Service ServiceAccount",
    ),
    "apps": (
        "v1 v1beta1 v1beta2",
        "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    ),
    "autoscaling": ("v1 v2 v2beta1 v2beta2", "HorizontalPodAutoscaler Scale"),
    "batch": ("v1 v1beta1 v2alpha1", "CronJob Job"),
    "extensions": (
        "v1beta1",
        "DaemonSet Deployment Ingress NetworkPolicy PodSecurityPolicy ReplicaSet",
    ),
    "policy": ("v1 v1beta1", "Eviction PodDisruptionBudget PodSecurityPolicy"),
    "networking.k8s.io": (
        "v1 v1beta1 v1alpha1",
        "ClusterCIDR IPAddress Ingress IngressClass NetworkPolicy ServiceCIDR",
    ),
    "rbac.authorization.k8s.io": (
        "v1 v1beta1 v1alpha1",
        "ClusterRole ClusterRoleBinding Role RoleBinding",
    ),
    "scheduling.k8s.io": (
        "v1 v1beta1 v1alpha1 v1alpha2",
        "PodGroup PriorityClass Workload",
    ),
    "coordination.k8s.io": ("v1 v1beta1 v1alpha1 v1alpha2", "Lease LeaseCandidate"),
    "discovery.k8s.io": ("v1 v1beta1", "EndpointSlice"),
    "node.k8s.io": ("v1 v1beta1 v1alpha1", "RuntimeClass"),
}  # fmt: skip
"""Versions and kinds by group, separated by spaces."""


class UnknownKindError(PlatformError):
    """A kind or version that its API group does not have."""


def check(api_version: str, kind: str) -> None:
    """Raise UnknownKindError for a kind or version that a built-in group does not have."""
    group, _, version = api_version.rpartition("/")
    if (group or "core") not in BUILT_IN:
        if "." not in group:
            raise UnknownKindError(
                f"there is no API group {group}; {_suggestion(kind, [], group)}; a group of custom "
                "resources has a dot"
            )
        return
    versions, kinds = (one.split() for one in BUILT_IN[group or "core"])
    singular = kind.removesuffix("List") or "List"
    if singular not in kinds:
        raise UnknownKindError(f"{api_version} has no kind {kind}; {_suggestion(kind, kinds)}")
    if version not in versions:
        raise UnknownKindError(
            f"there is no apiVersion {api_version}; {group or 'core'} has {', '.join(versions)}"
        )


def _suggestion(kind: str, kinds: list[str], typed: str = "") -> str:
    for group, (versions, others) in BUILT_IN.items():
        if kind in others.split():
            version = versions.split()[0]
            return f"{kind} is in {version if group == 'core' else f'{group}/{version}'}"
    if typed:
        return (
            f"the groups without a dot are {', '.join(one for one in BUILT_IN if '.' not in one)}"
        )
    by_lower = {one.lower(): one for one in kinds}
    near = difflib.get_close_matches(kind.lower(), by_lower, n=1)
    return f"did you mean {by_lower[near[0]]}?" if near else f"its kinds are {', '.join(kinds)}"
