"""Rules about how many pods a workload has, where they run, and how they are replaced."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from policies.objects import WORKLOADS, Workloads, fits, labels_of
from policies.pods import deployment
from policies.rule import Stack, advisory, google, kubernetes_docs, mandatory
from policies.rules.node_pools import NODE_POOL
from policies.selection import PLACED, Selectable
from policies.subjects import Resource, kubernetes, whole
from policies.values import OddInputError, Props, block, entries, text

REPLICATED = WORKLOADS.seen_as(whole)
_POOL = "cloud.google.com/gke-nodepool"
DEPLOYMENTS = kubernetes("apps", "Deployment") | kubernetes("extensions", "Deployment")
SELECTING = kubernetes("apps", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet").seen_as(
    whole
)
ZONE = "topology.kubernetes.io/zone"
_SPREAD = kubernetes_docs(
    "Topology spread constraints",
    "concepts/scheduling-eviction/topology-spread-constraints/",
)
_ROLLOUT = kubernetes_docs("Deployments", "concepts/workloads/controllers/deployment/#strategy")


def _pool(name: str) -> Resource:
    return Resource(NODE_POOL.example, {"name": name}, name)


def _workload(replicas: int, **spec: object) -> Resource:
    props = deployment(replicas=replicas)
    props["spec"]["template"]["spec"] |= spec
    return Resource("kubernetes:apps/v1:Deployment", props, "resnet")


_OVER_ZONES = [
    {"maxSkew": 1, "topologyKey": ZONE, "labelSelector": {"matchLabels": {"app": "resnet"}}}
]


class Replicas(Settings):
    """How many pods are enough."""

    least: Annotated[
        Annotated[int, Meta(ge=1)], Meta(description="Replicas that a workload has at the least.")
    ] = 2


@advisory(
    REPLICATED,
    layer="serving",
    severity="medium",
    why="The only pod of a workload goes down with its node, and with every upgrade of it.",
    fix="keep two replicas or more (gke-serving:models[].replicas.min)",
    references=(
        kubernetes_docs("Disruptions", "concepts/workloads/pods/disruptions/"),
        google("Scalable and resilient workloads", "architecture/scalable-and-resilient-apps"),
    ),
    passing=(_workload(3),),
    failing=(_workload(1),),
)
def workloads_survive_the_loss_of_a_pod(
    workload: Resource, stack: Stack, given: Replicas
) -> Iterator[str]:
    """A workload has more than one replica at the fewest."""
    if block(workload.props, "spec").get("replicas") == 0:
        return  # switched off on purpose
    fewest = stack.once(Workloads).fewest_replicas(workload)
    if fewest >= given.least:
        return
    yield f"it has {fewest} replica{'s' if fewest != 1 else ''} at the fewest, not {given.least}"


@advisory(
    REPLICATED,
    layer="serving",
    severity="medium",
    why="Replicas of one zone, or of one node, are all gone when it is.",
    fix="spread them over zones (the serving layer does) or keep them apart by podAntiAffinity",
    references=(_SPREAD,),
    passing=(_workload(3, topologySpreadConstraints=_OVER_ZONES),),
    failing=(_workload(3),),
)
def replicas_are_spread(workload: Resource, stack: Stack) -> Iterator[str]:
    """Two or more replicas are spread over zones or nodes."""
    if stack.once(Workloads).fewest_replicas(workload) < 2:
        return
    spec = block(workload.props, "spec", "template", "spec")
    apart = block(spec, "affinity", "podAntiAffinity")
    if not entries(spec, "topologySpreadConstraints") and not any(apart.values()):
        yield "neither topologySpreadConstraints nor podAntiAffinity is set"


@mandatory(
    SELECTING,
    layer="serving",
    severity="high",
    why="A constraint whose selector matches other pods, or none, spreads nothing.",
    fix="give the constraint the labels of the workload's own pods",
    references=(_SPREAD,),
    passing=(_workload(3, topologySpreadConstraints=_OVER_ZONES),),
    failing=(
        _workload(
            3,
            topologySpreadConstraints=[
                {"topologyKey": ZONE, "labelSelector": {"matchLabels": {"app": "resnet50"}}}
            ],
        ),
    ),
)
def spread_constraints_count_their_own_pods(workload: Resource) -> Iterator[str]:
    """A topology spread constraint selects the pods that bear it."""
    spec = block(workload.props, "spec", "template", "spec")
    for constraint in entries(spec, "topologySpreadConstraints"):
        selector = block(constraint, "labelSelector")
        if not selector or not fits(selector, labels_of(workload)):
            yield f"the constraint on {text(constraint, 'topologyKey')} selects other pods"


@mandatory(
    SELECTING,
    layer="serving",
    severity="high",
    why="The API server refuses a workload that does not select its own pods: the update fails "
    "halfway.",
    fix="give the template every label that the selector names",
    references=(
        kubernetes_docs("Deployments", "concepts/workloads/controllers/deployment/#selector"),
    ),
    passing=deployment(),
    failing={
        "metadata": {"name": "resnet"},
        "spec": {
            "selector": {"matchLabels": {"app": "resnet"}},
            "template": {"metadata": {"labels": {"app": "bert"}}, "spec": {"containers": []}},
        },
    },
)
def workloads_select_their_own_pods(workload: Resource) -> Iterator[str]:
    """A workload's selector matches the labels of its template."""
    selector = block(workload.props, "spec", "selector")
    if not selector:
        yield "spec.selector is not set"
    elif not fits(selector, labels_of(workload)):
        yield "spec.selector does not match the labels of the template"


@mandatory(
    DEPLOYMENTS,
    layer="serving",
    severity="medium",
    why="Where all old pods go before the new ones are ready, each rollout is an outage.",
    fix="roll with maxUnavailable below the number of replicas (gke-serving:models[].rollout)",
    references=(_ROLLOUT,),
    passing=deployment(
        replicas=3, strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    ),
    failing=deployment(replicas=3, strategy={"type": "Recreate"}),
)
def rollouts_keep_pods_serving(workload: Props) -> Iterator[str]:
    """A Deployment replaces its pods gradually."""
    strategy = block(workload, "spec", "strategy")
    if text(strategy, "type") == "Recreate":
        yield "strategy.type is Recreate"
    rolling = block(strategy, "rollingUpdate")
    most = rolling.get("maxUnavailable")
    if most == "100%":
        yield "strategy.rollingUpdate.maxUnavailable is 100%"
    if _is_none(most) and _is_none(rolling.get("maxSurge")):
        yield "strategy.rollingUpdate has maxSurge and maxUnavailable at 0, so no pod is replaced"


def _is_none(value: object) -> bool:
    if isinstance(value, bool | dict | list):
        raise OddInputError(f"{value!r} is neither a count nor a percentage")
    return value in (0, "0", "0%")


@mandatory(
    PLACED,
    layer="serving",
    severity="high",
    why="A pod that asks for a pool that is not there stays pending for ever.",
    fix="name one of gke-cluster:node_pools (gke-serving:models[].node_pool)",
    references=(
        google(
            "Scheduling on node pools",
            "kubernetes-engine/docs/concepts/node-pools#scheduling",
        ),
    ),
    passing=(_pool("serving"), _workload(1, nodeSelector={_POOL: "serving"})),
    failing=(_pool("serving"), _workload(1, nodeSelector={_POOL: "gpu"})),
)
def pods_ask_for_pools_that_exist(placed: Selectable, stack: Stack) -> Iterator[str]:
    """A pod that names a node pool names one that is declared, where any is."""
    wanted = text(placed.pod.spec, "nodeSelector", _POOL)
    pools = [text(one.props, "name") for one in stack.of(NODE_POOL)]
    if wanted and pools and wanted not in pools:
        yield f"its nodeSelector asks for pool {wanted}; declared are {', '.join(sorted(pools))}"
