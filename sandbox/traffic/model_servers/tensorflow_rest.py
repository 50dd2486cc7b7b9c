"""TensorFlow Serving's REST API: https://www.tensorflow.org/tfx/serving/api_rest.

Errors have its words (`http_rest_api_handler.cc`, `json_tensor.cc`). A prediction is a number from
the instance alone. Any signature's name is taken: which ones a model has is not known here.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from sandbox.traffic.model_servers.messages import JSON, TEXT, Answer, Request, encode
from sandbox.traffic.model_servers.served import Served, score

_PREDICTION = re.compile(
    r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([\w-]+))?:(classify|regress|predict)",
    re.IGNORECASE,
)
_STATUS = re.compile(
    r"/v1/models(?:/([^/:]+))?(?:/versions/(\d+)|/labels/([\w-]+))?(/metadata)?", re.IGNORECASE
)
_FAMILY = re.compile("/v1/", re.IGNORECASE)


def answer(served: Served, request: Request) -> Answer:  # noqa: PLR0911  # one a case
    """The answer to a request."""
    path = request.path
    if request.method == "POST" and (match := _PREDICTION.fullmatch(path)):
        model, version, label, verb = match.groups()
        if refusal := _unserved(served, model, version, label):
            return refusal
        return _worked(request, model, verb.lower())
    if request.method in ("GET", "HEAD") and (match := _STATUS.fullmatch(path)):
        model, version, label, metadata = match.groups()
        if not model:
            return _error(400, "Missing model name in request.")
        if metadata:
            return _unserved(served, model, version, label) or _metadata(served, model)
        if not served.has(model) or (version and version != served.server.model_version):
            which = f"Could not find version {version} of model {model}"
            return _error(
                404, which if version else f"Could not find any versions of model {model}"
            )
        return _status(served)
    if _FAMILY.match(path):
        return _error(400, f"Malformed request: {request.method} {path}")
    return Answer(404, b"Not Found", TEXT)


def _unserved(served: Served, model: str, version: str | None, label: str | None) -> Answer | None:
    """The refusal of a model or version that is not served."""
    if label:
        return _error(400, f"Unrecognized servable version label: {label}")
    if not served.has(model) or (version and version != served.server.model_version):
        asked = f"Specific({model}, {version})" if version else f"Latest({model})"
        return _error(404, f"Servable not found for request: {asked}")
    return None


def _worked(request: Request, model: str, verb: str) -> Answer:
    try:
        body = request.json()
    except (msgspec.DecodeError, UnicodeDecodeError):
        words = "Invalid value. at offset: 0" if request.body else "The document is empty"
        return _error(400, f"JSON Parse error: {words}")
    if not isinstance(body, dict):
        return _error(400, f"JSON Value: {_short(body)} Is not object")
    if not isinstance(body.get("signature_name", ""), str):
        return _error(400, f"JSON Value: {_short(body)} 'signature_name' key must be a string")
    result = _predicted(body) if verb == "predict" else _judged(body, verb)
    if isinstance(result, Answer):
        return result
    return Answer(200, encode(result), JSON, verb=verb, model=model, error=_error)


def _predicted(body: dict[str, Any]) -> Any:  # noqa: PLR0911  # one a case
    if "instances" in body:
        if "inputs" in body:
            words = "Not formatted correctly expecting only one of 'inputs' or 'instances' keys"
            return _error(400, f"JSON Value: {_short(body)} {words} to exist ")
        instances = body["instances"]
        if not isinstance(instances, list):
            return _error(
                400, f"JSON Value: {_short(body)} Excepting 'instances' to be an list/array"
            )
        if not instances:
            return _error(400, f"JSON Value: {_short(body)} No values in 'instances' array")
        if mixed := _mixed(instances):
            return _error(400, mixed)
        return {"predictions": [score(one) for one in instances]}
    if "inputs" in body:
        inputs = body["inputs"]
        if isinstance(inputs, dict) and inputs and "b64" not in inputs:
            inputs = next(iter(inputs.values()))
        rows = inputs if isinstance(inputs, list) else [inputs]
        return {"outputs": [score(one) for one in rows]}
    return _error(400, "Missing 'inputs' or 'instances' key")


def _mixed(instances: list[Any]) -> str | None:
    """What is wrong with instances of which some are objects, and some are not."""
    first = _is_object(instances[0])
    for place, one in enumerate(instances):
        if _is_object(one) != first:
            return (
                f"Expecting object but got list at item {place} of input list"
                if first
                else f"Expecting value/list but got object at item {place} of input list"
            )
    return None


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and set(value) != {"b64"}


def _judged(body: dict[str, Any], verb: str) -> Any:
    examples = body.get("examples")
    if not isinstance(examples, list) or not examples:
        return _error(400, f"JSON Value: {_short(body)} When method is {verb}, key 'examples' is "
                      "expected and was not found")  # fmt: skip
    if verb == "regress":
        return {"results": [score(one) for one in examples]}
    return {
        "results": [[["0", round(1 - value, 4)], ["1", value]] for value in map(score, examples)]
    }


def _status(served: Served) -> Answer:
    """The status of the version that is served."""
    state = {
        "version": served.server.model_version,
        "state": "AVAILABLE" if served.is_loaded else "LOADING",
        "status": {"error_code": "OK", "error_message": ""},
    }
    return Answer.of({"model_version_status": [state]})


def _metadata(served: Served, model: str) -> Answer:
    spec = {"name": model, "signature_name": "", "version": served.server.model_version}
    tensor = {
        "dtype": "DT_FLOAT",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
    }
    signature = {
        "inputs": {"inputs": {**tensor, "name": "serving_default_inputs:0"}},
        "outputs": {"outputs": {**tensor, "name": "StatefulPartitionedCall:0"}},
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }
    defined = {"signature_def": {"signature_def": {"serving_default": signature}}}
    return Answer.of({"model_spec": spec, "metadata": defined})


def _short(value: Any) -> str:
    return encode(value).decode()[:256]


def _error(status: int, words: str) -> Answer:
    return Answer.of({"error": words}, status)
