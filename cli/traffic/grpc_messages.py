"""Small gRPC requests of model servers, written field by field.

The servers' own message types would be a dependency of a thousand times their size. Sources:
https://github.com/tensorflow/serving/blob/master/tensorflow_serving/apis/predict.proto and
https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_grpc.md
"""

from __future__ import annotations

import struct

_VALUES = (1.0, 2.0, 5.0)
_FLOAT = 1
"""DT_FLOAT of TensorFlow."""


def message(path: str, model: str) -> bytes:
    """The request of a method `/package.Service/Method`; empty for one that is not known."""
    if path == "/tensorflow.serving.PredictionService/Predict":
        return predict(model)
    if path == "/inference.GRPCInferenceService/ModelInfer":
        return infer(model)
    return b""


def predict(model: str) -> bytes:
    """A PredictRequest with the input `inputs`: three numbers."""
    dimensions = b"".join(_field(2, _number(1, size)) for size in (1, len(_VALUES)))
    tensor = _number(1, _FLOAT) + _field(2, dimensions) + _field(5, _floats())
    entry = _field(1, b"inputs") + _field(2, tensor)
    return _field(1, _field(1, model.encode())) + _field(2, entry)


def infer(model: str) -> bytes:
    """A ModelInferRequest with the input `input`: three numbers."""
    shape = _field(3, bytes((1, len(_VALUES))))
    contents = _field(5, _field(6, _floats()))
    tensor = _field(1, b"input") + _field(2, b"FP32") + shape + contents
    return _field(1, model.encode()) + _field(5, tensor)


def _floats() -> bytes:
    return struct.pack(f"<{len(_VALUES)}f", *_VALUES)


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))
