"""Rules about workloads: replicas, spreading, selectors, rollouts, node pools."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from gkeplatform.leader_worker_sets import GROUP_LABEL
from policies.objects import (
    WORKLOADS,
    Workloads,
    labels_of,
    namespace_and_name,
    selector_matches,
    template_of,
)
from policies.pods import TEMPLATES, deployment, is_server, pod
from policies.rule import Stack, advisory, google, kubernetes_docs, mandatory
from policies.rules.node_pools import NODE_POOL
from policies.rules.services import Served
from policies.selection import NAMESPACED_PODS, NamespacedPod, namespaced_pods
from policies.subjects import Resource, Selector, group_kind, kubernetes, resource_view
from policies.values import MalformedInputError, Props, block, entries, text, texts

REPLICATED = WORKLOADS.with_view(resource_view)
_POOL = "cloud.google.com/gke-nodepool"
DEPLOYMENTS = kubernetes("apps", "Deployment") | kubernetes("extensions", "Deployment")
_LABELLED_PODS = Selector(
    lambda type_: group_kind(type_) in TEMPLATES,
    NAMESPACED_PODS.example,
    tuple(f"kubernetes:{group}/*:{kind}" for group, kind in TEMPLATES),
    namespaced_pods,
)
"""Pods with the labels of their template. The operators of custom kinds add their own."""
_FROM_CONTROLLERS = (
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-completion-index",
    "batch.kubernetes.io/job-name",
    "controller-uid",
    "job-name",
    "statefulset.kubernetes.io/pod-name",
)
"""Labels that Kubernetes' controllers add to their pods."""
SELECTING = kubernetes("apps", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet").with_view(
    resource_view
)
ZONE = "topology.kubernetes.io/zone"
_ELECTIONS = ("--ha-enable-leader-election", "--ha-enable-leader-election=true")
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
    """Minimum number of replicas."""

    least: Annotated[
        Annotated[int, Meta(ge=1)], Meta(description="Minimum replicas of a workload.")
    ] = 2


@advisory(
    REPLICATED,
    layer="serving",
    severity="medium",
    why="A workload with one pod is down when its node fails or is upgraded.",
    fix="use two or more replicas (gke-serving:models[].replicas.min)",
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
    """A workload has the minimum number of replicas."""
    if block(workload.props, "spec").get("replicas") == 0:
        return  # switched off on purpose
    replicas = stack.cached(Workloads).min_replicas(workload)
    if replicas >= given.least:
        return
    yield f"its minimum is {replicas} replica{'s' if replicas != 1 else ''}, below {given.least}"


@advisory(
    REPLICATED,
    layer="serving",
    severity="medium",
    why="If all replicas are in one zone or on one node, they fail together.",
    fix="spread them over zones (the serving layer does) or use podAntiAffinity",
    references=(_SPREAD,),
    passing=(_workload(3, topologySpreadConstraints=_OVER_ZONES),),
    failing=(_workload(3),),
)
def replicas_are_spread(workload: Resource, stack: Stack) -> Iterator[str]:
    """Replicas are spread over zones or nodes."""
    if stack.cached(Workloads).min_replicas(workload) < 2:
        return
    spec = block(template_of(workload), "spec")
    terms = list(_spreading_terms(spec))
    namespace, _ = namespace_and_name(workload.props)
    if not terms:
        yield "neither topologySpreadConstraints nor podAntiAffinity is set"
    elif not any(_is_domain(text(term, "topologyKey")) for term in terms):
        keys = ", ".join(sorted({text(term, "topologyKey") for term in terms}))
        yield f"it is spread over {keys or 'no topologyKey'} only, which do not fail independently"
    elif not any(
        _is_domain(text(term, "topologyKey")) and _counts(term, namespace, labels_of(workload))
        for term in terms
    ):
        yield "its constraints and anti-affinity select other pods only"


def _spreading_terms(spec: Props) -> Iterator[Props]:
    """Yield the constraints and anti-affinity terms of a pod's spec."""
    yield from entries(spec, "topologySpreadConstraints")
    anti_affinity = block(spec, "affinity", "podAntiAffinity")
    yield from entries(anti_affinity, "requiredDuringSchedulingIgnoredDuringExecution")
    for weighted in entries(anti_affinity, "preferredDuringSchedulingIgnoredDuringExecution"):
        yield block(weighted, "podAffinityTerm")


def _is_domain(key: str) -> bool:
    """Whether a label's values are failure domains: nodes, racks, zones.

    A cluster has one region.
    """
    last = key.rpartition("/")[2]
    return last in {"hostname", "rack", "zone"} or (
        key.startswith("topology.") and last != "region"
    )


def _counts(term: Props, own: str, labels: Props) -> bool:
    """Whether a term is about the own pods, which have these labels in the namespace `own`."""
    if term.get("labelSelector") is None and not texts(term, "matchLabelKeys"):
        return False  # without a selector none, with an empty one all
    if GROUP_LABEL in texts(term, "matchLabelKeys"):
        return False  # it parts the pods of one replica
    namespaces = texts(term, "namespaces")
    if namespaces and own not in namespaces and term.get("namespaceSelector") is None:
        return False
    return selector_matches(block(term, "labelSelector"), labels)


def _is_by_controllers(selector: Props) -> bool:
    """Whether a selector asks for labels that a controller adds to its pods."""
    keys = {text(one, "key") for one in entries(selector, "matchExpressions")}
    return not keys.union(block(selector, "matchLabels")).isdisjoint(_FROM_CONTROLLERS)


def _bare(policy: str) -> Resource:
    props = pod(container={"ports": [{"containerPort": 8501}]}, restartPolicy=policy)
    return Resource("kubernetes:core/v1:Pod", props)


@advisory(
    kubernetes("core", "Pod").with_view(namespaced_pods),
    layer="serving",
    severity="high",
    why="The kubelet restarts a container on its node; nothing recreates a bare Pod on another "
    "node when its own fails or is upgraded.",
    fix="make it the template of a Deployment or StatefulSet",
    references=(
        kubernetes_docs("Pods and controllers", "concepts/workloads/pods/#pods-and-controllers"),
    ),
    passing=(_bare("Never"),),
    failing=(_bare("Always"),),
)
def servers_have_a_controller(subject: NamespacedPod, stack: Stack) -> Iterator[str]:
    """A pod that serves belongs to a controller, which recreates it elsewhere."""
    pod = subject.pod
    is_static = "kubernetes.io/config.mirror" in pod.annotations()
    if is_static or pod.metadata.get("ownerReferences"):
        return
    if is_server(pod) or stack.cached(Served).has(subject):
        yield "it is a bare Pod: nothing recreates it on another node"


@mandatory(
    _LABELLED_PODS,
    layer="serving",
    severity="high",
    why="A constraint whose selector does not match the workload's own pods spreads nothing.",
    fix="set labelSelector to the labels of the workload's pods",
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
def spread_constraints_count_their_own_pods(subject: NamespacedPod) -> Iterator[str]:
    """A topology spread constraint selects its own pods."""
    for constraint in entries(subject.pod.spec, "topologySpreadConstraints"):
        if _is_by_controllers(block(constraint, "labelSelector")):
            continue
        if not _counts(constraint, subject.namespace, subject.labels):
            yield f"the constraint on {text(constraint, 'topologyKey')} selects other pods"


@mandatory(
    SELECTING,
    layer="serving",
    severity="high",
    why="The API server rejects a workload that does not select its own pods, and the update fails "
    "halfway.",
    fix="add the selector's labels to the template",
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
    elif not selector_matches(selector, labels_of(workload)):
        yield "spec.selector does not match the labels of the template"


@mandatory(
    DEPLOYMENTS,
    layer="serving",
    severity="medium",
    why="If all old pods stop before new ones are ready, every rollout is an outage.",
    fix="set maxUnavailable below the number of replicas (gke-serving:models[].rollout)",
    references=(_ROLLOUT,),
    passing=deployment(
        replicas=3, strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    ),
    failing=deployment(replicas=3, strategy={"type": "Recreate"}),
)
def rollouts_keep_pods_serving(workload: Props) -> Iterator[str]:
    """A Deployment replaces its pods gradually.

    An endpoint picker that elects a leader cannot: only the leader is ready, so that a new pod
    waits for the old ones to stop.
    """
    strategy = block(workload, "spec", "strategy")
    one_serves = _elects_the_one_that_serves(workload)
    if text(strategy, "type") == "Recreate" and not one_serves:
        yield "strategy.type is Recreate"
    rolling = block(strategy, "rollingUpdate")
    unavailable = rolling.get("maxUnavailable")
    if unavailable == "100%" and not one_serves:
        yield "strategy.rollingUpdate.maxUnavailable is 100%"
    if _is_zero(unavailable) and _is_zero(rolling.get("maxSurge")):
        yield "strategy.rollingUpdate has maxSurge and maxUnavailable 0, so no pod is replaced"


def _elects_the_one_that_serves(workload: Props) -> bool:
    containers = entries(workload, "spec", "template", "spec", "containers")
    return any(word in _ELECTIONS for container in containers for word in texts(container, "args"))


def _is_zero(value: object) -> bool:
    if isinstance(value, bool | dict | list):
        raise MalformedInputError(f"{value!r} is neither a count nor a percentage")
    return value in (0, "0", "0%")


@mandatory(
    NAMESPACED_PODS,
    layer="serving",
    severity="high",
    why="A pod that selects a node pool that does not exist stays pending forever.",
    fix="use one of gke-cluster:node_pools (gke-serving:models[].node_pool)",
    references=(
        google(
            "Scheduling on node pools",
            "kubernetes-engine/docs/concepts/node-pools#scheduling",
        ),
    ),
    passing=(_pool("serving"), _workload(1, nodeSelector={_POOL: "serving"})),
    failing=(_pool("serving"), _workload(1, nodeSelector={_POOL: "gpu"})),
)
def pods_ask_for_pools_that_exist(subject: NamespacedPod, stack: Stack) -> Iterator[str]:
    """A pod's node pool is declared, if the stack declares node pools."""
    wanted = text(subject.pod.spec, "nodeSelector", _POOL)
    pools = [text(one.props, "name") for one in stack.of(NODE_POOL)]
    if wanted and pools and wanted not in pools:
        yield f"its nodeSelector has pool {wanted}; declared pools: {', '.join(sorted(pools))}"
