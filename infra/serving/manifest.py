"""Kubernetes manifests as plain data, and what those of several rooms share."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Manifest: TypeAlias = dict[str, Any]
"""A Kubernetes object, or a part of one, in the spelling of YAML files and the API reference."""

SECURITY_CONTEXT: Manifest = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
"""Of a container under the restricted Pod Security Standard; its pod states the user."""

SURGE_STRATEGY: Manifest = {
    "type": "RollingUpdate",
    "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
}
"""Of a Deployment that has no replica less during a rollout."""


def role_reference(kind: str, name: str) -> Manifest:
    """The `roleRef` of a binding to a Role or ClusterRole."""
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}


def sdk(manifest: Mapping[str, Any] | Sequence[Manifest]) -> Any:
    """`manifest` as an argument of Pulumi's Kubernetes SDK.

    The SDK passes mappings on unchanged; its types only describe its own snake_case spelling.
    """
    return manifest
