"""Rules about Ingress objects."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from policies.objects import deferring_errors, is_same_object, namespace_and_name, raise_first
from policies.rule import Reference, Stack, advisory, cis, google, kubernetes_docs, mandatory
from policies.rules.services import SERVICES
from policies.subjects import Resource, kubernetes, resource_view
from policies.values import Props, block, comparable_text, entries, flag, text

INGRESSES = kubernetes("networking.k8s.io", "Ingress") | kubernetes("extensions", "Ingress")
_DOCS = kubernetes_docs("Ingress", "concepts/services-networking/ingress/")
_CLASS = "kubernetes.io/ingress.class"
_CERTIFICATES = (
    "networking.gke.io/managed-certificates",
    "ingress.gcp.kubernetes.io/pre-shared-cert",
)


def _ingress(
    service: str = "resnet",
    annotations: Props | None = None,
    name: str = "resnet",
    **spec: object,
) -> Resource:
    backend = {"service": {"name": service, "port": {"number": 80}}}
    path = {"path": "/model", "pathType": "Prefix", "backend": backend}
    return Resource(
        INGRESSES.example,
        {
            "metadata": {
                "name": name,
                "namespace": "models",
                "annotations": annotations or {},
            },
            "spec": {
                "ingressClassName": "nginx",
                "tls": [{"hosts": ["models.example"], "secretName": "models-tls"}],
                "rules": [{"host": "models.example", "http": {"paths": [path]}}],
                **spec,
            },
        },
        name,
    )


def _service(name: str = "resnet") -> Resource:
    props = {"metadata": {"name": name, "namespace": "models"}, "spec": {"ports": [{"port": 80}]}}
    return Resource(SERVICES.example, props, name)


@mandatory(
    INGRESSES,
    layer="serving",
    severity="medium",
    why="An Ingress without a class may be handled by several controllers or by none.",
    fix="set spec.ingressClassName (gke-serving:ingress.class_name)",
    references=(_DOCS,),
    passing=_ingress().props,
    failing=_ingress(ingressClassName=None).props,
)
def ingresses_name_their_class(ingress: Props) -> Iterator[str]:
    """An Ingress has an ingress class."""
    annotations = block(ingress, "metadata", "annotations")
    if not text(ingress, "spec", "ingressClassName") and not text(annotations, _CLASS):
        yield "spec.ingressClassName is not set"


@advisory(
    INGRESSES,
    layer="serving",
    severity="high",
    why="Without TLS anyone between the client and the cluster can read requests and responses.",
    fix="set a certificate in spec.tls (gke-serving:ingress.tls_secret), or a managed certificate "
    "in the annotations",
    references=(cis("5.6.8"), _DOCS),
    passing=_ingress().props,
    failing=_ingress(tls=None).props,
)
def ingresses_terminate_tls(ingress: Props) -> Iterator[str]:
    """An Ingress has a certificate for each of its hosts."""
    annotations = block(ingress, "metadata", "annotations")
    if any(text(annotations, key) for key in _CERTIFICATES):
        return
    certificates = entries(ingress, "spec", "tls")
    if not certificates:
        yield "spec.tls is not set"
        return
    covered = {host for one in certificates for host in one.get("hosts") or ()}
    for rule in entries(ingress, "spec", "rules"):
        host = text(rule, "host")
        wildcard = f"*.{host.partition('.')[2]}"
        if host and covered and host not in covered and wildcard not in covered:
            yield f"spec.tls does not cover {host}"


@mandatory(
    INGRESSES,
    layer="serving",
    severity="high",
    why="A snippet is controller configuration: its author can read all Secrets that the "
    "controller can read (CVE-2021-25742).",
    fix="use a specific annotation instead",
    references=(
        _DOCS,
        google("Ingress in GKE", "kubernetes-engine/docs/concepts/ingress"),
    ),
    passing=_ingress(annotations={"nginx.ingress.kubernetes.io/rewrite-target": "/$2"}).props,
    failing=_ingress(
        annotations={"nginx.ingress.kubernetes.io/configuration-snippet": "deny all;"}
    ).props,
)
def ingresses_carry_no_snippets(ingress: Props) -> Iterator[str]:
    """An Ingress has no configuration snippets."""
    for key in block(ingress, "metadata", "annotations"):
        if key.endswith("-snippet"):
            yield f"metadata.annotations has {key}"


class Services:
    """Index of the declared Services; errors are deferred as in `Workloads`."""

    def __init__(self, stack: Stack) -> None:
        self._found: dict[tuple[str, str], Props] = {}
        self._unreadable: list[Exception] = []
        for one in stack.of(SERVICES):
            with deferring_errors(self._unreadable):
                self._found.setdefault(namespace_and_name(one.props), one.props)

    def has(self, namespace: str, name: str) -> bool:
        """Whether the stack declares the Service."""
        if (namespace, name) in self._found:
            return True
        raise_first(self._unreadable)
        return False

    def lacks(self, namespace: str, name: str, port: Any) -> bool:
        """Whether the Service is declared, without the port (a number or a name)."""
        if not self.has(namespace, name):
            return False
        found = self._found[namespace, name]
        if port is None or text(found, "spec", "type") == "ExternalName":
            return False
        wanted = comparable_text(port)
        for one in entries(found, "spec", "ports"):
            for own in (one.get("port"), one.get("name")):
                if own is not None and comparable_text(own) == wanted:
                    return False
        return True


def _paths(ingress: Props) -> list[tuple[Props, Props]]:
    """Return each path of an Ingress with its rule."""
    return [
        (rule, path)
        for rule in entries(ingress, "spec", "rules")
        for path in entries(rule, "http", "paths")
    ]


def _backends(ingress: Props) -> tuple[list[Props], list[Props]]:
    """Return the default backend, in the fields of all API versions, and that of each path."""
    spec = block(ingress, "spec")
    defaults = [one for key in ("backend", "defaultBackend") if (one := block(spec, key))]
    return defaults, [block(path, "backend") for _, path in _paths(ingress)]


@mandatory(
    INGRESSES,
    layer="serving",
    severity="high",
    why="A path to a Service that does not exist answers 503. The API server refuses a backend "
    "without a Service.",
    fix="use a Service in the Ingress's namespace; since networking.k8s.io/v1 its name is in "
    "backend.service.name",
    references=(_DOCS,),
    passing=(_service(), _ingress()),
    failing=(_service(), _ingress("resnet50")),
)
def ingresses_lead_to_services(ingress: Props, stack: Stack) -> Iterator[str]:
    """Every backend of an Ingress is a declared Service."""
    namespace, _ = namespace_and_name(ingress)
    defaults, of_paths = _backends(ingress)
    for backend in (*defaults, *of_paths):
        # `serviceName` is the field of API versions before v1.
        name = text(backend, "service", "name") or text(backend, "serviceName")
        if name and not stack.cached(Services).has(namespace, name):
            yield f'no Service "{name}" is declared in namespace {namespace}'
    is_v1 = ingress.get("apiVersion") == "networking.k8s.io/v1"
    for backend in of_paths:
        if backend.get("service") is not None or backend.get("resource") is not None:
            continue
        if is_v1 or not text(backend, "serviceName"):
            yield "a path's backend has neither service nor resource"


CLASSES = kubernetes("networking.k8s.io", "IngressClass")
_RETIRED = ("k8s.io/ingress-nginx",)


def _class(controller: str) -> Props:
    return {"metadata": {"name": "web"}, "spec": {"controller": controller}}


@advisory(
    CLASSES,
    layer="serving",
    severity="medium",
    why="A retired controller gets no security patches.",
    fix="use the Gateway instead (gke-serving:models[].exposure.kind)",
    references=(
        Reference(
            "Kubernetes",
            "Ingress NGINX retirement",
            "https://kubernetes.io/blog/2025/11/11/ingress-nginx-retirement/",
        ),
    ),
    passing=_class("networking.gke.io/ingress"),
    failing=_class("k8s.io/ingress-nginx"),
)
def ingress_controllers_are_maintained(ingress_class: Props) -> Iterator[str]:
    """The controller of an ingress class is maintained."""
    controller = text(ingress_class, "spec", "controller")
    if controller in _RETIRED:
        yield f"spec.controller {controller} was retired in March 2026"


def _ports(ingress: Props) -> Iterator[tuple[str, Any]]:
    """Yield the Service's name of each backend, and its port's number or name."""
    defaults, of_paths = _backends(ingress)
    for backend in (*defaults, *of_paths):
        service = block(backend, "service")
        port = block(service, "port")
        if name := text(backend, "serviceName"):
            yield name, backend.get("servicePort")  # of API versions before v1
        if name := text(service, "name"):
            yield name, port.get("name") if port.get("name") is not None else port.get("number")


@mandatory(
    INGRESSES,
    layer="serving",
    severity="high",
    why="A backend port that the Service does not have answers with errors.",
    fix="use a port of the Service, by its number or name",
    references=(_DOCS,),
    passing=(_service(), _ingress()),
    failing=(
        _service(),
        _ingress(defaultBackend={"service": {"name": "resnet", "port": {"number": 81}}}),
    ),
)
def ingresses_lead_to_ports_of_services(ingress: Props, stack: Stack) -> Iterator[str]:
    """Every backend of an Ingress is a port of its Service."""
    namespace, _ = namespace_and_name(ingress)
    for name, port in dict.fromkeys(_ports(ingress)):
        if stack.cached(Services).lacks(namespace, name, port):
            yield f'Service "{name}" has no port {port}'


_OF_GKE = {"gce", "gce-internal"}


_Route = tuple[str, str, str, str]


def _routes(ingress: Props) -> Iterator[_Route]:
    """Yield the class, host, type and path of each path of an Ingress."""
    annotations = block(ingress, "metadata", "annotations")
    class_name = text(ingress, "spec", "ingressClassName") or text(annotations, _CLASS)
    if class_name in _OF_GKE:
        return  # each Ingress has an address and a load balancer of its own
    if flag(annotations, "nginx.ingress.kubernetes.io/canary"):
        return  # a canary is a second Ingress of the same path, on purpose
    if text(annotations, "nginx.org/mergeable-ingress-type"):
        return  # a master, or a part of one
    for rule, path in _paths(ingress):
        kind = text(path, "pathType") or "ImplementationSpecific"
        where = text(path, "path") or "/"
        if kind == "Prefix":
            where = where.rstrip("/") or "/"  # prefixes are compared by their elements
        yield class_name, text(rule, "host"), kind, where


class Routes:
    """Index of the declared routes; an Ingress that cannot be read has none here."""

    def __init__(self, stack: Stack) -> None:
        self.first: dict[_Route, Resource] = {}
        self._of: dict[int, list[_Route]] = {}
        for one in stack.of(INGRESSES):
            try:
                routes = self._of[id(one)] = list(_routes(one.props))
            except Exception:  # noqa: S112 (the rule reports it where it runs on the Ingress)
                continue
            for route in routes:
                self.first.setdefault(route, one)

    def of(self, ingress: Resource) -> list[_Route]:
        """Return the routes of an Ingress."""
        found = self._of.get(id(ingress))
        return list(_routes(ingress.props)) if found is None else found


@mandatory(
    INGRESSES.with_view(resource_view),
    layer="serving",
    severity="high",
    why="Two Ingresses of one host and path: which of them gets the requests depends on their age.",
    fix="keep one of them, or give them different paths",
    references=(_DOCS,),
    passing=(_ingress(),),
    failing=(_ingress(), _ingress(name="bert")),
)
def hosts_and_paths_are_routed_once(ingress: Resource, stack: Stack) -> Iterator[str]:
    """A host and path is in one Ingress of a class only."""
    declared = stack.cached(Routes)
    routes = declared.of(ingress)
    unique = dict.fromkeys(routes)
    counts = Counter(routes) if len(unique) < len(routes) else {}
    for route in unique:
        _, host, _, path = route
        if (count := counts.get(route, 1)) > 1:
            yield f"{host or 'every host'}{path} is in it {count} times"
        first = declared.first.get(route)
        if first is not None and not is_same_object(first, ingress):
            yield f"{host or 'every host'}{path} is also in Ingress {first.name}"


@advisory(
    INGRESSES,
    layer="serving",
    severity="medium",
    why="GKE's load balancer also answers HTTP by default: requests are sent in clear.",
    fix='set the annotation kubernetes.io/ingress.allow-http to "false", or redirect with a '
    "FrontendConfig",
    references=(
        google("Ingress in GKE", "kubernetes-engine/docs/concepts/ingress-xlb#disabling_http"),
    ),
    passing=_ingress(
        annotations={_CLASS: "gce", "kubernetes.io/ingress.allow-http": "false"},
        ingressClassName=None,
    ).props,
    failing=_ingress(annotations={_CLASS: "gce"}, ingressClassName=None).props,
)
def gke_ingresses_refuse_http(ingress: Props) -> Iterator[str]:
    """A GKE Ingress answers no HTTP, or redirects it."""
    annotations = block(ingress, "metadata", "annotations")
    class_name = text(ingress, "spec", "ingressClassName") or text(annotations, _CLASS)
    if class_name not in _OF_GKE:
        return
    if text(annotations, "networking.gke.io/v1beta1.FrontendConfig"):
        return
    if flag(annotations, "kubernetes.io/ingress.allow-http", default=True):
        yield "the annotation kubernetes.io/ingress.allow-http is not false"
