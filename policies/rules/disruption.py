"""Rules about PodDisruptionBudgets: they select pods and allow node drains."""

from collections.abc import Iterator

from policies.objects import (
    WORKLOADS,
    Objects,
    Selectors,
    Workloads,
    namespace_and_name,
    scaled_value,
    template_of,
    templates_of,
)
from policies.pods import deployment
from policies.rule import Stack, advisory, kubernetes_docs, mandatory
from policies.subjects import Resource, kubernetes, resource_view
from policies.values import Props, block, text

BUDGETS = kubernetes("policy", "PodDisruptionBudget")
_DOCS = kubernetes_docs("Disruptions", "concepts/workloads/pods/disruptions/")


def _budget(app: str = "resnet", **spec: object) -> Resource:
    return Resource(
        BUDGETS.example,
        {
            "metadata": {"name": "resnet", "namespace": "models"},
            "spec": {"selector": {"matchLabels": {"app": app}}, **spec},
        },
    )


def _workload(replicas: int) -> Resource:
    return Resource("kubernetes:apps/v1:Deployment", deployment(replicas=replicas), "resnet")


@mandatory(
    BUDGETS,
    layer="serving",
    severity="high",
    why="A budget that allows no eviction blocks node drains, and with them upgrades and repairs.",
    fix="keep minAvailable below the minimum replicas (gke-serving:models[].replicas.min)",
    references=(_DOCS,),
    passing=(_workload(3), _budget(minAvailable=2)),
    failing=(_workload(3), _budget(minAvailable="100%")),
)
def disruption_budget_allows_a_drain(budget: Props, stack: Stack) -> Iterator[str]:
    """A disruption budget allows one eviction at the minimum number of replicas."""
    spec = block(budget, "spec")
    available, unavailable = spec.get("minAvailable"), spec.get("maxUnavailable")
    if available is None and unavailable is None:
        yield "neither minAvailable nor maxUnavailable is set, so no pod may be evicted"
        return
    if available is not None and available == "100%":
        yield "minAvailable 100% allows no eviction"
        return
    if unavailable is not None and scaled_value(unavailable, 100) < 1:
        yield f"maxUnavailable {unavailable} allows no eviction"
        return
    declared = stack.cached(Workloads)
    workloads = declared.selected_by(block(spec, "selector"), namespace_and_name(budget)[0])
    replicas = sum(declared.min_replicas(workload) for workload in workloads)
    names = ", ".join(workload.name for workload in workloads)
    if available is not None and workloads and scaled_value(available, replicas) >= replicas > 0:
        yield f"minAvailable {available} of {replicas} replicas of {names} allows no eviction"


@mandatory(
    BUDGETS,
    layer="serving",
    severity="medium",
    why="A budget that selects no pods protects nothing, without an error.",
    fix="set the selector to the pods' labels; the budget must be in the pods' namespace",
    references=(_DOCS,),
    passing=(_workload(3), _budget(minAvailable=2)),
    failing=(_workload(3), _budget(app="resnet50", minAvailable=2)),
)
def disruption_budget_selects_pods(budget: Props, stack: Stack) -> Iterator[str]:
    """A disruption budget selects pods of a declared workload."""
    namespace, _ = namespace_and_name(budget)
    selector = block(budget, "spec", "selector")
    if stack.cached(Objects).may_own(selector, namespace):
        return
    if not stack.cached(Workloads).selected_by(selector, namespace):
        yield f"its selector matches no declared workload in namespace {namespace}"


def _selectors(stack: Stack) -> Selectors:
    return Selectors(stack.of(BUDGETS), "spec", "selector")


@mandatory(
    WORKLOADS.with_view(resource_view),
    layer="serving",
    severity="medium",
    why="Without a budget a drain may evict all replicas of a model at once.",
    fix="declare a PodDisruptionBudget (the serving layer creates one per model)",
    references=(_DOCS,),
    passing=(_workload(2), _budget(maxUnavailable=1)),
    failing=(_workload(2), _budget(app="bert", maxUnavailable=1)),
)
def replicas_have_a_disruption_budget(workload: Resource, stack: Stack) -> Iterator[str]:
    """A workload of two or more replicas has a disruption budget."""
    if block(workload.props, "metadata").get("ownerReferences"):
        return  # the rule runs on its owner
    replicas = stack.cached(Workloads).min_replicas(workload)
    if replicas < 2:
        return
    namespace, _ = namespace_and_name(workload.props)
    budgets = stack.cached(_selectors)
    unguarded = [
        template
        for template in templates_of(workload)
        if not budgets.select(block(template, "metadata", "labels"), namespace)
    ]
    if unguarded and unguarded[0] == template_of(workload):
        yield f"it has at least {replicas} replicas and no disruption budget"
    elif unguarded:
        yield (
            "its disruption budget selects leaders only, and the eviction of a worker takes its "
            "whole group"
        )


@advisory(
    BUDGETS,
    layer="serving",
    severity="low",
    why="By default an unready pod may not be evicted, so a crashing pod blocks the drain of its "
    "node.",
    fix="set unhealthyPodEvictionPolicy to AlwaysAllow",
    references=(
        kubernetes_docs(
            "Unhealthy pod eviction policy",
            "tasks/run-application/configure-pdb/#unhealthy-pod-eviction-policy",
        ),
    ),
    passing=_budget(maxUnavailable=1, unhealthyPodEvictionPolicy="AlwaysAllow").props,
    failing=_budget(maxUnavailable=1).props,
)
def disruption_budget_lets_unhealthy_pods_go(budget: Props) -> Iterator[str]:
    """A disruption budget allows the eviction of unhealthy pods."""
    if text(budget, "spec", "unhealthyPodEvictionPolicy") != "AlwaysAllow":
        yield "unhealthyPodEvictionPolicy is not AlwaysAllow"
