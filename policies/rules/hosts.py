"""Rules about the host names that Ingresses, routes and Gateways answer for."""

from collections.abc import Iterator

from policies.objects import namespace_and_name
from policies.rule import Reference, advisory, kubernetes_docs
from policies.rules.gateways import GATEWAYS
from policies.rules.ingresses import INGRESSES
from policies.subjects import Resource, kubernetes, resource_view
from policies.values import Props, block, entries, text, texts

_ROUTES = kubernetes("gateway.networking.k8s.io", "HTTPRoute", "GRPCRoute", "TLSRoute")
_HOSTS = kubernetes_docs("Ingress", "concepts/services-networking/ingress/#hostname-wildcards")
_CLASS = "kubernetes.io/ingress.class"
_OWN_BALANCER = ("", "gce", "gce-internal")
"""Classes of GKE's controller, which makes a load balancer for each Ingress; GKE's default."""


def _ingress(*hosts: str) -> Props:
    return {
        "metadata": {"name": "resnet", "namespace": "models"},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": one} for one in hosts]},
    }


def _route(*hosts: str) -> Props:
    return {
        "metadata": {"name": "resnet", "namespace": "models"},
        "spec": {
            "hostnames": list(hosts),
            "parentRefs": [{"name": "web", "namespace": "gateways"}],
        },
    }


def _gateway(hostname: str) -> Props:
    routes = {"namespaces": {"from": "All"}}
    return {
        "metadata": {"name": "web", "namespace": "gateways"},
        "spec": {"listeners": [{"name": "web", "hostname": hostname, "allowedRoutes": routes}]},
    }


@advisory(
    INGRESSES.with_view(resource_view),
    layer="serving",
    severity="medium",
    why="On a controller that serves several Ingresses, one with a wildcard or no host gets the "
    "requests to every host that no other Ingress names, of other namespaces too.",
    fix="set host to each name that the application answers for",
    references=(_HOSTS,),
    passing=_ingress("models.example"),
    failing=_ingress("*.example"),
)
def ingresses_name_their_hosts(subject: Resource) -> Iterator[str]:
    """The rules of an Ingress name whole hosts.

    A program's Ingress may have no host: the platform's controller serves that stack alone.
    """
    for rule in entries(subject.props, "spec", "rules"):
        host = text(rule, "host")
        if "*" in host:
            yield f"a rule is for {host}"
        elif not host and subject.origin != "program" and not _has_own_balancer(subject.props):
            yield "a rule has no host, so it is for every host"


def _has_own_balancer(ingress: Props) -> bool:
    annotations = block(ingress, "metadata", "annotations")
    named = text(annotations, _CLASS) or text(ingress, "spec", "ingressClassName")
    return named in _OWN_BALANCER


@advisory(
    _ROUTES,
    layer="serving",
    severity="medium",
    why="A route with a wildcard, or with no host on a Gateway of another namespace, gets the "
    "requests to every host that no other route names.",
    fix="set spec.hostnames to each name that the application answers for",
    references=(
        Reference(
            "Gateway API", "Hostnames", "https://gateway-api.sigs.k8s.io/api-types/httproute/"
        ),
    ),
    passing=_route("models.example"),
    failing=_route("*.example"),
)
def routes_name_their_hosts(route: Props) -> Iterator[str]:
    """A route names whole hosts, at least on a Gateway of another namespace."""
    hosts = texts(route, "spec", "hostnames")
    for host in hosts:
        if "*" in host:
            yield f"spec.hostnames has {host}"
    if hosts:
        return
    own, _ = namespace_and_name(route)
    for parent in entries(route, "spec", "parentRefs"):
        other = text(parent, "namespace")
        is_gateway = text(parent, "kind") in {"", "Gateway"}
        if is_gateway and other not in {"", own} and not text(parent, "sectionName"):
            yield f"it names no host on the Gateway {other}/{text(parent, 'name')}"


@advisory(
    GATEWAYS,
    layer="serving",
    severity="medium",
    why="Any namespace can attach a route for any host to such a listener, and so take the "
    "requests to a host of somebody else.",
    fix="set the listener's hostname, or allowedRoutes.namespaces.from to Same or Selector",
    references=(
        Reference(
            "Gateway API",
            "Security model",
            "https://gateway-api.sigs.k8s.io/concepts/security-model/",
        ),
    ),
    passing=_gateway("models.example"),
    failing=_gateway("*.example"),
)
def listeners_for_all_namespaces_name_their_host(gateway: Props) -> Iterator[str]:
    """A listener that takes routes of all namespaces is for one host."""
    for listener in entries(gateway, "spec", "listeners"):
        host = text(listener, "hostname")
        if text(listener, "allowedRoutes", "namespaces", "from") == "All" and (
            not host or "*" in host
        ):
            name = text(listener, "name")
            yield f"listener {name} takes routes of all namespaces for {host or 'every host'}"
