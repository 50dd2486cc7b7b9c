"""Rules about Services: that they lead to pods, and whom they let in."""

import ipaddress
from collections.abc import Iterator

from policies.objects import address
from policies.pods import deployment
from policies.rule import Stack, advisory, google, kubernetes_docs, mandatory
from policies.selection import PLACED, Pods
from policies.subjects import Resource, kubernetes
from policies.values import OddInputError, Props, block, entries, spelt, text, texts

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
    return Resource(PLACED.example, deployment(container=container), "resnet")


@mandatory(
    SERVICES,
    layer="serving",
    severity="high",
    why="A Service that selects no pods answers nobody, and looks healthy.",
    fix="give it the labels of the pods, in their namespace",
    references=(_DOCS,),
    passing=(_server(), _service()),
    failing=(_server(), _service("resnet50")),
)
def services_select_pods(service: Props, stack: Stack) -> Iterator[str]:
    """A Service with a selector selects declared pods."""
    spec, (namespace, _) = block(service, "spec"), address(service)
    selector = block(spec, "selector")
    if not selector or text(spec, "type") == "ExternalName":
        return
    if not stack.once(Pods).selected(selector, namespace):
        labels = ", ".join(f"{key}={value}" for key, value in selector.items())
        yield f"no declared pod of namespace {namespace} has the labels {labels}"


@mandatory(
    SERVICES,
    layer="serving",
    severity="high",
    why="Requests to a port that the pods do not open are refused, every one of them.",
    fix="name a port of the pods in targetPort",
    references=(_DOCS,),
    passing=(_server(), _service(ports=[{"port": 80, "targetPort": "rest"}])),
    failing=(_server(), _service(ports=[{"port": 80, "targetPort": "http"}])),
)
def services_lead_to_ports_of_their_pods(service: Props, stack: Stack) -> Iterator[str]:
    """A Service leads to a port that its pods declare."""
    spec, (namespace, _) = block(service, "spec"), address(service)
    selector = block(spec, "selector")
    if not selector or text(spec, "type") == "ExternalName":
        return
    for one in stack.once(Pods).selected(selector, namespace):
        ports = [p for c in one.pod.containers(ephemeral=False) for p in entries(c, "ports")]
        if not ports:
            continue  # ports of a pod are information; who states none is not judged by them
        names = {text(port, "name") for port in ports} - {""}
        numbers = {spelt(port.get("containerPort")) for port in ports}
        for port in entries(spec, "ports"):
            target = port.get("targetPort")
            wanted = port.get("port") if target is None else target
            if spelt(wanted) not in names | numbers and not _is_bare(target):
                yield f"targetPort {wanted} is no port of {one.resource.name or 'its pods'}"


def _is_bare(target: object) -> bool:
    return target is None  # then it is the Service's own port, which pods seldom declare


@advisory(
    SERVICES,
    layer="serving",
    severity="medium",
    why="A Service of type LoadBalancer is open to the whole internet unless it says otherwise, "
    "and a NodePort to whoever reaches a node.",
    fix="expose the model by the HTTP load balancer, or name its callers "
    "(gke-serving:models[].exposure.source_ranges)",
    references=(
        google("LoadBalancer Services", "kubernetes-engine/docs/concepts/service-load-balancer"),
    ),
    passing=(_service(type="LoadBalancer", loadBalancerSourceRanges=["203.0.113.0/24"]).props),
    failing=_service(type="LoadBalancer").props,
)
def services_name_their_callers(service: Props) -> Iterator[str]:
    """A Service that is reached from outside the cluster names who may call it."""
    spec, kind = block(service, "spec"), text(service, "spec", "type")
    if kind == "NodePort" and not _has_groups(service):
        yield "it has a port on every node"
    if kind != "LoadBalancer" or _is_internal(service):
        return
    ranges = texts(spec, "loadBalancerSourceRanges")
    if not ranges:
        yield "loadBalancerSourceRanges is not set: the whole internet may call it"
    for cidr in ranges:
        try:
            is_all = ipaddress.ip_network(cidr.strip(), strict=False).prefixlen == 0
        except ValueError:
            raise OddInputError(f"loadBalancerSourceRanges has {cidr!r}, no range") from None
        if is_all:
            yield f"loadBalancerSourceRanges admits {cidr}"


def _is_internal(service: Props) -> bool:
    annotations = block(service, "metadata", "annotations")
    return any(text(annotations, key).lower() == "internal" for key in _INTERNAL)


def _has_groups(service: Props) -> bool:
    """Whether a load balancer of Google's leads to it, for which its node port is there."""
    return bool(block(service, "metadata", "annotations").get("cloud.google.com/neg"))


@mandatory(
    SERVICES,
    layer="serving",
    severity="high",
    why="With an external IP a Service catches traffic of the cluster that is meant for somebody "
    "else (CVE-2020-8554).",
    fix="remove spec.externalIPs; an address comes from a load balancer",
    references=(
        _DOCS,
        google("Harden your cluster", "kubernetes-engine/docs/how-to/hardening-your-cluster"),
    ),
    passing=_service().props,
    failing=_service(externalIPs=["203.0.113.7"]).props,
)
def services_have_no_external_ips(service: Props) -> Iterator[str]:
    """A Service claims no addresses of its own choosing."""
    if found := texts(service, "spec", "externalIPs"):
        yield f"externalIPs is {', '.join(found)}"


@advisory(
    SERVICES,
    layer="serving",
    severity="low",
    why="A name inside the cluster that leads out of it goes past network policies that go by "
    "names, and whoever owns the other name receives the requests.",
    fix="call the other name itself",
    references=(_DOCS,),
    passing=_service().props,
    failing=_service(type="ExternalName", externalName="somewhere.example").props,
)
def services_lead_into_the_cluster(service: Props) -> Iterator[str]:
    """A Service is no alias of a name outside the cluster."""
    if text(service, "spec", "type") == "ExternalName":
        yield f"it leads to {text(service, 'spec', 'externalName')}"
