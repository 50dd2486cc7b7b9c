"""Which protocol answers a request: by the server's kind and the port's role."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sandbox.traffic.model_servers import (
    custom_rest,
    inference_rest,
    metrics,
    openai_rest,
    tensorflow_rest,
)
from sandbox.traffic.model_servers.load import Load
from sandbox.traffic.model_servers.messages import TEXT, Answer, Request
from sandbox.traffic.model_servers.model_server import Role
from sandbox.traffic.model_servers.served import Served

_PROTOCOLS: Mapping[str, Callable[[Served, Request], Answer]] = {
    "tensorflow-serving": tensorflow_rest.answer,
    "triton": inference_rest.answer,
    "mlserver": inference_rest.answer,
    "vllm": openai_rest.answer,
    "text-generation-inference": openai_rest.answer,
    "torchserve": custom_rest.torchserve,
    "custom": custom_rest.answer,
}
_LOADING = b'{"error": "the model is being loaded"}'
_FAILING = b'{"error": "the rehearsed failing path"}'
_SAY_THEMSELVES = frozenset({"mlserver", "torchserve"})


def answer(served: Served, load: Load, gauges: str | None, request: Request, role: Role) -> Answer:
    """The answer of a server to a request on one of its ports."""
    server = served.server
    if request.path in load.settings.failing_paths:
        return Answer(503, _FAILING)
    if request.method == "GET" and request.path == server.metrics_path:
        # Triton, MLServer and TorchServe have a port of their own for them.
        own_port = "metrics" in server.ports.values()
        if role == "metrics" or not own_port or role == "any":
            return Answer(200, metrics.text(served, load, gauges), metrics.CONTENT_TYPE)
    if role == "metrics":
        return Answer(404, b"Not Found", TEXT)
    if not served.is_loaded and request.path not in server.alive_paths:
        is_health = server.kind in _SAY_THEMSELVES and _PROTOCOLS[server.kind](served, request)
        if is_health and not is_health.verb and is_health.status >= 400:
            return is_health
        return Answer(503, _LOADING)
    return _PROTOCOLS[server.kind](served, request)
