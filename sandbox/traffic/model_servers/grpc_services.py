"""The gRPC services of the model servers: health, TensorFlow Serving's, the open protocol's.

Each method is a function from a request to a response, or raises RefusedError. Which services a
server has is what the real one has.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.traffic.model_servers.grpc_messages import message
from sandbox.traffic.model_servers.served import Served, score

INVALID_ARGUMENT, NOT_FOUND, UNAVAILABLE = 3, 5, 14
_SERVING, _NOT_SERVING = 1, 2
_AVAILABLE = 30
_DT_FLOAT = 1


class RefusedError(Exception):
    """A call that the server refuses: a gRPC status code and its words."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method of a service."""

    takes: str
    """Full name of the request's message."""
    answer: Callable[[Served, Any], Any]
    verb: str = ""
    """What the model does, as in HTTP's answers; empty: the server answers by itself."""
    is_stream: bool = False
    """Whether both sides stream; each request has one response."""
    is_watch: bool = False
    """Whether responses go on until the caller leaves."""


def methods(served: Served) -> Mapping[str, Method]:
    """The methods of a server by path, `/package.Service/Method`."""
    found: dict[str, Method] = {}
    kind = served.server.kind
    if kind in ("tensorflow-serving", "custom"):
        found |= _TENSORFLOW
    if kind in ("triton", "mlserver", "custom"):
        found |= _INFERENCE
    if served.server.has_grpc_health:
        found |= _HEALTH
    return found


def model_name(request: Any) -> str:
    """The name of the model that a request is for."""
    if hasattr(request, "model_spec"):
        return str(request.model_spec.name)
    return str(getattr(request, "model_name", "") or getattr(request, "name", ""))


def _check(served: Served, request: Any) -> Any:
    known = {"", "tensorflow.serving.PredictionService", "inference.GRPCInferenceService",
             "grpc.health.v1.Health"}  # fmt: skip
    if request.service not in known and served.server.kind != "custom":
        raise RefusedError(NOT_FOUND, "unknown service")
    response = message("grpc.health.v1.HealthCheckResponse")()
    response.status = _SERVING if served.is_loaded else _NOT_SERVING
    return response


# TensorFlow Serving


def _spec(served: Served, request: Any) -> Any:
    spec = request.model_spec
    if not spec.name and not request.HasField("model_spec"):
        raise RefusedError(INVALID_ARGUMENT, "Missing ModelSpec")
    asked = spec.version.value if spec.HasField("version") else None
    if not served.has(spec.name) or (asked and str(asked) != served.server.model_version):
        which = f"Specific({spec.name}, {asked})" if asked else f"Latest({spec.name})"
        raise RefusedError(NOT_FOUND, f"Servable not found for request: {which}")
    answered = message("tensorflow.serving.ModelSpec")(name=spec.name)
    answered.version.value = int(served.server.model_version)
    answered.signature_name = spec.signature_name or "serving_default"
    return answered


def _predict(served: Served, request: Any) -> Any:
    response = message("tensorflow.serving.PredictResponse")()
    response.model_spec.CopyFrom(_spec(served, request))
    rows = 1
    for tensor in request.inputs.values():
        if tensor.tensor_shape.dim and 0 < tensor.tensor_shape.dim[0].size <= 4096:
            rows = tensor.tensor_shape.dim[0].size
    tensors = {
        name: tensor.SerializeToString(deterministic=True).hex()
        for name, tensor in sorted(request.inputs.items())
    }
    for name in request.output_filter or ["outputs"]:
        output = response.outputs[name]
        output.dtype = _DT_FLOAT
        output.tensor_shape.dim.add(size=rows)
        output.float_val.extend(score([tensors, row]) for row in range(rows))
    return response


def _classify(served: Served, request: Any) -> Any:
    response = message("tensorflow.serving.ClassificationResponse")()
    response.model_spec.CopyFrom(_spec(served, request))
    for example in request.input.example_list.examples:
        classes = response.result.classifications.add().classes
        value = score(example.hex())
        classes.add(label="0", score=1 - value)
        classes.add(label="1", score=value)
    return response


def _regress(served: Served, request: Any) -> Any:
    response = message("tensorflow.serving.RegressionResponse")()
    response.model_spec.CopyFrom(_spec(served, request))
    for example in request.input.example_list.examples:
        response.result.regressions.add(value=score(example.hex()))
    return response


def _metadata(served: Served, request: Any) -> Any:
    if list(request.metadata_field) not in ([], ["signature_def"]):
        raise RefusedError(INVALID_ARGUMENT, "Metadata field is not supported")
    response = message("tensorflow.serving.GetModelMetadataResponse")()
    response.model_spec.CopyFrom(_spec(served, request))
    signature = response.metadata["signature_def"]
    signature.type_url = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    return response


def _status(served: Served, request: Any) -> Any:
    name = request.model_spec.name
    if not served.has(name):
        raise RefusedError(NOT_FOUND, f"Could not find any versions of model {name}")
    response = message("tensorflow.serving.GetModelStatusResponse")()
    response.model_version_status.add(
        version=int(served.server.model_version), state=_AVAILABLE, status={}
    )
    return response


# The open inference protocol


def _known(served: Served, model: str, version: str) -> None:
    if not served.has(model) or version not in ("", served.server.model_version):
        raise RefusedError(NOT_FOUND, f"Request for unknown model: '{model}' is not found")


def _live(_served: Served, _request: Any) -> Any:
    return message("inference.ServerLiveResponse")(live=True)


def _ready(served: Served, _request: Any) -> Any:
    return message("inference.ServerReadyResponse")(ready=served.is_loaded)


def _model_ready(served: Served, request: Any) -> Any:
    ready = served.is_loaded and served.has(request.name)
    return message("inference.ModelReadyResponse")(ready=ready)


def _server_metadata(served: Served, _request: Any) -> Any:
    name = "triton" if served.server.kind == "triton" else "mlserver"
    return message("inference.ServerMetadataResponse")(name=name, version=served.version)


def _model_metadata(served: Served, request: Any) -> Any:
    _known(served, request.name, request.version)
    versions = [served.server.model_version]
    return message("inference.ModelMetadataResponse")(name=request.name, versions=versions)


def _infer(served: Served, request: Any) -> Any:
    _known(served, request.model_name, request.model_version)
    if not request.inputs:
        raise RefusedError(INVALID_ARGUMENT, "expected at least one input")
    response = message("inference.ModelInferResponse")(
        model_name=request.model_name, model_version=served.server.model_version, id=request.id
    )
    for key, value in served.where().items():
        response.parameters[key].string_param = value
    shape = request.inputs[0].shape
    rows = shape[0] if shape and 0 < shape[0] <= 4096 else 1
    seed = score(
        [one.SerializeToString(deterministic=True).hex() for one in request.inputs]
        + [one.hex() for one in request.raw_input_contents]
    )
    data = [score([seed, row]) for row in range(rows)]
    for name in [one.name for one in request.outputs] or ["output"]:
        output = response.outputs.add(name=name, datatype="FP32", shape=[rows])
        # A server answers in the form in which it was asked.
        if request.raw_input_contents:
            response.raw_output_contents.append(struct.pack(f"<{rows}f", *data))
        else:
            output.contents.fp32_contents.extend(data)
    return response


def _stream_infer(served: Served, request: Any) -> Any:
    response = message("inference.ModelStreamInferResponse")()
    try:
        response.infer_response.CopyFrom(_infer(served, request))
    except RefusedError as refusal:
        response.error_message = str(refusal)
    return response


_HEALTH = {
    "/grpc.health.v1.Health/Check": Method(
        takes="grpc.health.v1.HealthCheckRequest", answer=_check
    ),
    "/grpc.health.v1.Health/Watch": Method(
        takes="grpc.health.v1.HealthCheckRequest", answer=_check, is_watch=True
    ),
}
_TENSORFLOW = {
    f"/tensorflow.serving.{path}": Method(
        takes=f"tensorflow.serving.{takes}", answer=answer, verb=verb
    )
    for path, takes, answer, verb in (
        ("PredictionService/Predict", "PredictRequest", _predict, "predict"),
        ("PredictionService/Classify", "ClassificationRequest", _classify, "classify"),
        ("PredictionService/Regress", "ClassificationRequest", _regress, "regress"),
        ("PredictionService/GetModelMetadata", "GetModelMetadataRequest", _metadata, ""),
        ("ModelService/GetModelStatus", "GetModelStatusRequest", _status, ""),
    )
}
_INFERENCE = {
    f"/inference.GRPCInferenceService/{name}": Method(
        takes=f"inference.{takes}", answer=answer, verb=verb, is_stream=name == "ModelStreamInfer"
    )
    for name, takes, answer, verb in (
        ("ServerLive", "ServerLiveRequest", _live, ""),
        ("ServerReady", "ServerReadyRequest", _ready, ""),
        ("ModelReady", "ModelReadyRequest", _model_ready, ""),
        ("ServerMetadata", "ServerMetadataRequest", _server_metadata, ""),
        ("ModelMetadata", "ModelMetadataRequest", _model_metadata, ""),
        ("ModelInfer", "ModelInferRequest", _infer, "infer"),
        ("ModelStreamInfer", "ModelInferRequest", _stream_infer, "infer"),
    )
}
