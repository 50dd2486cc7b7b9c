"""Names of a resource: for the engine, in the cluster, and as a field manager."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

Json = dict[str, Any]
AUTONAMED = "pulumi.com/autonamed"
_LONGEST_NAME = 253
_SUFFIX = 4  # bytes, two characters each
# Cluster-scoped kinds, for previews without a cluster.
_CLUSTER_WIDE = frozenset(
    {
        "APIService", "CSIDriver", "CSINode", "CertificateSigningRequest", "ClusterRole",
        "ClusterRoleBinding", "CustomResourceDefinition", "FlowSchema", "IngressClass",
        "MutatingWebhookConfiguration", "Namespace", "Node", "PersistentVolume", "PriorityClass",
        "PriorityLevelConfiguration", "RuntimeClass", "StorageClass", "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration", "VolumeAttachment",
    }
)  # fmt: skip
_GROUPS_OF_KUBERNETES = frozenset({"", "apps", "autoscaling", "batch", "policy"})


def kind_of(token: str) -> tuple[str, str]:
    """`kubernetes:apps/v1:Deployment` → (apps/v1, Deployment)."""
    _, api_version, kind = token.split(":", 2)
    return api_version.removeprefix("core/"), kind


def is_patch(token: str, inputs: Json) -> bool:
    """Whether the resource is a patch of an object that it does not own."""
    kind = kind_of(token)[1]
    return kind.endswith("Patch") and inputs.get("kind", "") != kind


def group(plain: Json) -> str:
    """`apps` of `apps/v1`, and the empty string of `v1`."""
    return str(plain.get("apiVersion", "")).rpartition("/")[0]


def has_namespace(plain: Json) -> bool | None:
    """Whether Kubernetes' own kind is namespaced; None for a kind that is not Kubernetes' own."""
    if plain.get("kind") in _CLUSTER_WIDE:
        return False
    found = group(plain)
    return True if found in _GROUPS_OF_KUBERNETES or found.endswith(".k8s.io") else None


def logical(urn: str) -> str:
    """The name that the program gave."""
    return urn.split("::", 3)[3]


def spoken(urn: str) -> str:
    """The resource as messages name it: `Deployment resnet`."""
    return f"{urn.split('::')[2].rpartition(':')[2]} {logical(urn)}"


def with_name(metadata: Json, old: Any, urn: str, seed: bytes) -> Json:
    """The metadata with a generated name: the old one, if that was generated too.

    The seed is the engine's, the same for a plan's preview and its update.
    """
    old = old if isinstance(old, dict) else {}
    annotations = {**(metadata.get("annotations") or {}), AUTONAMED: "true"}
    if is_autonamed(old) and old.get("name"):
        return {**metadata, "name": old["name"], "annotations": annotations}
    suffix = hashlib.sha256(seed + urn.encode()).digest() if seed else secrets.token_bytes(_SUFFIX)
    longest = _LONGEST_NAME - 2 * _SUFFIX - 1
    name = f"{logical(urn)[:longest]}-{suffix[:_SUFFIX].hex()}"
    return {**metadata, "name": name, "annotations": annotations}


def is_autonamed(metadata: Json) -> bool:
    """Whether the name was generated."""
    annotations = metadata.get("annotations")
    return isinstance(annotations, dict) and annotations.get(AUTONAMED) == "true"


def id_of(live: Json) -> str:
    """`namespace/name`, or `name` for cluster-scoped kinds."""
    namespace = live["metadata"].get("namespace")
    name = str(live["metadata"]["name"])
    return f"{namespace}/{name}" if namespace else name


def manager(urn: str, known: Any = None, asked: Any = None) -> str:
    """The field manager of a resource.

    It derives from the URN, so that a create which was interrupted finds its own object again,
    and a resource of another name does not take the object for its own.
    """
    for name in (asked, known):
        if isinstance(name, str) and name:
            return name
    return f"pulumi-kubernetes-{hashlib.sha256(urn.encode()).hexdigest()[:8]}"


def manages(live: Json, name: str) -> bool:
    """Whether the manager has applied fields of the object."""
    return any(f.get("manager") == name for f in live["metadata"].get("managedFields") or [])
