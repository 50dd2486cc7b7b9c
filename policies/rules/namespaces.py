"""Rules about namespaces, and about the quota and the network policies inside."""

from collections.abc import Iterator

from policies.objects import Selectors, address
from policies.pods import LONG_RUNNING_PODS, deployment
from policies.rule import Stack, advisory, cis, google, kubernetes_docs, mandatory, pod_security
from policies.selection import Pods, Selectable, placed
from policies.subjects import Resource, Selector, kubernetes, pattern
from policies.values import Props, block, entries, text

NAMESPACES = kubernetes("core", "Namespace")
QUOTAS = kubernetes("core", "ResourceQuota")
NETWORK_POLICIES = kubernetes("networking.k8s.io", "NetworkPolicy")
_NAMES = kubernetes_docs("Namespaces", "concepts/overview/working-with-objects/namespaces/")
_WALLS = kubernetes_docs("Network policies", "concepts/services-networking/network-policies/")
_ENFORCE = "pod-security.kubernetes.io/enforce"
_SYSTEM = ("kube-", "gke-", "gmp-")

NAMESPACED = pattern(
    r"kubernetes:(apps|batch|autoscaling|policy|core|networking\.k8s\.io|gateway\.networking\.k8s\.io"
    r"|rbac\.authorization\.k8s\.io|extensions)/\w+:(Deployment|StatefulSet|DaemonSet|ReplicaSet"
    r"|ReplicationController|Pod|Job|CronJob|Service|ConfigMap|Secret|ServiceAccount|Ingress"
    r"|NetworkPolicy|HorizontalPodAutoscaler|PodDisruptionBudget|PersistentVolumeClaim|Role"
    r"|RoleBinding|Gateway|HTTPRoute)",
    example="kubernetes:apps/v1:Deployment",
    described="kubernetes: what lives in a namespace",
)


def _namespace(name: str = "models", **labels: str) -> Resource:
    return Resource(NAMESPACES.example, {"metadata": {"name": name, "labels": labels}}, name)


def _in(kind: Selector, namespace: str = "models", **spec: object) -> Resource:
    props = {"metadata": {"name": "team", "namespace": namespace}, "spec": spec}
    return Resource(kind.example, props, "team")


def _server() -> Resource:
    return Resource("kubernetes:apps/v1:Deployment", deployment(), "resnet")


@mandatory(
    NAMESPACED,
    layer="serving",
    severity="medium",
    why="What lies in `default` shares accounts, quota and policies with whatever else was put "
    "there without a thought.",
    fix="name a namespace (gke-serving:namespace)",
    references=(cis("4.6.4"), _NAMES),
    passing={"metadata": {"name": "resnet", "namespace": "models"}},
    failing={"metadata": {"name": "resnet"}},
)
def objects_have_a_namespace(thing: Props) -> Iterator[str]:
    """An object lives in a namespace that was chosen for it, not in `default`."""
    namespace = text(thing, "metadata", "namespace")
    name = text(thing, "metadata", "name")
    if namespace in {"", "default"} and name != "kubernetes":
        yield f"metadata.namespace is {namespace or 'not set'}"


@mandatory(
    NAMESPACES,
    layer="serving",
    severity="high",
    why="Without the label the API server takes privileged pods from everybody who may make pods.",
    fix="label the namespace pod-security.kubernetes.io/enforce: restricted",
    references=(cis("4.2.1"), pod_security("Enforcement", "restricted")),
    passing=_namespace(**{_ENFORCE: "restricted"}).props,
    failing=_namespace().props,
)
def namespaces_enforce_pod_security(namespace: Props) -> Iterator[str]:
    """A namespace enforces a Pod Security Standard, baseline or restricted."""
    if text(namespace, "metadata", "name").startswith(_SYSTEM):
        return
    level = text(namespace, "metadata", "labels", _ENFORCE)
    if level not in {"baseline", "restricted"}:
        yield f"{_ENFORCE} is {level or 'not set'}"


def _homes(selector: Selector, stack: Stack) -> set[str]:
    return {address(one.props)[0] for one in stack.of(selector)}


@advisory(
    NAMESPACES,
    layer="serving",
    severity="medium",
    why="One namespace without a quota can take every node, GPU and address of the cluster.",
    fix="declare a team, which brings a quota (gke-serving:teams)",
    references=(kubernetes_docs("Resource quotas", "concepts/policy/resource-quotas/"),),
    passing=(_namespace(), _in(QUOTAS, hard={"pods": "100"})),
    failing=(_namespace(), _in(QUOTAS, "other", hard={"pods": "100"})),
)
def namespaces_have_a_quota(namespace: Props, stack: Stack) -> Iterator[str]:
    """A namespace has a ResourceQuota."""
    name = text(namespace, "metadata", "name")
    if not name.startswith(_SYSTEM) and name not in _homes(QUOTAS, stack):
        yield f"no ResourceQuota is declared in namespace {name}"


@advisory(
    NAMESPACES,
    layer="serving",
    severity="medium",
    why="Without a policy every pod of the cluster reaches every pod of the namespace.",
    fix="declare a team, which brings network policies (gke-serving:teams)",
    references=(cis("4.3.2"), _WALLS),
    passing=(_namespace(), _in(NETWORK_POLICIES, podSelector={})),
    failing=(_namespace(),),
)
def namespaces_have_a_network_policy(namespace: Props, stack: Stack) -> Iterator[str]:
    """A namespace has a NetworkPolicy."""
    name = text(namespace, "metadata", "name")
    if not name.startswith(_SYSTEM) and name not in _homes(NETWORK_POLICIES, stack):
        yield f"no NetworkPolicy is declared in namespace {name}"


def _selectors(stack: Stack) -> Selectors:
    return Selectors(stack.of(NETWORK_POLICIES), "spec", "podSelector")


@advisory(
    LONG_RUNNING_PODS.seen_as(placed),
    layer="serving",
    severity="low",
    why="A pod that no policy selects takes connections from everywhere.",
    fix="select it by a NetworkPolicy of its namespace (gke-serving:teams)",
    references=(_WALLS, google("Network policies", "kubernetes-engine/docs/how-to/network-policy")),
    passing=(_server(), _in(NETWORK_POLICIES, podSelector={"matchLabels": {"app": "resnet"}})),
    failing=(_server(), _in(NETWORK_POLICIES, podSelector={"matchLabels": {"app": "bert"}})),
)
def pods_are_behind_a_network_policy(placed: Selectable, stack: Stack) -> Iterator[str]:
    """A pod that keeps running is selected by a NetworkPolicy."""
    if not stack.once(_selectors).select(placed.labels, placed.namespace):
        yield f"no NetworkPolicy of namespace {placed.namespace} selects it"


@mandatory(
    NETWORK_POLICIES,
    layer="serving",
    severity="medium",
    why="A policy that selects no pods protects nothing, while it looks as if it did.",
    fix="give it the labels of the pods that it is for, in their namespace",
    references=(_WALLS,),
    passing=(_server(), _in(NETWORK_POLICIES, podSelector={"matchLabels": {"app": "resnet"}})),
    failing=(_server(), _in(NETWORK_POLICIES, podSelector={"matchLabels": {"app": "bert"}})),
)
def network_policies_select_pods(policy: Props, stack: Stack) -> Iterator[str]:
    """A NetworkPolicy that names labels selects declared pods."""
    selector = block(policy, "spec", "podSelector")
    if not block(selector, "matchLabels") and not entries(selector, "matchExpressions"):
        return  # all pods, those to come among them
    namespace, _ = address(policy)
    if not stack.once(Pods).matching(selector, namespace):
        yield f"no declared pod of namespace {namespace} has the labels it selects"
