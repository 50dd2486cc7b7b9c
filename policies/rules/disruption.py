"""Rules about disruption budgets: that they protect something and let nodes be drained."""

from collections.abc import Iterator

from policies.objects import WORKLOADS, Selectors, Workloads, address, labels_of, share
from policies.pods import deployment
from policies.rule import Stack, advisory, kubernetes_docs, mandatory
from policies.subjects import Resource, kubernetes, whole
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
    why="A budget that allows no eviction blocks the drain of every node its pods run on, and "
    "with it upgrades and repairs, until somebody deletes it.",
    fix="keep the budget below the fewest replicas (gke-serving:models[].replicas.min)",
    references=(_DOCS,),
    passing=(_workload(3), _budget(minAvailable=2)),
    failing=(_workload(3), _budget(minAvailable="100%")),
)
def disruption_budget_allows_a_drain(budget: Props, stack: Stack) -> Iterator[str]:
    """A disruption budget lets at least one pod be evicted at the fewest replicas."""
    spec = block(budget, "spec")
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if least is None and most is None:
        yield "neither minAvailable nor maxUnavailable is set, so no pod may be evicted"
        return
    declared = stack.once(Workloads)
    workloads = declared.selected_by(block(spec, "selector"), address(budget)[0])
    replicas = sum(declared.fewest_replicas(workload) for workload in workloads)
    names = ", ".join(workload.name for workload in workloads)
    if most is not None and share(most, max(replicas, 1)) < 1:
        yield f"maxUnavailable {most} lets no pod be evicted"
    if least is not None and workloads and share(least, replicas) >= replicas > 0:
        yield f"minAvailable {least} of the {replicas} replicas of {names} lets no pod be evicted"


@mandatory(
    BUDGETS,
    layer="serving",
    severity="medium",
    why="A budget that selects no pods protects nothing, and nobody notices before the drain.",
    fix="give the budget the labels of the pods that it is to protect, in their namespace",
    references=(_DOCS,),
    passing=(_workload(3), _budget(minAvailable=2)),
    failing=(_workload(3), _budget(app="resnet50", minAvailable=2)),
)
def disruption_budget_selects_pods(budget: Props, stack: Stack) -> Iterator[str]:
    """A disruption budget selects pods of a declared workload."""
    namespace, _ = address(budget)
    if not stack.once(Workloads).selected_by(block(budget, "spec", "selector"), namespace):
        yield f"no declared workload of namespace {namespace} has the labels it selects"


def _selectors(stack: Stack) -> Selectors:
    return Selectors(stack.of(BUDGETS), "spec", "selector")


@mandatory(
    WORKLOADS.seen_as(whole),
    layer="serving",
    severity="medium",
    why="Without a budget a drain may take all replicas of a model at a time.",
    fix="declare a PodDisruptionBudget (the serving layer makes one a model)",
    references=(_DOCS,),
    passing=(_workload(2), _budget(maxUnavailable=1)),
    failing=(_workload(2), _budget(app="bert", maxUnavailable=1)),
)
def replicas_have_a_disruption_budget(workload: Resource, stack: Stack) -> Iterator[str]:
    """A workload of two or more replicas has a disruption budget."""
    if block(workload.props, "metadata").get("ownerReferences"):
        return  # its owner is judged
    fewest = stack.once(Workloads).fewest_replicas(workload)
    if fewest < 2:
        return
    if not stack.once(_selectors).select(labels_of(workload), address(workload.props)[0]):
        yield f"it has {fewest} replicas at the fewest and no disruption budget"


@advisory(
    BUDGETS,
    layer="serving",
    severity="low",
    why="By default a pod that never became ready counts as disrupted and may not be evicted: one "
    "that crashes blocks the drain of its node.",
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
    """A disruption budget does not hold pods that are not healthy."""
    if text(budget, "spec", "unhealthyPodEvictionPolicy") != "AlwaysAllow":
        yield "unhealthyPodEvictionPolicy is not AlwaysAllow"
