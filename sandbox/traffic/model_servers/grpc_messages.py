"""The messages of the gRPC services, built from their field numbers.

Only the fields that are read or written here; others are kept unknown, as protobuf does. Sources:
`health.proto` of grpc, `grpc_predict_v2.proto` of the open inference protocol, and TensorFlow
Serving's `predict.proto`, `get_model_status.proto`, `classification.proto`, `regression.proto`,
`get_model_metadata.proto` and TensorFlow's `tensor.proto`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "double": _Field.TYPE_DOUBLE,
    "float": _Field.TYPE_FLOAT,
    "int64": _Field.TYPE_INT64,
    "uint64": _Field.TYPE_UINT64,
    "int32": _Field.TYPE_INT32,
    "uint32": _Field.TYPE_UINT32,
    "bool": _Field.TYPE_BOOL,
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
}
_FILES: Mapping[str, Mapping[str, Mapping[str, tuple[int, str]]]] = {
    # package: message: field: (number, type); `*T` repeats, `{T}` is a map from strings.
    "grpc.health.v1": {
        "HealthCheckRequest": {"service": (1, "string")},
        "HealthCheckResponse": {"status": (1, "int32")},
    },
    "tensorflow": {
        "Dim": {"size": (1, "int64"), "name": (2, "string")},
        "TensorShapeProto": {"dim": (2, "*tensorflow.Dim"), "unknown_rank": (3, "bool")},
        "TensorProto": {
            "dtype": (1, "int32"),
            "tensor_shape": (2, "tensorflow.TensorShapeProto"),
            "tensor_content": (4, "bytes"),
            "float_val": (5, "*float"),
        },
    },
    "tensorflow.serving": {
        "ModelSpec": {
            "name": (1, "string"),
            "version": (2, "google.protobuf.Int64Value"),
            "signature_name": (3, "string"),
            "version_label": (4, "string"),
        },
        "PredictRequest": {
            "model_spec": (1, "tensorflow.serving.ModelSpec"),
            "inputs": (2, "{tensorflow.TensorProto}"),
            "output_filter": (3, "*string"),
        },
        "PredictResponse": {
            "outputs": (1, "{tensorflow.TensorProto}"),
            "model_spec": (2, "tensorflow.serving.ModelSpec"),
        },
        "ExampleList": {"examples": (1, "*bytes")},
        "Input": {"example_list": (1, "tensorflow.serving.ExampleList")},
        "ClassificationRequest": {
            "model_spec": (1, "tensorflow.serving.ModelSpec"),
            "input": (2, "tensorflow.serving.Input"),
        },
        "Class": {"label": (1, "string"), "score": (2, "float")},
        "Classifications": {"classes": (1, "*tensorflow.serving.Class")},
        "ClassificationResult": {"classifications": (1, "*tensorflow.serving.Classifications")},
        "ClassificationResponse": {
            "result": (1, "tensorflow.serving.ClassificationResult"),
            "model_spec": (2, "tensorflow.serving.ModelSpec"),
        },
        "Regression": {"value": (1, "float")},
        "RegressionResult": {"regressions": (1, "*tensorflow.serving.Regression")},
        "RegressionResponse": {
            "result": (1, "tensorflow.serving.RegressionResult"),
            "model_spec": (2, "tensorflow.serving.ModelSpec"),
        },
        "GetModelMetadataRequest": {
            "model_spec": (1, "tensorflow.serving.ModelSpec"),
            "metadata_field": (2, "*string"),
        },
        "GetModelMetadataResponse": {
            "model_spec": (1, "tensorflow.serving.ModelSpec"),
            "metadata": (2, "{google.protobuf.Any}"),
        },
        "GetModelStatusRequest": {"model_spec": (1, "tensorflow.serving.ModelSpec")},
        "StatusProto": {"error_code": (1, "int32"), "error_message": (2, "string")},
        "ModelVersionStatus": {
            "version": (1, "int64"),
            "state": (2, "int32"),
            "status": (3, "tensorflow.serving.StatusProto"),
        },
        "GetModelStatusResponse": {
            "model_version_status": (1, "*tensorflow.serving.ModelVersionStatus")
        },
    },
    "inference": {
        "ServerLiveRequest": {},
        "ServerLiveResponse": {"live": (1, "bool")},
        "ServerReadyRequest": {},
        "ServerReadyResponse": {"ready": (1, "bool")},
        "ModelReadyRequest": {"name": (1, "string"), "version": (2, "string")},
        "ModelReadyResponse": {"ready": (1, "bool")},
        "ServerMetadataRequest": {},
        "ServerMetadataResponse": {
            "name": (1, "string"),
            "version": (2, "string"),
            "extensions": (3, "*string"),
        },
        "TensorMetadata": {
            "name": (1, "string"),
            "datatype": (2, "string"),
            "shape": (3, "*int64"),
        },
        "ModelMetadataRequest": {"name": (1, "string"), "version": (2, "string")},
        "ModelMetadataResponse": {
            "name": (1, "string"),
            "versions": (2, "*string"),
            "platform": (3, "string"),
            "inputs": (4, "*inference.TensorMetadata"),
            "outputs": (5, "*inference.TensorMetadata"),
        },
        "InferParameter": {
            "bool_param": (1, "bool"),
            "int64_param": (2, "int64"),
            "string_param": (3, "string"),
        },
        "InferTensorContents": {
            "bool_contents": (1, "*bool"),
            "int_contents": (2, "*int32"),
            "int64_contents": (3, "*int64"),
            "uint_contents": (4, "*uint32"),
            "uint64_contents": (5, "*uint64"),
            "fp32_contents": (6, "*float"),
            "fp64_contents": (7, "*double"),
            "bytes_contents": (8, "*bytes"),
        },
        "InferInputTensor": {
            "name": (1, "string"),
            "datatype": (2, "string"),
            "shape": (3, "*int64"),
            "contents": (5, "inference.InferTensorContents"),
        },
        "InferRequestedOutputTensor": {"name": (1, "string")},
        "InferOutputTensor": {
            "name": (1, "string"),
            "datatype": (2, "string"),
            "shape": (3, "*int64"),
            "contents": (5, "inference.InferTensorContents"),
        },
        "ModelInferRequest": {
            "model_name": (1, "string"),
            "model_version": (2, "string"),
            "id": (3, "string"),
            "inputs": (5, "*inference.InferInputTensor"),
            "outputs": (6, "*inference.InferRequestedOutputTensor"),
            "raw_input_contents": (7, "*bytes"),
        },
        "ModelInferResponse": {
            "model_name": (1, "string"),
            "model_version": (2, "string"),
            "id": (3, "string"),
            "parameters": (4, "{inference.InferParameter}"),
            "outputs": (5, "*inference.InferOutputTensor"),
            "raw_output_contents": (6, "*bytes"),
        },
        "ModelStreamInferResponse": {
            "error_message": (1, "string"),
            "infer_response": (2, "inference.ModelInferResponse"),
        },
    },
}


def message(name: str) -> Any:
    """The class of a message, by its full name."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(name))


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    # A pool of its own: the names are those of packages that a caller may have imported.
    pool = descriptor_pool.DescriptorPool()
    imports = []
    for module in (wrappers_pb2, any_pb2):
        known = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(known)
        pool.Add(known)
        imports.append(known.name)
    for package, messages in _FILES.items():
        file = descriptor_pb2.FileDescriptorProto(
            name=f"{package}.proto", package=package, syntax="proto3", dependency=imports
        )
        for name, fields in messages.items():
            _define(file.message_type.add(name=name), f"{package}.{name}", fields)
        pool.Add(file)
        imports.append(file.name)
    return pool


def _define(
    described: descriptor_pb2.DescriptorProto, full: str, fields: Mapping[str, tuple[int, str]]
) -> None:
    if described.name == "InferParameter":
        described.oneof_decl.add(name="parameter_choice")
    for name, (number, kind) in fields.items():
        field = described.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
        if described.name == "InferParameter":
            field.oneof_index = 0
        if kind.startswith("{"):
            entry = described.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
            entry.options.map_entry = True
            _define(entry, "", {"key": (1, "string"), "value": (2, kind[1:-1])})
            field.type, field.type_name = _Field.TYPE_MESSAGE, f".{full}.{entry.name}"
            field.label = _Field.LABEL_REPEATED
            continue
        if kind.startswith("*"):
            field.label = _Field.LABEL_REPEATED
        single = kind.removeprefix("*")
        if single in _SCALARS:
            field.type = _SCALARS[single]
        else:
            field.type, field.type_name = _Field.TYPE_MESSAGE, f".{single}"
