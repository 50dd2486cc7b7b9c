"""Rules about references between objects: a target that does not exist, or that has two owners."""

from collections.abc import Iterator
from typing import Any

from policies.objects import (
    AUTOSCALERS,
    Objects,
    is_same_object,
    kind_of,
    namespace_and_name,
)
from policies.pods import deployment
from policies.rule import Reference, Stack, advisory, kubernetes_docs, mandatory
from policies.selection import NAMESPACED_PODS, NamespacedPod
from policies.subjects import Resource, kubernetes, resource_view
from policies.values import Props, block, comparable_text, text

SCALED_OBJECTS = kubernetes("keda.sh", "ScaledObject", version="v1alpha1")
VERTICAL = kubernetes("autoscaling.k8s.io", "VerticalPodAutoscaler")
PRIORITY_CLASSES = kubernetes("scheduling.k8s.io", "PriorityClass")
_GROUP = "rbac.authorization.k8s.io"
BINDINGS = kubernetes(_GROUP, "RoleBinding", "ClusterRoleBinding")
SCALERS = (AUTOSCALERS | SCALED_OBJECTS).with_view(resource_view)
_BUILT_IN_ROLES = {"admin", "cluster-admin", "edit", "view"}
_DOCS = kubernetes_docs(
    "Horizontal pod autoscaling", "tasks/run-application/horizontal-pod-autoscale/"
)
_KEDA = Reference(
    "KEDA", "ScaledObject", "https://keda.sh/docs/latest/reference/scaledobject-spec/"
)


def _clusterwide(stack: Stack) -> set[tuple[str, str]]:
    """The names of declared ClusterRoles and PriorityClasses, by kind."""
    kinds = kubernetes(_GROUP, "ClusterRole") | PRIORITY_CLASSES
    return {(kind_of(one), text(one.props, "metadata", "name")) for one in stack.of(kinds)}


def _target(scaler: Resource) -> tuple[str, str, str]:
    reference = block(scaler.props, "spec", "scaleTargetRef")
    # KEDA's default kind is Deployment; an HPA always has one.
    kind = text(reference, "kind") or "Deployment"
    return namespace_and_name(scaler.props)[0], kind, text(reference, "name")


def _adopted(scaled: Resource) -> str:
    """The HPA that a ScaledObject takes over, if any."""
    annotations = block(scaled.props, "metadata", "annotations")
    if comparable_text(annotations.get("scaledobject.keda.sh/transfer-hpa-ownership")) != "true":
        return ""
    return text(scaled.props, "spec", "advanced", "horizontalPodAutoscalerConfig", "name")


def _adopted_names(stack: Stack) -> set[tuple[str, str]]:
    found = {(namespace_and_name(one.props)[0], _adopted(one)) for one in stack.of(SCALED_OBJECTS)}
    return {one for one in found if one[1]}


def _is_adopted(scaler: Resource, adopted: set[tuple[str, str]]) -> bool:
    return AUTOSCALERS.matches(scaler.type) and namespace_and_name(scaler.props) in adopted


def _first_scalers(stack: Stack) -> dict[tuple[str, str, str], Resource]:
    """The first autoscaler of each target."""
    first: dict[tuple[str, str, str], Resource] = {}
    adopted = stack.cached(_adopted_names)
    for one in stack.of(SCALERS):
        if not _is_adopted(one, adopted):
            first.setdefault(_target(one), one)
    return first


def _made(kind: str, name: str = "resnet", **spec: Any) -> Resource:
    props = {"metadata": {"name": name, "namespace": "models"}, "spec": spec}
    return Resource(kind, props, name)


def _server(**spec: object) -> Resource:
    props = deployment()
    props["spec"]["template"]["spec"] |= spec
    return Resource("kubernetes:apps/v1:Deployment", props, "resnet")


_HPA = _made(AUTOSCALERS.example, scaleTargetRef={"kind": "Deployment", "name": "resnet"})


@mandatory(
    SCALERS,
    layer="serving",
    severity="high",
    why="Two autoscalers of one workload overwrite each other's replicas.",
    fix="keep one of them; an HPA may have several metrics, a ScaledObject several triggers",
    references=(_DOCS, _KEDA),
    passing=(_HPA, _made(SCALED_OBJECTS.example, scaleTargetRef={"name": "bert"})),
    failing=(_HPA, _made(SCALED_OBJECTS.example, scaleTargetRef={"name": "resnet"})),
)
def workloads_have_one_autoscaler(scaler: Resource, stack: Stack) -> Iterator[str]:
    """A workload has one horizontal autoscaler."""
    if _is_adopted(scaler, stack.cached(_adopted_names)):
        return
    first = stack.cached(_first_scalers).get(_target(scaler))
    if first is not None and not is_same_object(first, scaler):
        _, kind, name = _target(scaler)
        yield f"{kind} {name} is also scaled by {kind_of(first)} {first.name}"


@mandatory(
    (SCALED_OBJECTS | VERTICAL).with_view(resource_view),
    layer="serving",
    severity="medium",
    why="An autoscaler whose target does not exist scales nothing.",
    fix="name a workload in the autoscaler's namespace",
    references=(_KEDA,),
    passing=(_server(), _made(SCALED_OBJECTS.example, scaleTargetRef={"name": "resnet"})),
    failing=(
        _server(),
        _made(VERTICAL.example, targetRef={"kind": "Deployment", "name": "resnet50"}),
    ),
)
def scaled_objects_and_vertical_autoscalers_have_targets(
    scaler: Resource, stack: Stack
) -> Iterator[str]:
    """The target of a ScaledObject or VerticalPodAutoscaler is declared."""
    key = "targetRef" if VERTICAL.matches(scaler.type) else "scaleTargetRef"
    reference = block(scaler.props, "spec", key)
    kind, name = text(reference, "kind") or "Deployment", text(reference, "name")
    namespace, _ = namespace_and_name(scaler.props)
    if not stack.cached(Objects).has(namespace, kind, name):
        yield f"{kind} {name!r} is not declared in namespace {namespace}"


def _binding(role: str, kind: str = "Role") -> Resource:
    return Resource(
        BINDINGS.example,
        {
            "metadata": {"name": "reader", "namespace": "models"},
            "roleRef": {"apiGroup": _GROUP, "kind": kind, "name": role},
        },
        "reader",
    )


def _is_own_role(namespace: str, name: str) -> bool:
    """Whether a Role is one that every API server has."""
    return namespace in {"kube-system", "kube-public"} and (
        name.startswith("system:") or name == "extension-apiserver-authentication-reader"
    )


@advisory(
    BINDINGS,
    layer="serving",
    severity="medium",
    why="A binding to a role that does not exist grants nothing, without an error; whoever creates "
    "the role later decides what it grants.",
    fix="declare the role, or bind one that exists",
    references=(
        kubernetes_docs(
            "RBAC", "reference/access-authn-authz/rbac/#rolebinding-and-clusterrolebinding"
        ),
    ),
    passing=(_made(f"kubernetes:{_GROUP}/v1:Role", "reader"), _binding("reader")),
    failing=(_made(f"kubernetes:{_GROUP}/v1:Role", "reader"), _binding("writer")),
)
def bindings_refer_to_declared_roles(binding: Props, stack: Stack) -> Iterator[str]:
    """The role of a binding is declared, or one of Kubernetes' own."""
    kind, name = text(binding, "roleRef", "kind"), text(binding, "roleRef", "name")
    namespace, _ = namespace_and_name(binding)
    if kind == "ClusterRole":
        is_built_in = name in _BUILT_IN_ROLES or name.startswith("system:")
        if not is_built_in and (kind, name) not in stack.cached(_clusterwide):
            yield f"ClusterRole {name!r} is not declared"
    elif not name or _is_own_role(namespace, name):
        return
    elif not stack.cached(Objects).has(namespace, "Role", name):
        yield f"Role {name!r} is not declared in namespace {namespace}"


@advisory(
    NAMESPACED_PODS,
    layer="serving",
    severity="high",
    why="The API server refuses a pod whose priority class does not exist.",
    fix="declare the PriorityClass, or use one that exists",
    references=(
        kubernetes_docs("Priority", "concepts/scheduling-eviction/pod-priority-preemption/"),
    ),
    passing=(
        _made(PRIORITY_CLASSES.example, "serving"),
        _server(priorityClassName="serving"),
    ),
    failing=(
        _made(PRIORITY_CLASSES.example, "serving"),
        _server(priorityClassName="batch"),
    ),
)
def priority_classes_exist(subject: NamespacedPod, stack: Stack) -> Iterator[str]:
    """A pod's priority class is declared, or one of Kubernetes' own."""
    name = text(subject.pod.spec, "priorityClassName")
    if not name or name.startswith("system-"):
        return
    if ("PriorityClass", name) not in stack.cached(_clusterwide):
        yield f"PriorityClass {name!r} is not declared"
