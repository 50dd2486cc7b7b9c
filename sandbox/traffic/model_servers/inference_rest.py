"""The open inference protocol (KServe's version 2) over REST, as Triton and MLServer speak it.

https://github.com/kserve/open-inference-protocol. Triton's extension for binary tensors is spoken
too, since its own client uses it by default. Repository calls answer; they change nothing.
"""

from __future__ import annotations

import re
import struct
from typing import Any

import msgspec

from sandbox.traffic.model_servers.messages import JSON, TEXT, Answer, Request, encode
from sandbox.traffic.model_servers.served import Served, score

_MODEL = re.compile(
    r"/v2/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?"
    r"(?:/(?P<verb>infer|generate|generate_stream|ready|config|stats|trace/setting))?"
)
_REPOSITORY = re.compile(r"/v2/repository/(index|models/(?P<model>[^/]+)/(load|unload))")
_EXTENSIONS = (
    "classification",
    "sequence",
    "model_repository",
    "model_repository(unload_dependents)",
    "schedule_policy",
    "model_configuration",
    "system_shared_memory",
    "cuda_shared_memory",
    "binary_tensor_data",
    "parameters",
    "statistics",
    "trace",
    "logging",
)
_HEADER_LENGTH = b"inference-header-content-length"


def answer(served: Served, request: Request) -> Answer:  # noqa: PLR0911  # one a case
    """The answer to a request."""
    path, is_get = request.path.rstrip("/") or "/", request.method in ("GET", "HEAD")
    if is_get and path == "/v2/health/live":
        return Answer(200, b"")
    if is_get and path == "/v2/health/ready":
        return Answer(200 if served.is_loaded else 400, b"")
    if is_get and path == "/v2":
        return Answer.of(
            {
                "name": "triton" if served.server.kind == "triton" else "mlserver",
                "version": served.version,
                "extensions": _EXTENSIONS if served.server.kind == "triton" else (),
            }
        )
    if match := _MODEL.fullmatch(path):
        return _of_model(served, request, match["model"], match["version"], match["verb"])
    if request.method == "POST" and path == "/invocations" and served.server.kind == "mlserver":
        return _infer(served, request, served.model, None)
    if request.method == "POST" and (match := _REPOSITORY.fullmatch(path)):
        if match["model"] is None:
            state = "READY" if served.is_loaded else "LOADING"
            version = served.server.model_version
            return Answer.of(
                [
                    {"name": name, "version": version, "state": state, "reason": ""}
                    for name in served.server.models or (served.model,)
                ]
            )
        return Answer(200, b"") if served.has(match["model"]) else _unknown(match["model"])
    if is_get and served.server.kind == "triton" and path in ("/v2/logging", "/v2/trace/setting"):
        return Answer.of({})
    if is_get and path.endswith("sharedmemory/status") and served.server.kind == "triton":
        return Answer.of([])
    return Answer(404, b"Not Found", TEXT)


def _of_model(  # noqa: PLR0911
    served: Served, request: Request, model: str, version: str | None, verb: str | None
) -> Answer:  # one a case
    is_known = served.has(model) and version in (None, served.server.model_version)
    if verb == "ready" and request.method in ("GET", "HEAD"):
        if not is_known:
            return Answer(400, b"") if served.server.kind == "triton" else _unknown(model, 404)
        return Answer(200 if served.is_loaded else 400, b"")
    if not is_known:
        return _unknown(model, 404 if served.server.kind == "mlserver" else 400)
    if verb in ("infer", "generate", "generate_stream"):
        if request.method != "POST":
            return Answer(405, b"Method Not Allowed", TEXT)
        return _infer(served, request, model, version)
    if request.method not in ("GET", "HEAD"):
        return Answer(405, b"Method Not Allowed", TEXT)
    if verb == "stats":
        return Answer.of({"model_stats": [{"name": model, "version": served.server.model_version}]})
    if verb == "config":
        return Answer.of({"name": model, "platform": "", "max_batch_size": 0})
    return Answer.of(
        {
            "name": model,
            "versions": [served.server.model_version],
            "platform": "",
            "inputs": [],
            "outputs": [],
        }
    )


def _infer(served: Served, request: Request, model: str, version: str | None) -> Answer:
    length = request.header(_HEADER_LENGTH)
    text, binary = request.body, b""
    if length is not None and length.isdigit():
        text, binary = request.body[: int(length)], request.body[int(length) :]
    try:
        body = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _error(400, "failed to parse the request JSON buffer: Invalid value. at 0")
    if not isinstance(body, dict):
        return _error(400, "failed to parse the request JSON buffer: it is not an object")
    if served.server.kind == "triton" and "text_input" in body:
        return _generated(served, request, body, model)
    inputs = body.get("inputs")
    if not isinstance(inputs, list):
        return _error(400, "Unable to find 'inputs' in the request")
    outputs, tail = _outputs(body, inputs, binary)
    result: dict[str, Any] = {
        "model_name": model,
        "model_version": version or served.server.model_version,
        **({"id": body["id"]} if body.get("id") else {}),
        "parameters": served.where(),
        "outputs": outputs,
    }
    encoded = encode(result)
    work = {"verb": "infer", "model": model, "error": _error}
    if tail:
        headers = ((b"Inference-Header-Content-Length", b"%d" % len(encoded)),)
        octets = b"application/octet-stream"
        return Answer(200, encoded + tail, octets, headers=headers, **work)  # type: ignore[arg-type]
    return Answer(200, encoded, JSON, **work)  # type: ignore[arg-type]


def _outputs(
    body: dict[str, Any], inputs: list[Any], binary: bytes
) -> tuple[list[dict[str, Any]], bytes]:
    """The output tensors, and those of them that are binary."""
    first: Any = inputs[0] if inputs and isinstance(inputs[0], dict) else {}
    shape = first.get("shape") or [1]
    rows = shape[0] if isinstance(shape[0], int) and 0 < shape[0] <= 4096 else 1
    seed = score([first.get("data"), binary.hex() if binary else ""])
    data = [score([seed, place]) for place in range(rows)]
    wanted = [one for one in body.get("outputs") or () if isinstance(one, dict)]
    everything = bool((body.get("parameters") or {}).get("binary_data_output"))
    found, tail = [], b""
    for one in wanted or [{"name": "output"}]:
        tensor = {"name": str(one.get("name")), "datatype": "FP32", "shape": [rows]}
        if (one.get("parameters") or {}).get("binary_data", everything):
            packed = struct.pack(f"<{rows}f", *data)
            tail += packed
            found.append({**tensor, "parameters": {"binary_data_size": len(packed)}})
        else:
            found.append({**tensor, "data": data})
    return found, tail


def _generated(served: Served, request: Request, body: dict[str, Any], model: str) -> Answer:
    """Triton's generate extension."""
    result = {
        "model_name": model,
        "model_version": served.server.model_version,
        "text_output": f"{served.pod}: {body['text_input']}",
    }
    if request.path.endswith("_stream"):
        event = b"data: " + encode(result) + b"\n\n"
        return Answer(200, b"", b"text/event-stream", chunks=(event,), verb="generate",
                      model=model, error=_error)  # fmt: skip
    return Answer(200, encode(result), JSON, verb="generate", model=model, error=_error)


def _unknown(model: str, status: int = 400) -> Answer:
    if status == 404:
        return _error(404, f"Model {model} not found")
    return _error(400, f"Request for unknown model: '{model}' is not found")


def _error(status: int, words: str) -> Answer:
    return Answer.of({"error": words}, status)
