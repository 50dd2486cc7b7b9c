"""The HTTPRoute of a model on the Inference Gateway."""

from collections.abc import Callable

from infra.serving.exposures.base import Server
from infra.serving.exposures.gateway_manifests import HTTP, HTTPS
from infra.serving.exposures.inference.gateway_manifests import parent
from infra.serving.exposures.inference.pool import target
from infra.serving.exposures.inference.settings import InferenceGatewayArgs
from infra.serving.exposures.inference_gateway import InferenceGateway
from infra.serving.manifest import Manifest

MODEL_HEADER = "X-Gateway-Model-Name"
"""Header that the body-based router sets to the `model` of the request's body."""
MATCHES_OF_RULE, MATCHES_OF_ROUTE = 64, 128
"""The most matches that HTTPRoute takes: https://gateway-api.sigs.k8s.io/reference/spec/."""


def route(
    server: Server,
    exposure: InferenceGateway,
    args: InferenceGatewayArgs,
    *,
    namespace: str,
    shares_host: bool,
    is_guarded: bool = False,
) -> Manifest:
    """The spec of the HTTPRoute, which leads to the model's pool and its canary's.

    `namespace` is the Gateway's. A guarded model is reached by its Service, which has the gateway
    that asks for keys. A model that shares a host gets the requests that name it, or one of its
    adapters.
    """
    everything: Manifest = {"path": {"type": "PathPrefix", "value": "/"}}
    matches = [everything]
    if shares_host:
        matches = [
            {**everything, "headers": [{"type": "Exact", "name": MODEL_HEADER, "value": name}]}
            for name in server.served_names
        ]
    backends = _backends(server, _gateway_service if is_guarded else target)
    return {
        "parentRefs": [parent(namespace, HTTPS if args.is_encrypted else HTTP)],
        "hostnames": list(exposure.hosts),
        "rules": [{"matches": some, "backendRefs": backends} for some in _parts(matches)],
    }


def _parts(matches: list[Manifest]) -> list[list[Manifest]]:
    """The matches of each rule."""
    starts = range(0, len(matches), MATCHES_OF_RULE)
    return [matches[start : start + MATCHES_OF_RULE] for start in starts]


def _backends(server: Server, backend: Callable[[Server], Manifest]) -> list[Manifest]:
    """The pools of the route, or Services; with a canary, by weight."""
    if server.canary is None:
        return [backend(server)]
    return [{**backend(one), "weight": one.weight} for one in (server, server.canary)]


def _gateway_service(server: Server) -> Manifest:
    return {"name": server.name, "port": server.rest_port}
