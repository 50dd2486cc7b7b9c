"""Rules about where the scheduler may put pods."""

from collections.abc import Iterable, Iterator

from policies.pods import PODS, PODS_AND_PATCHES, Pod, deployment, pod, pods
from policies.rule import advisory, kubernetes_docs, mandatory
from policies.subjects import Resource, Selector
from policies.values import Props, entries, number, text

_SPREAD = kubernetes_docs(
    "Topology spread constraints",
    "concepts/scheduling-eviction/topology-spread-constraints/",
)
_TAINTS = kubernetes_docs(
    "Taints and tolerations", "concepts/scheduling-eviction/taint-and-toleration/"
)
_CONSTRAINT = {
    "maxSkew": 1,
    "topologyKey": "topology.kubernetes.io/zone",
    "whenUnsatisfiable": "ScheduleAnyway",
    "labelSelector": {"matchLabels": {"app": "resnet"}},
}


def _tolerating(**toleration: str) -> Props:
    props = deployment()
    props["spec"]["template"]["spec"]["tolerations"] = [toleration]
    return props


def _without_daemon_sets(resource: Resource) -> Iterable[Pod]:
    """View a resource as its pods, unless a DaemonSet makes them: those belong on every node."""
    for one in pods(resource):
        owners = entries(one.metadata, "ownerReferences")
        if one.kind != "DaemonSet" and not any(text(o, "kind") == "DaemonSet" for o in owners):
            yield one


_CHOOSING_PODS = Selector(
    PODS_AND_PATCHES.matches,
    "kubernetes:apps/v1:Deployment",
    PODS_AND_PATCHES.types,
    _without_daemon_sets,
)


@advisory(
    _CHOOSING_PODS,
    layer="serving",
    severity="medium",
    why="A pod that tolerates every taint runs on GPU and Spot nodes that are kept for others, on "
    "nodes that are being drained, and stays bound to a node that is gone.",
    fix="name the key of the taint; only a DaemonSet belongs on every node",
    references=(_TAINTS,),
    passing=_tolerating(key="nvidia.com/gpu", operator="Exists"),
    failing=_tolerating(operator="Exists"),
)
def tolerations_name_their_taint(pod: Pod) -> Iterator[str]:
    """A pod, except a DaemonSet's, tolerates no taints that it does not name."""
    for toleration in entries(pod.spec, "tolerations"):
        if text(toleration, "operator") == "Exists" and not text(toleration, "key"):
            effect = text(toleration, "effect")
            yield f"a toleration without a key is for every taint{effect and f' {effect}'}"


@advisory(
    PODS_AND_PATCHES,
    layer="serving",
    severity="medium",
    why="A pod with a nodeName bypasses the scheduler: resources, taints and affinities are "
    "ignored, and when the node is replaced, it does not run at all.",
    fix="remove nodeName; use nodeSelector or nodeAffinity on labels of the node pool",
    references=(
        kubernetes_docs(
            "Assigning pods to nodes", "concepts/scheduling-eviction/assign-pod-node/#nodename"
        ),
    ),
    passing=pod(),
    failing=pod(nodeName="gke-prod-general-0a1b2c3d-x7k2"),
)
def pods_leave_their_node_to_the_scheduler(pod: Pod) -> Iterator[str]:
    """A pod does not name its node. One that was read from a cluster has been scheduled."""
    if (name := text(pod.spec, "nodeName")) and not _is_scheduled(pod):
        yield f"nodeName is {name}"


def _is_scheduled(pod: Pod) -> bool:
    """Whether the scheduler may have set the node: the pod was read from an API server."""
    return pod.kind == "Pod" and bool(
        text(pod.metadata, "uid") or entries(pod.metadata, "ownerReferences")
    )


@mandatory(
    PODS,
    layer="serving",
    severity="medium",
    why="The API server rejects invalid constraints, and the update fails halfway.",
    fix="set topologyKey, maxSkew of 1 or more, and whenUnsatisfiable to DoNotSchedule or "
    "ScheduleAnyway; minDomains needs DoNotSchedule",
    references=(_SPREAD,),
    passing=pod(topologySpreadConstraints=[_CONSTRAINT]),
    failing=pod(topologySpreadConstraints=[_CONSTRAINT | {"maxSkew": 0}]),
)
def spread_constraints_are_valid(pod: Pod) -> Iterator[str]:
    """The fields of a topology spread constraint are those that the API server accepts."""
    for constraint in entries(pod.spec, "topologySpreadConstraints"):
        key = text(constraint, "topologyKey")
        for problem in _problems(constraint):
            yield f"the constraint on {key or 'no key'}: {problem}"


def _problems(constraint: Props) -> Iterator[str]:
    if not text(constraint, "topologyKey"):
        yield "topologyKey is not set"
    skew, domains = number(constraint, "maxSkew"), number(constraint, "minDomains")
    if skew is None or skew < 1:
        yield "maxSkew is not 1 or more"
    unsatisfiable = text(constraint, "whenUnsatisfiable")
    if unsatisfiable not in {"DoNotSchedule", "ScheduleAnyway"}:
        yield f"whenUnsatisfiable is {unsatisfiable or 'not set'}"
    if domains is not None and (domains < 1 or unsatisfiable != "DoNotSchedule"):
        yield "minDomains is below 1, or without DoNotSchedule"
