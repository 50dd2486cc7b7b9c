"""Which fields cannot change in place, by kind: a change of one replaces the object.

The list is that of the official provider (provider/pkg/clients in pulumi-kubernetes) where the API
itself does not allow the change either.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
_ALWAYS = ("metadata.name", "metadata.namespace", "kind")
_BY_KIND: dict[str, tuple[str, ...]] = {
    "apps/Deployment": ("spec.selector",),
    "apps/DaemonSet": ("spec.selector",),
    "apps/ReplicaSet": ("spec.selector",),
    "apps/StatefulSet": (
        "spec.selector",
        "spec.serviceName",
        "spec.podManagementPolicy",
        "spec.volumeClaimTemplates",
    ),
    "batch/Job": ("spec.selector", "spec.template", "spec.completions"),
    "/PersistentVolumeClaim": (
        "spec.accessModes",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeName",
        "spec.volumeMode",
    ),
    "/Pod": ("spec",),
    "/ResourceQuota": ("spec.scopes",),
    "/Secret": ("type",),
    "/Service": ("spec.clusterIP", "spec.type"),
    "networking.k8s.io/IngressClass": ("spec.controller",),
    "policy/PodDisruptionBudget": (),
    "rbac.authorization.k8s.io/ClusterRoleBinding": ("roleRef",),
    "rbac.authorization.k8s.io/RoleBinding": ("roleRef",),
    "scheduling.k8s.io/PriorityClass": ("value", "preemptionPolicy"),
    "storage.k8s.io/StorageClass": (
        "parameters",
        "provisioner",
        "reclaimPolicy",
        "volumeBindingMode",
    ),
}
# What may change in a Pod although its spec may not.
_POD_EXCEPTIONS = ("spec.activeDeadlineSeconds", "spec.tolerations", "spec.terminationGracePeriod")


def replaces(api_version: str, kind: str, inputs: Json, path: str) -> bool:
    """Whether a change at `path` (such as `spec.selector.matchLabels`) needs a new object."""
    group = api_version.rpartition("/")[0]
    fields = [*_ALWAYS, *_BY_KIND.get(f"{group}/{kind}", ())]
    if kind in {"ConfigMap", "Secret"} and inputs.get("immutable"):
        fields += ["data", "binaryData", "stringData"]
    if kind == "Pod" and (path.endswith(".image") or path.startswith(_POD_EXCEPTIONS)):
        return False
    return any(path == f or path.startswith((f"{f}.", f"{f}[")) for f in fields)
