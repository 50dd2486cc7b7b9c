"""Rules about inference pools, their endpoint pickers, and the routes that lead to them.

The kinds are those of the Gateway API Inference Extension v1.5.0; what GKE supports of them:
https://docs.cloud.google.com/kubernetes-engine/docs/concepts/about-gke-inference-gateway.
"""

from collections.abc import Iterator

from policies.objects import Objects, Workloads, namespace_and_name
from policies.pods import deployment
from policies.rule import Reference, Stack, google, mandatory
from policies.rules.gateways import GATEWAYS, ROUTES
from policies.rules.ingresses import Services
from policies.rules.services import SERVICES
from policies.subjects import Resource, kubernetes
from policies.values import Props, block, entries, text

_GROUPS = ("inference.networking.k8s.io", "inference.networking.x-k8s.io")
POOLS = kubernetes(_GROUPS[0], "InferencePool") | kubernetes(_GROUPS[1], "InferencePool")
OBJECTIVES = kubernetes(_GROUPS[1], "InferenceObjective", version="v1alpha2")
_REGIONAL = ("gke-l7-regional-external-managed", "gke-l7-rilb")
_POOL_DOCS = Reference(
    "Gateway API Inference Extension",
    "InferencePool",
    "https://gateway-api-inference-extension.sigs.k8s.io/api-types/inferencepool/",
)
_GKE = google(
    "GKE Inference Gateway", "kubernetes-engine/docs/concepts/about-gke-inference-gateway"
)


def _made(kind: str, name: str = "llama", **spec: object) -> Resource:
    props = {"metadata": {"name": name, "namespace": "models"}, "spec": spec}
    return Resource(kind, props, name)


def _pool(picker: str = "llama-epp", port: int = 9002, app: str = "llama") -> Resource:
    return _made(
        POOLS.example,
        selector={"matchLabels": {"app": app}},
        targetPorts=[{"number": 8000}],
        endpointPickerRef={"name": picker, "port": {"number": port}},
    )


def _route(pool: str = "llama", parent: str = "inference") -> Resource:
    backend = {"group": _GROUPS[0], "kind": "InferencePool", "name": pool}
    return _made(ROUTES.example, parentRefs=[{"name": parent}], rules=[{"backendRefs": [backend]}])


def _gateway(of_class: str) -> Resource:
    return _made(GATEWAYS.example, "inference", gatewayClassName=of_class, listeners=[])


_PICKER = _made(SERVICES.example, "llama-epp", ports=[{"port": 9002}])
_SERVER = Resource("kubernetes:apps/v1:Deployment", deployment(name="llama"), "llama")


def _pools(route: Props) -> Iterator[tuple[str, str]]:
    """Yield the namespace and name of each pool that a route leads to."""
    namespace, _ = namespace_and_name(route)
    for rule in entries(route, "spec", "rules"):
        for backend in entries(rule, "backendRefs"):
            if text(backend, "kind") == "InferencePool":
                yield text(backend, "namespace") or namespace, text(backend, "name")


@mandatory(
    ROUTES,
    layer="serving",
    severity="high",
    why="A route to a pool that does not exist answers with errors.",
    fix="use an InferencePool in the route's namespace",
    references=(_POOL_DOCS,),
    passing=(_pool(), _route()),
    failing=(_pool(), _route("llama3")),
)
def routes_lead_to_inference_pools(route: Props, stack: Stack) -> Iterator[str]:
    """Every InferencePool of a route in the same namespace is declared."""
    own, _ = namespace_and_name(route)
    for namespace, name in _pools(route):
        declared = stack.cached(Objects).has(namespace, "InferencePool", name)
        if name and namespace == own and not declared:
            yield f'no InferencePool "{name}" is declared in namespace {namespace}'


def _classes(stack: Stack) -> dict[tuple[str, str], str]:
    """The class of each declared Gateway."""
    return {
        namespace_and_name(one.props): text(one.props, "spec", "gatewayClassName")
        for one in stack.of(GATEWAYS)
    }


@mandatory(
    ROUTES,
    layer="serving",
    severity="high",
    why="GKE supports inference pools behind its regional Application Load Balancers only; on "
    "another class the route is not accepted.",
    fix="use a Gateway of class gke-l7-regional-external-managed or gke-l7-rilb "
    "(exposure.kind: inference-gateway does)",
    references=(_GKE,),
    passing=(_gateway(_REGIONAL[0]), _pool(), _route()),
    failing=(_gateway("gke-l7-global-external-managed"), _pool(), _route()),
)
def inference_pools_are_behind_regional_gateways(route: Props, stack: Stack) -> Iterator[str]:
    """A route to an InferencePool has Gateways of GKE's regional classes."""
    if not any(_pools(route)):
        return
    own, _ = namespace_and_name(route)
    for reference in entries(route, "spec", "parentRefs"):
        key = (text(reference, "namespace") or own, text(reference, "name"))
        found = stack.cached(_classes).get(key, "")
        if found.startswith("gke-") and found not in _REGIONAL:
            yield f'Gateway "{key[1]}" has the class {found}'


@mandatory(
    POOLS,
    layer="serving",
    severity="high",
    why="A pool that selects no pods answers every request with an error.",
    fix="set selector.matchLabels to the labels of the model server's pods, in their namespace",
    references=(_POOL_DOCS,),
    passing=(_SERVER, _PICKER, _pool()),
    failing=(_SERVER, _PICKER, _pool(app="llama3")),
)
def inference_pools_select_pods(pool: Props, stack: Stack) -> Iterator[str]:
    """An InferencePool selects pods of a declared workload."""
    namespace, _ = namespace_and_name(pool)
    selector = block(pool, "spec", "selector")
    if "matchLabels" not in selector:
        # The form before v1 had the labels in the selector itself.
        selector = {"matchLabels": selector}
    if stack.cached(Objects).may_own(selector, namespace):
        return
    if not stack.cached(Workloads).selected_by(selector, namespace):
        yield f"its selector matches no declared workload in namespace {namespace}"


@mandatory(
    POOLS,
    layer="serving",
    severity="high",
    why="The load balancer asks the endpoint picker before each request: without one, requests "
    "fail, or go to any pod (FailOpen).",
    fix="declare the picker's Service in the pool's namespace, with the port of the reference",
    references=(_POOL_DOCS,),
    passing=(_SERVER, _PICKER, _pool()),
    failing=(_SERVER, _PICKER, _pool(port=9003)),
)
def inference_pools_have_an_endpoint_picker(pool: Props, stack: Stack) -> Iterator[str]:
    """The endpoint picker of an InferencePool is a declared Service with that port."""
    namespace, _ = namespace_and_name(pool)
    spec = block(pool, "spec")
    reference = block(spec, "endpointPickerRef") or block(spec, "extensionRef")
    if not reference:
        yield "spec.endpointPickerRef is not set"
        return
    if text(reference, "kind") not in {"", "Service"}:
        return
    name, services = text(reference, "name"), stack.cached(Services)
    port = block(reference, "port").get("number", reference.get("portNumber"))
    if not services.has(namespace, name):
        yield f'no Service "{name}" is declared in namespace {namespace}'
    elif services.lacks(namespace, name, port):
        yield f'Service "{name}" has no port {port}'


@mandatory(
    OBJECTIVES,
    layer="serving",
    severity="medium",
    why="An objective of a pool that does not exist gives no request its priority, without an "
    "error.",
    fix="name an InferencePool of the objective's namespace in poolRef",
    references=(_POOL_DOCS,),
    passing=(_pool(), _made(OBJECTIVES.example, "chat", poolRef={"name": "llama"}, priority=1)),
    failing=(_pool(), _made(OBJECTIVES.example, "chat", poolRef={"name": "llama3"}, priority=1)),
)
def inference_objectives_refer_to_pools(objective: Props, stack: Stack) -> Iterator[str]:
    """The pool of an InferenceObjective is declared."""
    namespace, _ = namespace_and_name(objective)
    name = text(objective, "spec", "poolRef", "name")
    if not stack.cached(Objects).has(namespace, "InferencePool", name):
        yield f'no InferencePool "{name}" is declared in namespace {namespace}'
