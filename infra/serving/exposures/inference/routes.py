"""The HTTPRoute of a model on the Inference Gateway."""

from infra.serving.exposures.base import Server
from infra.serving.exposures.gateway_manifests import HTTP, HTTPS
from infra.serving.exposures.inference.gateway_manifests import parent
from infra.serving.exposures.inference.pool import target
from infra.serving.exposures.inference.settings import InferenceGatewayArgs
from infra.serving.exposures.inference_gateway import InferenceGateway
from infra.serving.manifest import Manifest

MODEL_HEADER = "X-Gateway-Model-Name"
"""Header that the body-based router sets to the `model` of the request's body."""


def route(
    server: Server,
    exposure: InferenceGateway,
    args: InferenceGatewayArgs,
    *,
    namespace: str,
    shares_host: bool,
) -> Manifest:
    """The spec of the HTTPRoute, which leads to the model's pool and its canary's.

    `namespace` is the Gateway's. A model that shares a host gets the requests that name it.
    """
    match: Manifest = {"path": {"type": "PathPrefix", "value": "/"}}
    if shares_host:
        named = {"type": "Exact", "name": MODEL_HEADER, "value": server.served_name}
        match["headers"] = [named]
    return {
        "parentRefs": [parent(namespace, HTTPS if args.is_encrypted else HTTP)],
        "hostnames": list(exposure.hosts),
        "rules": [{"matches": [match], "backendRefs": _pools(server)}],
    }


def _pools(server: Server) -> list[Manifest]:
    """The pools of the route; with a canary, by weight."""
    if server.canary is None:
        return [target(server)]
    return [{**target(one), "weight": one.weight} for one in (server, server.canary)]
