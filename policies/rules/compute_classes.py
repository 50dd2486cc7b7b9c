"""Rules about GKE's compute classes: the pods that select them, and the pools that they name.

Pools that GKE creates for a class are never declared; what the class and the cluster say of them
is held to the same rules as declared ones.
"""

from collections.abc import Iterator

from policies.pods import deployment
from policies.rule import Stack, cis, google, mandatory
from policies.rules.auto_provisioning import provisioning
from policies.rules.cluster import CLUSTER
from policies.rules.node_pools import NODE_POOL, is_default_account
from policies.selection import NAMESPACED_PODS, NamespacedPod
from policies.subjects import Resource, kubernetes
from policies.values import Props, block, entries, flag, text, texts

CLASSES = kubernetes("cloud.google.com", "ComputeClass")
_LABEL = "cloud.google.com/compute-class"
_BUILT_IN = frozenset(
    {
        "Accelerator",
        "Balanced",
        "Performance",
        "Scale-Out",
        "autopilot",
        "autopilot-arm",
        "autopilot-spot",
    }
)
_DOCS = google(
    "Custom compute classes", "kubernetes-engine/docs/concepts/about-custom-compute-classes"
)


def _pool(name: str, class_: str = "gpus") -> Resource:
    taint = {"key": _LABEL, "value": class_, "effect": "NO_SCHEDULE"}
    config = {"labels": {_LABEL: class_}, "taints": [taint]}
    return Resource(NODE_POOL.example, {"name": name, "nodeConfig": config}, name)


def _class(*pools: str) -> Resource:
    spec = {"priorities": [{"nodepools": [one]} for one in pools]}
    props = {"metadata": {"name": "gpus"}, "spec": spec}
    return Resource("kubernetes:cloud.google.com/v1:ComputeClass", props, "gpus")


def _workload(class_: str) -> Resource:
    props = deployment(replicas=2)
    props["spec"]["template"]["spec"] |= {"nodeSelector": {_LABEL: class_}}
    return Resource("kubernetes:apps/v1:Deployment", props, "assistant")


@mandatory(
    NAMESPACED_PODS,
    layer="serving",
    severity="high",
    why="No node is ever created for a pod whose compute class does not exist: it stays pending.",
    fix="use one of gke-cluster:compute_classes (gke-serving:models[].compute_class)",
    references=(_DOCS,),
    passing=(_class("gpu"), _workload("gpus")),
    failing=(_class("gpu"), _workload("gpu")),
)
def pods_select_compute_classes_that_exist(subject: NamespacedPod, stack: Stack) -> Iterator[str]:
    """A pod's compute class is declared, if the stack declares compute classes."""
    wanted = text(subject.pod.spec, "nodeSelector", _LABEL)
    names = [text(one.props, "metadata", "name") for one in stack.of(CLASSES)]
    if wanted and names and wanted not in names and wanted not in _BUILT_IN:
        yield f"its nodeSelector has class {wanted}; declared: {', '.join(sorted(names))}"


@mandatory(
    CLASSES,
    layer="serving",
    severity="high",
    why="GKE creates nodes for a class only in pools that have its label, and without the taint "
    "other pods take them.",
    fix="name the pool in gke-cluster:compute_classes, which labels and taints it",
    references=(_DOCS,),
    passing=(_pool("gpu"), _class("gpu")),
    failing=(_pool("gpu", "other"), _class("gpu")),
)
def compute_classes_own_their_pools(declared: Props, stack: Stack) -> Iterator[str]:
    """The node pools of a compute class exist and have its label and taint, where they are known.

    Where the stack declares no node pools, nothing is said.
    """
    pools = {text(one.props, "name"): block(one.props, "nodeConfig") for one in stack.of(NODE_POOL)}
    name = text(declared, "metadata", "name")
    for rule in entries(declared, "spec", "priorities") if pools else ():
        for pool in texts(rule, "nodepools"):
            if pool not in pools:
                yield f"it names pool {pool}; declared pools: {', '.join(sorted(pools))}"
            elif text(pools[pool], "labels", _LABEL) != name:
                yield f"pool {pool} lacks the label {_LABEL}={name}"
            elif not any(_binds(taint, name) for taint in entries(pools[pool], "taints")):
                yield f"pool {pool} lacks the taint {_LABEL}={name}:NoSchedule"


def _binds(taint: Props, name: str) -> bool:
    return (text(taint, "key"), text(taint, "value"), text(taint, "effect")) == (
        _LABEL,
        name,
        "NO_SCHEDULE",
    )


_CREATION = google(
    "Node pool auto-creation", "kubernetes-engine/docs/how-to/node-auto-provisioning"
)
_ACCOUNT = "nap@acme-ml-dev.iam.gserviceaccount.com"


def _creating(anyway: str = "DoNotScaleUp", **nodes: object) -> Resource:
    spec = {
        "priorities": [{"machineType": "g2-standard-8"}],
        "nodePoolAutoCreation": {"enabled": True},
        "nodePoolConfig": nodes,
        "whenUnsatisfiable": anyway,
    }
    props = {"metadata": {"name": "gpus"}, "spec": spec}
    return Resource("kubernetes:cloud.google.com/v1:ComputeClass", props, "gpus")


def _creates(class_: Props) -> bool:
    return flag(class_, "spec", "nodePoolAutoCreation", "enabled")


@mandatory(
    CLASSES,
    layer="serving",
    severity="high",
    why="Pools that GKE creates for a class escape the rules about declared ones: their nodes "
    "would be editors of the whole project, or have public addresses, or be of any kind.",
    fix="declare the choice by gke-cluster:compute_classes[].priorities[].create, which sets all "
    "of it",
    references=(cis("5.2.1"), cis("5.5.1"), cis("5.6.5"), _CREATION),
    passing=(_creating(serviceAccount=_ACCOUNT, imageType="cos_containerd"),),
    failing=(_creating(serviceAccount="default", imageType="cos_containerd"),),
)
def compute_classes_create_nodes_like_declared_ones(declared: Props) -> Iterator[str]:
    """Nodes that GKE creates for a class have an account of their own and no public address.

    They run Container-Optimized OS, and there are none but those of its priorities.
    """
    if not _creates(declared):
        return
    nodes = block(declared, "spec", "nodePoolConfig")
    account, image = text(nodes, "serviceAccount"), text(nodes, "imageType")
    if is_default_account(account):
        yield f"its nodes run as {account or 'the default service account'}"
    if image and image.lower() != "cos_containerd":
        yield f"its nodes run {image}"
    if text(nodes, "ipType").lower() == "public":
        yield "its nodes have public addresses"
    if text(declared, "spec", "whenUnsatisfiable") != "DoNotScaleUp":
        yield "whenUnsatisfiable is not DoNotScaleUp, so that GKE may create E2 nodes for it"


def _limits(*limits: str) -> Resource:
    scaling = {
        "enabled": bool(limits),
        "resourceLimits": [{"resourceType": one, "maximum": 64} for one in limits],
    }
    return Resource(CLUSTER.example, {"name": "main", "clusterAutoscaling": scaling}, "main")


@mandatory(
    CLASSES,
    layer="serving",
    severity="high",
    why="Since GKE 1.33.3 a class creates pools without node auto-provisioning, and then only the "
    "quota bounds how many and what they cost.",
    fix="set gke-cluster:cluster.auto_provisioning",
    references=(_CREATION,),
    passing=(_limits("cpu", "memory"), _creating(serviceAccount=_ACCOUNT)),
    failing=(_limits(), _creating(serviceAccount=_ACCOUNT)),
)
def compute_classes_create_nodes_within_limits(declared: Props, stack: Stack) -> Iterator[str]:
    """Clusters limit what GKE creates for a class, where clusters are declared with it."""
    clusters = [one for one in stack.of(CLUSTER) if not flag(one.props, "enableAutopilot")]
    is_limited = any(limits for one in clusters for limits in provisioning(one))
    if _creates(declared) and clusters and not is_limited:
        yield "clusterAutoscaling is off, so that nothing limits the pools of this class"
