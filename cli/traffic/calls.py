"""The request that a model's server understands: its protocol, path and a small body.

The protocol follows from the model's server, as its callers know it: TensorFlow Serving's REST API,
the open inference protocol, OpenAI's API, a path of a custom server, or gRPC.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cli.traffic import grpc_messages
from gkeplatform.routes import public_path
from infra.serving.exposures.path_route import PathRoute
from infra.serving.models import Workload

_CHAT, _COMPLETIONS, _EMBEDDINGS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
_V2_BODY = {
    "inputs": [{"name": "input", "shape": [1, 3], "datatype": "FP32", "data": [1.0, 2.0, 5.0]}]
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a protocol, for the front end of a model."""

    protocol: str
    """For people: `TensorFlow Serving REST`, `gRPC`."""
    method: str
    path: str
    """The path that a caller asks for; of gRPC `/package.Service/Method`."""
    body: bytes = b""
    is_grpc: bool = False

    @property
    def content_type(self) -> str | None:
        """The type of the body; None without one."""
        if self.is_grpc:
            return "application/grpc"
        return "application/json" if self.body else None


def default_call(model: Workload) -> Call:
    """The first of the protocol's requests that the model's exposure lets through."""
    if speaks_grpc(model):
        path = _grpc_path(model)
        body = grpc_messages.message(path, model.served_name)
        return Call("gRPC", "POST", path, body, is_grpc=True)
    for protocol, method, base, end, body in _candidates(model):
        public = _public(model, base)
        if public is not None:
            content = json.dumps(body).encode() if body is not None else b""
            return Call(protocol, method, public + end, content)
    # None of the server's usual paths is let through: ask for the first that is.
    return Call("HTTP", "GET", (*model.exposure.paths, "/")[0])


def speaks_grpc(model: Workload) -> bool:
    """Whether callers reach the model by gRPC."""
    return model.exposure.protocol == "grpc" or model.rest_port is None


def _candidates(model: Workload) -> Iterator[tuple[str, str, str, str, Any]]:
    """Protocol, method, path of the server, what follows it, and a body; the best first."""
    name = model.served_name
    if model.server == "tensorflow-serving":
        yield "TensorFlow Serving REST", "POST", model.path, ":predict", {"instances": [1.0, 2.0]}
    if model.server in {"triton", "kserve-v2"}:
        yield "open inference protocol", "POST", model.path, "/infer", _V2_BODY
    for root in model.served_paths:
        if root == _CHAT:
            messages = [{"role": "user", "content": "Say hello."}]
            chat = {"model": name, "messages": messages, "max_tokens": 32, "stream": True}
            yield "OpenAI chat", "POST", root, "", chat
        if root == _COMPLETIONS:
            asked = {"model": name, "prompt": "Say hello.", "max_tokens": 32}
            yield "OpenAI completions", "POST", root, "", asked
        if root == _EMBEDDINGS:
            yield "OpenAI embeddings", "POST", root, "", {"model": name, "input": "hello"}
    if model.server == "custom":
        for verb in model.verbs[:1]:
            yield "HTTP", "POST", model.path, f":{verb}", {"instances": [1.0, 2.0]}
        if not model.preset.path_is_status:
            yield "HTTP", "POST", model.path, "", {"inputs": [1.0, 2.0]}
        yield "HTTP", "GET", model.path, "", None


def _public(model: Workload, path: str) -> str | None:
    """The path at the model's front end that reaches a path of its server; None: none does."""
    exposure = model.exposure
    if isinstance(exposure, PathRoute):
        return public_path(path, (exposure.path,), {exposure.path: exposure.server_path})
    if not exposure.paths:
        return path
    rewrites: dict[str, str] = getattr(exposure, "rewrites", {})
    return public_path(path, exposure.paths, rewrites)


_METHODS = {
    "tensorflow.serving.PredictionService": "Predict",
    "inference.GRPCInferenceService": "ModelInfer",
    "grpc.health.v1.Health": "Check",
}
"""The method of a gRPC service that a prediction, or else a health check, is asked of."""


def _grpc_path(model: Workload) -> str:
    claimed = tuple(path.removeprefix("/") for path in model.exposure.paths)
    services = claimed or model.grpc_services or ("grpc.health.v1.Health",)
    for service in services:
        name, _, method = service.partition("/")
        if name in _METHODS:
            return f"/{name}/{method or _METHODS[name]}"
    return f"/{services[0]}"
