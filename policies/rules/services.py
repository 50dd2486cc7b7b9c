"""Rules about Services: selectors, ports, and who can reach them."""

import ipaddress
from collections.abc import Iterator

from policies.objects import Objects, namespace_and_name, selector_matches
from policies.pods import deployment
from policies.rule import Stack, advisory, google, kubernetes_docs, mandatory
from policies.selection import NAMESPACED_PODS, NamespacedPod, Pods
from policies.subjects import Resource, kubernetes
from policies.values import MalformedInputError, Props, block, comparable_text, entries, text, texts

SERVICES = kubernetes("core", "Service")
_DOCS = kubernetes_docs("Service", "concepts/services-networking/service/")
_INTERNAL = ("networking.gke.io/load-balancer-type", "cloud.google.com/load-balancer-type")


def _service(app: str = "resnet", **spec: object) -> Resource:
    return Resource(
        SERVICES.example,
        {
            "metadata": {"name": "resnet", "namespace": "models"},
            "spec": {"selector": {"app": app}, "ports": [{"port": 80}], **spec},
        },
        "resnet",
    )


def _server() -> Resource:
    container = {"ports": [{"name": "rest", "containerPort": 8501}]}
    return Resource(NAMESPACED_PODS.example, deployment(container=container), "resnet")


class Served:
    """The selectors of Services by namespace and first label."""

    def __init__(self, stack: Stack) -> None:
        self._of: dict[tuple[str, str, str], list[Props]] = {}
        for service in stack.of(SERVICES):
            selector = block(service.props, "spec", "selector")
            for key, value in list(selector.items())[:1]:
                where = namespace_and_name(service.props)[0], key, comparable_text(value)
                self._of.setdefault(where, []).append(selector)

    def has(self, one: NamespacedPod) -> bool:
        """Whether a Service selects the pod."""
        return any(
            selector_matches({"matchLabels": selector}, one.labels)
            for key, value in one.labels.items()
            for selector in self._of.get((one.namespace, key, comparable_text(value)), ())
        )


@mandatory(
    SERVICES,
    layer="serving",
    severity="high",
    why="A Service that selects no pods has no endpoints, without an error.",
    fix="set the selector to the pods' labels; the Service must be in the pods' namespace",
    references=(_DOCS,),
    passing=(_server(), _service()),
    failing=(_server(), _service("resnet50")),
)
def services_select_pods(service: Props, stack: Stack) -> Iterator[str]:
    """A Service with a selector selects declared pods."""
    spec, (namespace, _) = block(service, "spec"), namespace_and_name(service)
    selector = block(spec, "selector")
    if not selector or text(spec, "type") == "ExternalName":
        return
    if _is_own(selector, namespace) or stack.cached(Objects).may_own(
        {"matchLabels": selector}, namespace
    ):
        return
    if not stack.cached(Pods).selected(selector, namespace):
        labels = ", ".join(f"{key}={value}" for key, value in selector.items())
        yield f"no declared pod in namespace {namespace} has the labels {labels}"


def _is_own(selector: Props, namespace: str) -> bool:
    """Whether the pods are those of the cluster's DNS, which every cluster has."""
    return namespace == "kube-system" and comparable_text(selector.get("k8s-app")) == "kube-dns"


@mandatory(
    SERVICES,
    layer="serving",
    severity="high",
    why="Connections to a port that the pods do not open are refused.",
    fix="set targetPort to a port of the pods",
    references=(_DOCS,),
    passing=(_server(), _service(ports=[{"port": 80, "targetPort": "rest"}])),
    failing=(_server(), _service(ports=[{"port": 80, "targetPort": "http"}])),
)
def services_lead_to_ports_of_their_pods(service: Props, stack: Stack) -> Iterator[str]:
    """A Service's target port is a number, or the name of a port of its pods."""
    spec, (namespace, _) = block(service, "spec"), namespace_and_name(service)
    selector = block(spec, "selector")
    if not selector or text(spec, "type") == "ExternalName":
        return
    # `containerPort` is informative: another number may be open.
    if not any(map(_is_named, entries(spec, "ports"))):
        return
    for one in stack.cached(Pods).selected(selector, namespace):
        ports = [p for c in one.pod.containers(ephemeral=False) for p in entries(c, "ports")]
        names = {text(port, "name") for port in ports} - {""}
        for port in entries(spec, "ports"):
            if _is_named(port) and port["targetPort"] not in names:
                target = port["targetPort"]
                yield f"targetPort {target} is not a port of {one.resource.name or 'its pods'}"


def _is_named(port: Props) -> bool:
    """Whether a Service's port leads to a named port of its pods."""
    target = port.get("targetPort")
    return isinstance(target, str) and not target.isdigit()


@advisory(
    SERVICES,
    layer="serving",
    severity="medium",
    why="A Service of type LoadBalancer is open to the internet by default, and a NodePort to "
    "anyone who can reach a node.",
    fix="expose the model through the HTTP load balancer, or list its callers "
    "(gke-serving:models[].exposure.source_ranges)",
    references=(
        google("LoadBalancer Services", "kubernetes-engine/docs/concepts/service-load-balancer"),
    ),
    passing=(_service(type="LoadBalancer", loadBalancerSourceRanges=["203.0.113.0/24"]).props),
    failing=_service(type="LoadBalancer").props,
)
def services_name_their_callers(service: Props) -> Iterator[str]:
    """A Service that is reachable from outside the cluster restricts its source ranges."""
    spec, kind = block(service, "spec"), text(service, "spec", "type")
    if kind == "NodePort" and not _has_groups(service):
        yield "it has a port on every node"
    if kind != "LoadBalancer" or _is_internal(service):
        return
    ranges = texts(spec, "loadBalancerSourceRanges")
    if not ranges:
        yield "loadBalancerSourceRanges is not set: open to the whole internet"
    for cidr in ranges:
        try:
            is_all = ipaddress.ip_network(cidr.strip(), strict=False).prefixlen == 0
        except ValueError:
            raise MalformedInputError(
                f"loadBalancerSourceRanges has {cidr!r}, not a CIDR range"
            ) from None
        if is_all:
            yield f"loadBalancerSourceRanges allows {cidr}"


def _is_internal(service: Props) -> bool:
    annotations = block(service, "metadata", "annotations")
    return any(text(annotations, key).lower() == "internal" for key in _INTERNAL)


def _has_groups(service: Props) -> bool:
    """Whether a container-native load balancer uses the Service, hence the NodePort type."""
    return bool(block(service, "metadata", "annotations").get("cloud.google.com/neg"))


@mandatory(
    SERVICES,
    layer="serving",
    severity="high",
    why="With externalIPs a Service can intercept the cluster's traffic to other hosts "
    "(CVE-2020-8554).",
    fix="remove spec.externalIPs; use a load balancer for an address",
    references=(
        _DOCS,
        google("Harden your cluster", "kubernetes-engine/docs/how-to/hardening-your-cluster"),
    ),
    passing=_service().props,
    failing=_service(externalIPs=["203.0.113.7"]).props,
)
def services_have_no_external_ips(service: Props) -> Iterator[str]:
    """A Service has no externalIPs."""
    if found := texts(service, "spec", "externalIPs"):
        yield f"externalIPs is {', '.join(found)}"


@advisory(
    SERVICES,
    layer="serving",
    severity="low",
    why="An ExternalName Service hides that requests leave the cluster; the owner of the external "
    "name receives them.",
    fix="use the external name directly",
    references=(_DOCS,),
    passing=_service().props,
    failing=_service(type="ExternalName", externalName="somewhere.example").props,
)
def services_lead_into_the_cluster(service: Props) -> Iterator[str]:
    """A Service is not an alias of an external name."""
    if text(service, "spec", "type") == "ExternalName":
        yield f"externalName is {text(service, 'spec', 'externalName')}"
