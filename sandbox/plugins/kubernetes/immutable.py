"""Which changes replace an object: by kind, or because the API server refuses them.

The list is the official provider's (provider/pkg/provider/diff.go of pulumi-kubernetes), without
the kinds that no longer exist and with the fields that the API itself keeps from changing.
"""

from __future__ import annotations

import re
from typing import Any

from sandbox.plugins.kubernetes.names import group

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
        "spec.revisionHistoryLimit",
        "spec.volumeClaimTemplates",
    ),
    "batch/Job": ("spec.selector", "spec.template", "spec.completions", "spec.parallelism"),
    "/PersistentVolume": tuple(
        f"spec.{source}"
        for source in (
            "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi", "fc",
            "flexVolume", "flocker", "gcePersistentDisk", "glusterfs", "hostPath", "iscsi",
            "local", "nfs", "photonPersistentDisk", "portworxVolume", "quobyte", "rbd", "scaleIO",
            "storageos", "vsphereVolume",
        )
    ),
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
    "/Service": ("spec.clusterIP",),
    "networking.k8s.io/IngressClass": ("spec.controller",),
    "rbac.authorization.k8s.io/ClusterRoleBinding": ("roleRef",),
    "rbac.authorization.k8s.io/RoleBinding": ("roleRef",),
    "scheduling.k8s.io/PriorityClass": ("value", "preemptionPolicy"),
    "storage.k8s.io/StorageClass": (
        "parameters",
        "provisioner",
        "reclaimPolicy",
        "volumeBindingMode",
    ),
}  # fmt: skip
# The fields of a Pod's spec that may change.
_POD_EXCEPTIONS = ("spec.activeDeadlineSeconds", "spec.tolerations")
_DATA = ("data", "binaryData", "stringData")
# The API server's messages for immutable fields.
_REFUSALS = re.compile(
    r"field is immutable|may not change|updates to .* are forbidden|cannot be changed|"
    r"is immutable after|immutable field|may not be changed|cannot change",
    re.IGNORECASE,
)


def replaces(inputs: Json, path: str, *, mutable: frozenset[str] = frozenset()) -> bool:
    """Whether a change at `path` (such as `spec.selector.matchLabels`) needs a new object.

    `mutable` are the kinds of ConfigMap and Secret whose data the provider's settings let change;
    without it, pods would keep using the old data.
    """
    kind = str(inputs.get("kind", ""))
    fields = [*_ALWAYS, *_BY_KIND.get(f"{group(inputs)}/{kind}", ())]
    is_fixed = kind not in mutable or inputs.get("immutable") is True
    if kind in {"ConfigMap", "Secret"} and not group(inputs) and is_fixed:
        fields += _DATA
    if kind == "Pod" and (path.endswith(".image") or path.startswith(_POD_EXCEPTIONS)):
        return False
    return any(path == f or path.startswith((f"{f}.", f"{f}[")) for f in fields)


def refused_fields(code: int, details: Json) -> list[str]:
    """The fields that the API server will not change in place, if that is what it refused."""
    if code != 422:
        return []
    return [
        str(cause.get("field") or "spec")
        for cause in details.get("causes") or []
        if _REFUSALS.search(str(cause.get("message", "")))
    ]
