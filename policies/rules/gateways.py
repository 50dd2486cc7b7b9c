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


BACKEND_POLICIES = kubernetes("networking.gke.io", "GCPBackendPolicy")
_EXTERNAL = ("gke-l7-global-external-managed", "gke-l7-regional-external-managed", "gke-l7-gxlb")
"""The start of the names of GKE's classes whose Gateways the Internet reaches."""


def _from(gateway: str, service: str) -> Resource:
    props = {
        "metadata": {"name": service, "namespace": "models"},
        "spec": {
            "parentRefs": [{"name": gateway}],
            "rules": [{"backendRefs": [{"name": service, "port": 80}]}],
        },
    }
    return Resource(ROUTES.example, props, service)


def _guard(service: str, **default: object) -> Resource:
    props = {
        "metadata": {"name": service, "namespace": "models"},
        "spec": {"targetRef": {"kind": "Service", "name": service}, "default": default},
    }
    return Resource(BACKEND_POLICIES.example, props, service)


def _external(stack: Stack) -> frozenset[tuple[str, str]]:
    """Namespace and name of the declared Gateways that the Internet reaches."""
    return frozenset(
        namespace_and_name(one.props)
        for one in stack.of(GATEWAYS)
        if text(one.props, "spec", "gatewayClassName").startswith(_EXTERNAL)
    )


def _guarded(stack: Stack) -> frozenset[tuple[str, str]]:
    """Namespace and name of the Services to whose backends GKE gives a security policy."""
    return frozenset(
        (namespace_and_name(one.props)[0], text(one.props, "spec", "targetRef", "name"))
        for one in stack.of(BACKEND_POLICIES)
        if text(one.props, "spec", "targetRef", "kind") == "Service"
        and text(one.props, "spec", "default", "securityPolicy")
    )


def _services(route: Props) -> Iterator[tuple[str, str]]:
    """Namespace and name of each Service that a route leads or mirrors requests to."""
    own, _ = namespace_and_name(route)
    for rule in entries(route, "spec", "rules"):
        mirrors = (
            block(one, "requestMirror", "backendRef")
            for one in entries(rule, "filters")
            if text(one, "type") == "RequestMirror"
        )
        for backend in (*entries(rule, "backendRefs"), *mirrors):
            if text(backend, "kind") in {"", "Service"} and text(backend, "name"):
                yield text(backend, "namespace") or own, text(backend, "name")


@advisory(
    ROUTES,
    layer="serving",
    severity="high",
    why="Without a security policy, floods and known attacks reach the models. GKE makes the "
    "backend service, so that rules about those of the networking layer do not see it; it has the "
    "policy of the Service's GCPBackendPolicy.",
    fix="set gke-serving:gateway.armor",
    references=(
        google("Cloud Armor", "armor/docs/security-policy-overview"),
        google("GKE policies", "kubernetes-engine/docs/how-to/configure-gateway-resources"),
    ),
    passing=(_gateway(), _from("web", "resnet"), _guard("resnet", securityPolicy="models")),
    failing=(_gateway(), _from("web", "resnet"), _guard("resnet", timeoutSec=30)),
)
def gateway_services_are_behind_cloud_armor(route: Props, stack: Stack) -> Iterator[str]:
    """A Service behind an external Gateway has a Cloud Armor security policy."""
    own, _ = namespace_and_name(route)
    parents = {
        (text(one, "namespace") or own, text(one, "name"))
        for one in entries(route, "spec", "parentRefs")
    }
    if not parents & stack.cached(_external):
        return
    for service in dict.fromkeys(_services(route)):
        if service not in stack.cached(_guarded):
            yield f'no GCPBackendPolicy of Service "{service[1]}" sets securityPolicy'
