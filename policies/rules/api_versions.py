"""Rules about removed and deprecated Kubernetes API versions."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from policies.cluster_version import ClusterVersion
from policies.rule import advisory, google, kubernetes_docs, mandatory
from policies.subjects import Resource, Selector, pattern
from policies.values import Props

_GUIDE = kubernetes_docs("Deprecated API migration guide", "reference/using-api/deprecation-guide/")
_GKE = google("API deprecations", "kubernetes-engine/docs/deprecations/apis-1-32")


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Minor versions of Kubernetes 1.x that deprecate and remove an API, and its replacement."""

    kinds: tuple[str, ...]
    deprecated: int
    removed: int
    replacement: str


_WORKLOADS = ("Deployment", "DaemonSet", "ReplicaSet", "StatefulSet")
_WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_RBAC = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
_FLOW = ("FlowSchema", "PriorityLevelConfiguration")
DEPRECATIONS: dict[str, tuple[Deprecation, ...]] = {
    "extensions/v1beta1": (
        Deprecation((*_WORKLOADS, "NetworkPolicy", "PodSecurityPolicy"), 9, 16, "apps/v1"),
        Deprecation(("Ingress",), 14, 22, "networking.k8s.io/v1"),
    ),
    "apps/v1beta1": (Deprecation((*_WORKLOADS, "ControllerRevision"), 9, 16, "apps/v1"),),
    "apps/v1beta2": (Deprecation((*_WORKLOADS, "ControllerRevision"), 9, 16, "apps/v1"),),
    "networking.k8s.io/v1beta1": (
        Deprecation(("Ingress", "IngressClass"), 19, 22, "networking.k8s.io/v1"),
    ),
    "admissionregistration.k8s.io/v1beta1": (
        Deprecation(_WEBHOOKS, 16, 22, "admissionregistration.k8s.io/v1"),
    ),
    "apiextensions.k8s.io/v1beta1": (
        Deprecation(("CustomResourceDefinition",), 16, 22, "apiextensions.k8s.io/v1"),
    ),
    "apiregistration.k8s.io/v1beta1": (
        Deprecation(("APIService",), 19, 22, "apiregistration.k8s.io/v1"),
    ),
    "rbac.authorization.k8s.io/v1alpha1": (
        Deprecation(_RBAC, 17, 22, "rbac.authorization.k8s.io/v1"),
    ),
    "rbac.authorization.k8s.io/v1beta1": (
        Deprecation(_RBAC, 17, 22, "rbac.authorization.k8s.io/v1"),
    ),
    "scheduling.k8s.io/v1beta1": (Deprecation(("PriorityClass",), 14, 22, "scheduling.k8s.io/v1"),),
    "coordination.k8s.io/v1beta1": (Deprecation(("Lease",), 19, 22, "coordination.k8s.io/v1"),),
    "certificates.k8s.io/v1beta1": (
        Deprecation(("CertificateSigningRequest",), 19, 22, "certificates.k8s.io/v1"),
    ),
    "authentication.k8s.io/v1beta1": (
        Deprecation(("TokenReview",), 19, 22, "authentication.k8s.io/v1"),
    ),
    "authorization.k8s.io/v1beta1": (
        Deprecation(
            ("LocalSubjectAccessReview", "SelfSubjectAccessReview", "SubjectAccessReview"),
            19,
            22,
            "authorization.k8s.io/v1",
        ),
    ),
    "storage.k8s.io/v1beta1": (
        Deprecation(
            ("CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"),
            19,
            22,
            "storage.k8s.io/v1",
        ),
        Deprecation(("CSIStorageCapacity",), 24, 27, "storage.k8s.io/v1"),
    ),
    "batch/v1beta1": (Deprecation(("CronJob",), 21, 25, "batch/v1"),),
    "batch/v2alpha1": (Deprecation(("CronJob",), 21, 21, "batch/v1"),),
    "policy/v1beta1": (
        Deprecation(("PodDisruptionBudget",), 21, 25, "policy/v1"),
        Deprecation(("PodSecurityPolicy",), 21, 25, "Pod Security admission"),
    ),
    "discovery.k8s.io/v1beta1": (Deprecation(("EndpointSlice",), 21, 25, "discovery.k8s.io/v1"),),
    "events.k8s.io/v1beta1": (Deprecation(("Event",), 19, 25, "events.k8s.io/v1"),),
    "node.k8s.io/v1beta1": (Deprecation(("RuntimeClass",), 22, 25, "node.k8s.io/v1"),),
    "autoscaling/v2beta1": (Deprecation(("HorizontalPodAutoscaler",), 22, 25, "autoscaling/v2"),),
    "autoscaling/v2beta2": (Deprecation(("HorizontalPodAutoscaler",), 23, 26, "autoscaling/v2"),),
    "flowcontrol.apiserver.k8s.io/v1beta1": (
        Deprecation(_FLOW, 23, 26, "flowcontrol.apiserver.k8s.io/v1"),
    ),
    "flowcontrol.apiserver.k8s.io/v1beta2": (
        Deprecation(_FLOW, 26, 29, "flowcontrol.apiserver.k8s.io/v1"),
    ),
    "flowcontrol.apiserver.k8s.io/v1beta3": (
        Deprecation(_FLOW, 29, 32, "flowcontrol.apiserver.k8s.io/v1"),
    ),
}
"""Source: https://kubernetes.io/docs/reference/using-api/deprecation-guide/."""
_VERSIONS = {*DEPRECATIONS, "v1"}


@dataclass(frozen=True, slots=True)
class ApiObject:
    """API version and kind of an object."""

    version: str
    kind: str
    props: Props


def api_object(resource: Resource) -> Iterable[ApiObject]:
    """View an object of a deprecated API as its version and kind. Others have nothing to judge."""
    version, kind = _version_and_kind(resource.type)
    return (ApiObject(version, kind, resource.props),) if version in _VERSIONS else ()


@cache
def _version_and_kind(type_: str) -> tuple[str, str]:
    _, version, kind = type_.split(":")
    return version.removeprefix("core/"), kind.removesuffix("Patch").removesuffix("List")


_TYPES = pattern(
    r"kubernetes:[^:]+:\w+",
    example="kubernetes:policy/v1:PodDisruptionBudget",
    described="kubernetes: every object",
)
OBJECTS = Selector(_TYPES.matches, _TYPES.example, _TYPES.types, api_object)


def _deprecation(one: ApiObject) -> Deprecation | None:
    for found in DEPRECATIONS.get(one.version, ()):
        if one.kind in found.kinds:
            return found
    return None


def _read_version(one: ApiObject) -> None:
    """Read the property that a message is about: its line is that of the finding."""
    one.props.get("apiVersion")


@mandatory(
    OBJECTS,
    layer="serving",
    severity="high",
    why="The API server no longer serves the version, so the object cannot be created or updated.",
    fix="use the version that replaced it",
    references=(_GUIDE, _GKE),
    passing={},
    failing=(Resource("kubernetes:policy/v1beta1:PodDisruptionBudget", {}),),
)
def api_versions_are_served(one: ApiObject, given: ClusterVersion) -> Iterator[str]:
    """An object uses an API version that the cluster serves."""
    found = _deprecation(one)
    if found is not None and found.removed <= given.minor:
        _read_version(one)
        yield f"{one.version} {one.kind} was removed in 1.{found.removed}; use {found.replacement}"


@advisory(
    OBJECTS,
    layer="serving",
    severity="low",
    why="GKE pauses automatic upgrades of a cluster while deprecated versions are in use.",
    fix="use the version that replaces it",
    references=(_GUIDE, _GKE),
    passing={},
    failing=(Resource("kubernetes:core/v1:Endpoints", {}),),
)
def api_versions_are_not_deprecated(one: ApiObject, given: ClusterVersion) -> Iterator[str]:
    """An object uses an API version that is not deprecated."""
    if one.kind == "Endpoints" and one.version == "v1" and given.minor >= 33:
        _read_version(one)
        yield "v1 Endpoints is deprecated since 1.33; use discovery.k8s.io/v1 EndpointSlice"
    found = _deprecation(one)
    if found is not None and found.deprecated <= given.minor < found.removed:
        _read_version(one)
        since, replacement = found.deprecated, found.replacement
        yield f"{one.version} {one.kind} is deprecated since 1.{since}; use {replacement}"
