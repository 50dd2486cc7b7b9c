"""A rule about label selectors."""

from collections.abc import Iterator

from policies.rule import kubernetes_docs, mandatory
from policies.subjects import Resource, kubernetes, resource_view
from policies.values import Props, block, entries

_KINDS = (
    kubernetes("networking.k8s.io", "NetworkPolicy")
    | kubernetes("policy", "PodDisruptionBudget")
    | kubernetes("apps", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
    | kubernetes("batch", "Job")
)
_FIELDS = ("matchLabels", "matchExpressions")
_PEERS = (("ingress", "from"), ("egress", "to"))


def _policy(selector: Props) -> Resource:
    props = {
        "metadata": {"name": "resnet", "namespace": "models"},
        "spec": {"podSelector": selector},
    }
    return Resource("kubernetes:networking.k8s.io/v1:NetworkPolicy", props, "resnet")


def _selectors(spec: Props) -> Iterator[tuple[str, Props]]:
    """Yield the selectors of a spec with their names."""
    for key in ("selector", "podSelector"):
        if key in spec:
            yield key, block(spec, key)
    for direction, peers in _PEERS:
        if direction not in spec:
            continue
        for rule in entries(spec, direction):
            for peer in entries(rule, peers):
                for key in ("podSelector", "namespaceSelector"):
                    yield f"{direction}.{peers}.{key}", block(peer, key)


@mandatory(
    _KINDS.with_view(resource_view),
    layer="serving",
    severity="high",
    why="The API server drops fields that it does not know, and the selector that is left selects "
    "every pod: the policy or budget then applies to all of them.",
    fix="move the labels under matchLabels",
    references=(
        kubernetes_docs("Labels and selectors", "concepts/overview/working-with-objects/labels/"),
    ),
    passing=(_policy({"matchLabels": {"app": "resnet"}}), _policy({})),
    failing=(_policy({"app": "resnet"}),),
)
def label_selectors_have_known_fields(subject: Resource) -> Iterator[str]:
    """A label selector has matchLabels and matchExpressions only."""
    for name, selector in _selectors(block(subject.props, "spec")):
        for key in selector:
            if key not in _FIELDS:
                yield f"{name} has the unknown field {key}"
