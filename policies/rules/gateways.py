"""Rules about Gateway API objects."""

from collections.abc import Iterator

from policies.objects import namespace_and_name
from policies.rule import Reference, Stack, advisory, google, mandatory
from policies.rules.ingresses import Services
from policies.rules.services import SERVICES
from policies.subjects import Resource, kubernetes
from policies.values import Props, block, entries, text

GATEWAYS = kubernetes("gateway.networking.k8s.io", "Gateway")
ROUTES = kubernetes(
    "gateway.networking.k8s.io", "HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute", "UDPRoute"
)
_SECURE = google("Secure a Gateway", "kubernetes-engine/docs/how-to/secure-gateway")
_ROUTE = Reference(
    "Gateway API", "HTTPRoute", "https://gateway-api.sigs.k8s.io/api-types/httproute/"
)
_MAP = "networking.gke.io/certmap"
_OPTIONS = ("networking.gke.io/cert-manager-certs", "networking.gke.io/pre-shared-certs")
"""TLS options of a listener that name certificates, on GKE."""
_ENCRYPTED = ("HTTPS", "TLS")


def _gateway(protocol: str = "HTTPS", **annotations: str) -> Resource:
    listener = {"name": "web", "port": 443, "protocol": protocol}
    return Resource(
        GATEWAYS.example,
        {
            "metadata": {"name": "web", "namespace": "models", "annotations": annotations},
            "spec": {"gatewayClassName": "gke-l7-global-external-managed", "listeners": [listener]},
        },
        "web",
    )


def _route(service: str, port: int = 80) -> Resource:
    rule = {"backendRefs": [{"name": service, "port": port}]}
    return Resource(
        ROUTES.example,
        {"metadata": {"name": "resnet", "namespace": "models"}, "spec": {"rules": [rule]}},
        "resnet",
    )


_SERVICE = Resource(
    SERVICES.example,
    {"metadata": {"name": "resnet", "namespace": "models"}, "spec": {"ports": [{"port": 80}]}},
    "resnet",
)


@advisory(
    GATEWAYS,
    layer="serving",
    severity="high",
    why="Without TLS anyone between the client and Google can read requests and responses.",
    fix="set a certificate map (gke-serving:gateway.certificate_map), or certificates "
    "(gke-serving:inference_gateway.certificates)",
    references=(_SECURE,),
    passing=_gateway(**{_MAP: "models"}).props,
    failing=_gateway("HTTP").props,
)
def gateways_terminate_tls(gateway: Props) -> Iterator[str]:
    """A Gateway has an HTTPS listener with certificates."""
    encrypted = [
        listener
        for listener in entries(gateway, "spec", "listeners")
        if text(listener, "protocol") in _ENCRYPTED
    ]
    if not encrypted:
        yield "spec.listeners has no HTTPS listener"
    has_map = bool(text(block(gateway, "metadata", "annotations"), _MAP))
    for listener in encrypted:
        if text(listener, "tls", "mode") == "Passthrough":
            continue  # the backend has the certificate
        options = block(listener, "tls", "options")
        named = any(text(options, option) for option in _OPTIONS)
        if not (has_map or named or entries(listener, "tls", "certificateRefs")):
            yield f'listener "{text(listener, "name")}" has no certificates'


def _backends(route: Props) -> Iterator[Props]:
    for rule in entries(route, "spec", "rules"):
        backends = entries(rule, "backendRefs")
        yield from backends
        filters = [*entries(rule, "filters"), *(f for b in backends for f in entries(b, "filters"))]
        for one in filters:
            if mirror := block(one, "requestMirror", "backendRef"):
                yield mirror


@mandatory(
    ROUTES,
    layer="serving",
    severity="high",
    why="A route to a Service that does not exist answers with errors.",
    fix="use a Service in the route's namespace",
    references=(_ROUTE,),
    passing=(_SERVICE, _route("resnet")),
    failing=(_SERVICE, _route("resnet50")),
)
def routes_lead_to_services(route: Props, stack: Stack) -> Iterator[str]:
    """Every backend of a route in the same namespace is a declared Service."""
    namespace, _ = namespace_and_name(route)
    for backend in _backends(route):
        if text(backend, "kind") not in {"", "Service"}:
            continue
        where = text(backend, "namespace") or namespace
        name = text(backend, "name")
        if name and where == namespace and not stack.cached(Services).has(namespace, name):
            yield f'no Service "{name}" is declared in namespace {namespace}'


@mandatory(
    ROUTES,
    layer="serving",
    severity="high",
    why="A backend port that the Service does not have answers with errors.",
    fix="use the number of one of the Service's ports",
    references=(_ROUTE,),
    passing=(_SERVICE, _route("resnet")),
    failing=(_SERVICE, _route("resnet", 81)),
)
def routes_lead_to_ports_of_services(route: Props, stack: Stack) -> Iterator[str]:
    """Every backend of a route is a port of its Service."""
    namespace, _ = namespace_and_name(route)
    for backend in _backends(route):
        if text(backend, "kind") not in {"", "Service"}:
            continue
        where, name = text(backend, "namespace") or namespace, text(backend, "name")
        if stack.cached(Services).lacks(where, name, backend.get("port")):
            yield f'Service "{name}" has no port {backend["port"]}'
