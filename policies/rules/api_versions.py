"""Rules about versions of Kubernetes' API that the cluster serves no longer, or not for long."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from policies.rule import advisory, google, kubernetes_docs, mandatory
from policies.subjects import Resource, Selector, pattern

_GUIDE = kubernetes_docs("Deprecated API migration guide", "reference/using-api/deprecation-guide/")
_GKE = google("API deprecations", "kubernetes-engine/docs/deprecations/apis-1-32")


@dataclass(frozen=True, slots=True)
class End:
    """Since when a version is deprecated, when it ended, and what replaces it; minors of 1."""

    kinds: tuple[str, ...]
    deprecated: int
    removed: int
    instead: str


_WORKLOADS = ("Deployment", "DaemonSet", "ReplicaSet", "StatefulSet")
_WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_RBAC = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
_FLOW = ("FlowSchema", "PriorityLevelConfiguration")
ENDS: dict[str, tuple[End, ...]] = {
    "extensions/v1beta1": (
        End((*_WORKLOADS, "NetworkPolicy", "PodSecurityPolicy"), 9, 16, "apps/v1"),
        End(("Ingress",), 14, 22, "networking.k8s.io/v1"),
    ),
    "apps/v1beta1": (End((*_WORKLOADS, "ControllerRevision"), 9, 16, "apps/v1"),),
    "apps/v1beta2": (End((*_WORKLOADS, "ControllerRevision"), 9, 16, "apps/v1"),),
    "networking.k8s.io/v1beta1": (
        End(("Ingress", "IngressClass"), 19, 22, "networking.k8s.io/v1"),
    ),
    "admissionregistration.k8s.io/v1beta1": (
        End(_WEBHOOKS, 16, 22, "admissionregistration.k8s.io/v1"),
    ),
    "apiextensions.k8s.io/v1beta1": (
        End(("CustomResourceDefinition",), 16, 22, "apiextensions.k8s.io/v1"),
    ),
    "apiregistration.k8s.io/v1beta1": (End(("APIService",), 19, 22, "apiregistration.k8s.io/v1"),),
    "rbac.authorization.k8s.io/v1alpha1": (End(_RBAC, 17, 22, "rbac.authorization.k8s.io/v1"),),
    "rbac.authorization.k8s.io/v1beta1": (End(_RBAC, 17, 22, "rbac.authorization.k8s.io/v1"),),
    "scheduling.k8s.io/v1beta1": (End(("PriorityClass",), 14, 22, "scheduling.k8s.io/v1"),),
    "coordination.k8s.io/v1beta1": (End(("Lease",), 19, 22, "coordination.k8s.io/v1"),),
    "certificates.k8s.io/v1beta1": (
        End(("CertificateSigningRequest",), 19, 22, "certificates.k8s.io/v1"),
    ),
    "authentication.k8s.io/v1beta1": (End(("TokenReview",), 19, 22, "authentication.k8s.io/v1"),),
    "authorization.k8s.io/v1beta1": (
        End(
            ("LocalSubjectAccessReview", "SelfSubjectAccessReview", "SubjectAccessReview"),
            19,
            22,
            "authorization.k8s.io/v1",
        ),
    ),
    "storage.k8s.io/v1beta1": (
        End(
            ("CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"),
            19,
            22,
            "storage.k8s.io/v1",
        ),
        End(("CSIStorageCapacity",), 24, 27, "storage.k8s.io/v1"),
    ),
    "batch/v1beta1": (End(("CronJob",), 21, 25, "batch/v1"),),
    "batch/v2alpha1": (End(("CronJob",), 21, 21, "batch/v1"),),
    "policy/v1beta1": (
        End(("PodDisruptionBudget",), 21, 25, "policy/v1"),
        End(("PodSecurityPolicy",), 21, 25, "Pod Security admission"),
    ),
    "discovery.k8s.io/v1beta1": (End(("EndpointSlice",), 21, 25, "discovery.k8s.io/v1"),),
    "events.k8s.io/v1beta1": (End(("Event",), 19, 25, "events.k8s.io/v1"),),
    "node.k8s.io/v1beta1": (End(("RuntimeClass",), 22, 25, "node.k8s.io/v1"),),
    "autoscaling/v2beta1": (End(("HorizontalPodAutoscaler",), 22, 25, "autoscaling/v2"),),
    "autoscaling/v2beta2": (End(("HorizontalPodAutoscaler",), 23, 26, "autoscaling/v2"),),
    "flowcontrol.apiserver.k8s.io/v1beta1": (
        End(_FLOW, 23, 26, "flowcontrol.apiserver.k8s.io/v1"),
    ),
    "flowcontrol.apiserver.k8s.io/v1beta2": (
        End(_FLOW, 26, 29, "flowcontrol.apiserver.k8s.io/v1"),
    ),
    "flowcontrol.apiserver.k8s.io/v1beta3": (
        End(_FLOW, 29, 32, "flowcontrol.apiserver.k8s.io/v1"),
    ),
}
"""What ended, by version: https://kubernetes.io/docs/reference/using-api/deprecation-guide/."""


@dataclass(frozen=True, slots=True)
class Written:
    """The version and kind of an object."""

    version: str
    kind: str


def written(resource: Resource) -> Iterable[Written]:
    """The view of an object as the version and kind that it is written in."""
    _, version, kind = resource.type.split(":")
    yield Written(version.removeprefix("core/"), kind.removesuffix("Patch").removesuffix("List"))


_TYPES = pattern(
    r"kubernetes:[^:]+:\w+",
    example="kubernetes:policy/v1:PodDisruptionBudget",
    described="kubernetes: every object",
)
OBJECTS = Selector(_TYPES.matches, _TYPES.example, _TYPES.types, written)


class ServedBy(Settings):
    """What the objects are for."""

    kubernetes: Annotated[
        str, Meta(pattern=r"^1\.\d{1,3}$", description="The cluster's version of Kubernetes.")
    ] = "1.36"

    @property
    def minor(self) -> int:
        """The minor version."""
        return int(self.kubernetes.partition(".")[2])


def _end(one: Written) -> End | None:
    return next((end for end in ENDS.get(one.version, ()) if one.kind in end.kinds), None)


@mandatory(
    OBJECTS,
    layer="serving",
    severity="high",
    why="The API server knows the version no longer: the object can be neither made nor changed.",
    fix="write the object in the version that replaced it",
    references=(_GUIDE, _GKE),
    passing={},
    failing=(Resource("kubernetes:policy/v1beta1:PodDisruptionBudget", {}),),
)
def api_versions_are_served(one: Written, given: ServedBy) -> Iterator[str]:
    """An object is written in a version that the cluster serves."""
    end = _end(one)
    if end is not None and end.removed <= given.minor:
        yield f"{one.version} {one.kind} was removed in 1.{end.removed}; use {end.instead}"


@advisory(
    OBJECTS,
    layer="serving",
    severity="low",
    why="GKE holds back a cluster's upgrade while deprecated versions are in use.",
    fix="write the object in the version that replaces it",
    references=(_GUIDE, _GKE),
    passing={},
    failing=(Resource("kubernetes:core/v1:Endpoints", {}),),
)
def api_versions_are_not_deprecated(one: Written, given: ServedBy) -> Iterator[str]:
    """An object is written in a version that is here to stay."""
    if one == Written("v1", "Endpoints") and given.minor >= 33:
        yield "v1 Endpoints is deprecated since 1.33; use discovery.k8s.io/v1 EndpointSlice"
    end = _end(one)
    if end is not None and end.deprecated <= given.minor < end.removed:
        yield f"{one.version} {one.kind} is deprecated since 1.{end.deprecated}; use {end.instead}"
