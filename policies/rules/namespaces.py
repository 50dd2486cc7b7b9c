"""Rules about namespaces, their quotas and their network policies."""

from collections.abc import Iterator

from policies.objects import Objects, Selectors, namespace_and_name
from policies.pods import LONG_RUNNING_PODS, deployment
from policies.rule import Stack, advisory, cis, google, kubernetes_docs, mandatory, pod_security
from policies.selection import NamespacedPod, Pods, namespaced_servers
from policies.subjects import Resource, Selector, kubernetes, pattern
from policies.values import Props, block, entries, text, texts

NAMESPACES = kubernetes("core", "Namespace")
QUOTAS = kubernetes("core", "ResourceQuota")
NETWORK_POLICIES = kubernetes("networking.k8s.io", "NetworkPolicy")
_NAMES = kubernetes_docs("Namespaces", "concepts/overview/working-with-objects/namespaces/")
_NETWORK_POLICY_DOCS = kubernetes_docs(
    "Network policies", "concepts/services-networking/network-policies/"
)
_ENFORCE = "pod-security.kubernetes.io/enforce"
_SYSTEM = ("kube-", "gke-", "gmp-")

NAMESPACED = pattern(
    r"kubernetes:(apps|batch|autoscaling|policy|core|networking\.k8s\.io|gateway\.networking\.k8s\.io"
    r"|rbac\.authorization\.k8s\.io|extensions)/\w+:(Deployment|StatefulSet|DaemonSet|ReplicaSet"
    r"|ReplicationController|Pod|Job|CronJob|Service|ConfigMap|Secret|ServiceAccount|Ingress"
    r"|NetworkPolicy|HorizontalPodAutoscaler|PodDisruptionBudget|PersistentVolumeClaim|Role"
    r"|RoleBinding|Gateway|HTTPRoute)",
    example="kubernetes:apps/v1:Deployment",
    described="kubernetes: namespaced objects",
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
    why="Objects in `default` share service accounts, quota and policies with unrelated objects.",
    fix="set a namespace (gke-serving:namespace)",
    references=(cis("4.6.4"), _NAMES),
    passing={"metadata": {"name": "resnet", "namespace": "models"}},
    failing={"metadata": {"name": "resnet"}},
)
def objects_have_a_namespace(thing: Props) -> Iterator[str]:
    """An object has a namespace other than `default`."""
    namespace = text(thing, "metadata", "namespace")
    name = text(thing, "metadata", "name")
    if namespace in {"", "default"} and name != "kubernetes":
        yield f"metadata.namespace is {namespace or 'not set'}"


@mandatory(
    NAMESPACES,
    layer="serving",
    severity="high",
    why="Without the label anyone who can create pods can create privileged pods.",
    fix="label the namespace pod-security.kubernetes.io/enforce: restricted",
    references=(cis("4.2.1"), pod_security("Enforcement", "restricted")),
    passing=_namespace(**{_ENFORCE: "restricted"}).props,
    failing=_namespace().props,
)
def namespaces_enforce_pod_security(namespace: Props) -> Iterator[str]:
    """A namespace enforces the Pod Security Standard baseline or restricted."""
    if text(namespace, "metadata", "name").startswith(_SYSTEM):
        return
    level = text(namespace, "metadata", "labels", _ENFORCE)
    if level not in {"baseline", "restricted"}:
        yield f"{_ENFORCE} is {level or 'not set'}"


def _namespaces_with(selector: Selector, stack: Stack) -> set[str]:
    return {namespace_and_name(one.props)[0] for one in stack.of(selector)}


@advisory(
    NAMESPACES,
    layer="serving",
    severity="medium",
    why="A namespace without a quota can use all nodes, GPUs and addresses of the cluster.",
    fix="declare a team, which has a quota (gke-serving:teams)",
    references=(kubernetes_docs("Resource quotas", "concepts/policy/resource-quotas/"),),
    passing=(_namespace(), _in(QUOTAS, hard={"pods": "100"})),
    failing=(_namespace(), _in(QUOTAS, "other", hard={"pods": "100"})),
)
def namespaces_have_a_quota(namespace: Props, stack: Stack) -> Iterator[str]:
    """A namespace has a ResourceQuota."""
    name = text(namespace, "metadata", "name")
    if not name.startswith(_SYSTEM) and name not in _namespaces_with(QUOTAS, stack):
        yield f"no ResourceQuota is declared in namespace {name}"


@advisory(
    NAMESPACES,
    layer="serving",
    severity="medium",
    why="Without a NetworkPolicy every pod in the cluster can reach every pod in the namespace.",
    fix="declare a team, which has network policies (gke-serving:teams)",
    references=(cis("4.3.2"), _NETWORK_POLICY_DOCS),
    passing=(_namespace(), _in(NETWORK_POLICIES, podSelector={})),
    failing=(_namespace(),),
)
def namespaces_have_a_network_policy(namespace: Props, stack: Stack) -> Iterator[str]:
    """A namespace has a NetworkPolicy."""
    name = text(namespace, "metadata", "name")
    if not name.startswith(_SYSTEM) and name not in _namespaces_with(NETWORK_POLICIES, stack):
        yield f"no NetworkPolicy is declared in namespace {name}"


def _limits_ingress(policy: Props) -> bool:
    """Whether a policy limits who may connect: unless its types name egress alone."""
    types = texts(policy, "spec", "policyTypes")
    return not types or "Ingress" in types


def _selectors(stack: Stack) -> Selectors:
    policies = stack.of(NETWORK_POLICIES)
    return Selectors(policies, "spec", "podSelector", where=_limits_ingress)


@advisory(
    LONG_RUNNING_PODS.with_view(namespaced_servers),
    layer="serving",
    severity="low",
    why="A pod that no NetworkPolicy selects accepts connections from everywhere.",
    fix="select it with a NetworkPolicy in its namespace (gke-serving:teams)",
    references=(
        _NETWORK_POLICY_DOCS,
        google("Network policies", "kubernetes-engine/docs/how-to/network-policy"),
    ),
    passing=(_server(), _in(NETWORK_POLICIES, podSelector={"matchLabels": {"app": "resnet"}})),
    failing=(_server(), _in(NETWORK_POLICIES, podSelector={"matchLabels": {"app": "bert"}})),
)
def pods_are_behind_a_network_policy(subject: NamespacedPod, stack: Stack) -> Iterator[str]:
    """A long-running pod is selected by a NetworkPolicy for ingress."""
    if not stack.cached(_selectors).select(subject.labels, subject.namespace):
        yield f"no NetworkPolicy for ingress in namespace {subject.namespace} selects it"


@mandatory(
    NETWORK_POLICIES,
    layer="serving",
    severity="medium",
    why="A NetworkPolicy that selects no pods protects nothing, without an error.",
    fix="set podSelector to the pods' labels; the policy must be in the pods' namespace",
    references=(_NETWORK_POLICY_DOCS,),
    passing=(_server(), _in(NETWORK_POLICIES, podSelector={"matchLabels": {"app": "resnet"}})),
    failing=(_server(), _in(NETWORK_POLICIES, podSelector={"matchLabels": {"app": "bert"}})),
)
def network_policies_select_pods(policy: Props, stack: Stack) -> Iterator[str]:
    """A NetworkPolicy with a selector selects declared pods."""
    selector = block(policy, "spec", "podSelector")
    if not block(selector, "matchLabels") and not entries(selector, "matchExpressions"):
        return  # an empty selector selects all pods, including future ones
    namespace, _ = namespace_and_name(policy)
    if stack.cached(Objects).may_own(selector, namespace):
        return
    if not stack.cached(Pods).matching(selector, namespace):
        yield f"its podSelector matches no declared pod in namespace {namespace}"
