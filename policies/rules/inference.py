"""Rules about inference pools, their endpoint pickers, and the routes that lead to them.

The kinds are those of the Gateway API Inference Extension v1.5.0; what GKE supports of them:
https://docs.cloud.google.com/kubernetes-engine/docs/concepts/about-gke-inference-gateway.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from policies.objects import Objects, Workloads, namespace_and_name
from policies.pods import deployment
from policies.rule import Reference, Stack, advisory, google, mandatory
from policies.rules.gateways import GATEWAYS, ROUTES
from policies.rules.ingresses import Services
from policies.rules.services import SERVICES
from policies.subjects import Resource, kubernetes
from policies.values import Props, block, entries, flag, text

_GROUPS = ("inference.networking.k8s.io", "inference.networking.x-k8s.io")
POOLS = kubernetes(_GROUPS[0], "InferencePool") | kubernetes(_GROUPS[1], "InferencePool")
OBJECTIVES = kubernetes(_GROUPS[1], "InferenceObjective", version="v1alpha2")
BACKEND_POLICIES = kubernetes("networking.gke.io", "GCPBackendPolicy")
_EXTERNAL = "gke-l7-regional-external-managed"
_REGIONAL = (_EXTERNAL, "gke-l7-rilb")
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


def _guard(pool: str = "llama", **default: object) -> Resource:
    target = {"group": _GROUPS[0], "kind": "InferencePool", "name": pool}
    return _made(BACKEND_POLICIES.example, pool, targetRef=target, default=default)


def _guards(stack: Stack) -> dict[tuple[str, str], Props]:
    """What the GCPBackendPolicy of each InferencePool sets."""
    return {
        (namespace_and_name(one.props)[0], text(one.props, "spec", "targetRef", "name")): block(
            one.props, "spec", "default"
        )
        for one in stack.of(BACKEND_POLICIES)
        if text(one.props, "spec", "targetRef", "kind") == "InferencePool"
    }


def _called_from_outside(stack: Stack) -> set[tuple[str, str]]:
    """The pools to which a route of an external Gateway leads."""
    classes = stack.cached(_classes)
    found: set[tuple[str, str]] = set()
    for route in stack.of(ROUTES):
        own, _ = namespace_and_name(route.props)
        parents = (
            (text(one, "namespace") or own, text(one, "name"))
            for one in entries(route.props, "spec", "parentRefs")
        )
        if any(classes.get(parent) == _EXTERNAL for parent in parents):
            found.update(_pools(route.props))
    return found


@advisory(
    POOLS,
    layer="serving",
    severity="high",
    why="Without a security policy, floods and known attacks reach the models, whose every request "
    "takes seconds of a GPU. GKE gives a pool's backend service the policy of its "
    "GCPBackendPolicy; a global one does not apply.",
    fix="set gke-serving:inference_gateway.armor",
    references=(google("Cloud Armor", "armor/docs/security-policy-overview"), _GKE),
    passing=(_gateway(_EXTERNAL), _pool(), _route(), _guard(securityPolicy="llm")),
    failing=(_gateway(_EXTERNAL), _pool(), _route(), _guard(timeoutSec=300)),
)
def inference_pools_are_behind_cloud_armor(pool: Props, stack: Stack) -> Iterator[str]:
    """An InferencePool behind an external Gateway has a Cloud Armor security policy."""
    key = namespace_and_name(pool)
    guard = stack.cached(_guards).get(key, {})
    if key in stack.cached(_called_from_outside) and not text(guard, "securityPolicy"):
        yield "no GCPBackendPolicy of it sets securityPolicy"


class ProxiedPools(Settings):
    """Pools that require Identity-Aware Proxy."""

    pools: Annotated[
        tuple[str, ...],
        Meta(description="Names of InferencePools that require IAP; `*` matches any text."),
    ] = ()


@mandatory(
    POOLS,
    layer="serving",
    severity="high",
    why="With IAP configured but off, anyone who reaches the Gateway can call the model.",
    fix="set the model's exposure.require_iap, or remove the pool from the rule's parameter",
    references=(google("Identity-Aware Proxy", "iap/docs/concepts-overview"), _GKE),
    passing=(_pool(), _guard(iap={"enabled": True, "clientID": "id"})),
    failing=(_pool(), _guard(iap={"enabled": False, "clientID": "id"})),
)
def inference_pools_have_iap_where_asked(
    pool: Props, stack: Stack, given: ProxiedPools
) -> Iterator[str]:
    """Identity-Aware Proxy is on for InferencePools that require it."""
    key = namespace_and_name(pool)
    proxy = block(stack.cached(_guards).get(key, {}), "iap")
    is_required = text(proxy, "clientID") or any(fnmatchcase(key[1], one) for one in given.pools)
    if is_required and not flag(proxy, "enabled"):
        yield "no GCPBackendPolicy of it enables iap"
