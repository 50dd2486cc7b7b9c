"""What controllers own: fields of Kubernetes objects whose change is no drift, and their clients.

What a program declares is never excused by a field's row alone, except where the row says so; what
it does not declare and a controller writes is left to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cli.drift.managers import Manager


@dataclass(frozen=True, slots=True)
class Field:
    """Fields that a controller owns."""

    kinds: str
    """The kinds as a regular expression."""
    path: str
    """The path as a regular expression, from its start."""
    reason: str
    declared: bool = False
    """Whether the controller's value stands even where a program declares one."""


FIELDS = (
    Field(".*", r"status\b", "written by the kind's controller", declared=True),
    Field(
        ".*",
        r"metadata\.(generation|resourceVersion|uid|creationTimestamp|managedFields|selfLink"
        r"|deletionTimestamp|deletionGracePeriodSeconds)\b",
        "kept by the API server",
        declared=True,
    ),
    Field(".*", r"metadata\.(finalizers|ownerReferences)\b", "controllers guard deletions"),
    Field(
        ".*",
        r'metadata\.annotations\["(kubectl\.kubernetes\.io/last-applied-configuration'
        r"|deployment\.kubernetes\.io/|autoscaling\.alpha\.kubernetes\.io/|pulumi\.com/"
        r"|cloud\.google\.com/neg-status|ingress\.kubernetes\.io/|networking\.gke\.io/)",
        "notes of kubectl, of the Deployment, of the provider and of GKE's load balancer",
    ),
    Field(
        ".*",
        r'(spec\.template\.)?metadata\.annotations\["kubectl\.kubernetes\.io/restartedAt',
        "`kubectl rollout restart` is an operation, not a setting",
    ),
    Field(
        "Deployment|StatefulSet|ReplicaSet|LeaderWorkerSet",
        r"spec\.replicas$",
        "an autoscaler (HPA, KEDA) scales what declares no count",
    ),
    Field(
        ".*WebhookConfiguration",
        r"webhooks\[\d+\]\.clientConfig\.caBundle$",
        "written by the operator that serves the webhook",
        declared=True,
    ),
    Field(
        "CustomResourceDefinition",
        r"spec\.conversion\b",
        "the operator that serves the conversion writes its caBundle",
    ),
    Field(
        "Service",
        r"spec\.(clusterIP|clusterIPs|healthCheckNodePort|ports\[\d+\]\.nodePort)\b",
        "allocated by the API server",
    ),
    Field(
        ".*",
        r"(spec\.(jobT|t)emplate\.)*spec\.serviceAccount$",
        "the deprecated alias, which the API server keeps equal to serviceAccountName",
    ),
    Field("Namespace", r"spec\.finalizers\b", "kept by the namespace controller"),
    Field("ServiceAccount", r"(secrets|imagePullSecrets)\b", "written by the token controller"),
    Field("ClusterRole", r"rules\b", "filled by the role aggregation controller"),
)
"""Sources: each controller's page at kubernetes.io/docs, keda.sh and cloud.google.com/kubernetes-
engine/docs (NEG and Ingress annotations)."""

# `manager` is the program of LWS, as of most controllers that are built with kubebuilder.
_CLIENTS = re.compile(
    r"kube-(controller-manager|scheduler|apiserver|proxy)|kubelet|kwok.*|cloud-controller-manager"
    r"|clusterrole-aggregation-controller|cluster-autoscaler|vpa-.*|horizontal-pod-autoscaler"
    r"|glbc|neg-controller|ingress-gce|gke-.*|GoogleGKEGatewayController|gcp-.*|networking\.gke\.io"
    r"|keda.*|lws|manager|cert-manager.*|prometheus-operator|PrometheusOperator|postgres-operator"
    r"|Patroni|nginx-ingress-controller|backup-agent|sandbox"
)


def is_owned(kind: str, path: str, *, declared: bool) -> bool:
    """Whether a controller owns the field; `declared`: whether the program states a value."""
    return any(
        (one.declared or not declared)
        and re.fullmatch(one.kinds, kind)
        and re.match(one.path, path)
        for one in FIELDS
    )


def is_controller(manager: Manager) -> bool:
    """Whether the client is a controller of Kubernetes, of GKE or of the platform's operators."""
    return manager.subresource == "status" or bool(_CLIENTS.fullmatch(manager.name))
