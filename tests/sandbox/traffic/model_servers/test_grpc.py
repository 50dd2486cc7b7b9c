"""The servers' gRPC services, called as their own clients call them."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import pytest

from sandbox.traffic.model_servers.grpc_messages import message
from tests.sandbox.traffic.model_servers.cluster import (
    CUSTOM,
    MLSERVER,
    TENSORFLOW,
    TRITON,
    Caller,
    Servers,
    deleted,
    pod,
    until,
    with_servers,
)

Json = dict[str, Any]
Channel = grpc.aio.Channel
HEALTH = "/grpc.health.v1.Health/Check"
SERVING = "/tensorflow.serving.PredictionService"
INFERENCE = "/inference.GRPCInferenceService"


def calling(
    container: Json, port: int, test: Callable[[Channel, Servers], Awaitable[None]], **given: Any
) -> None:
    async def run(servers: Servers) -> None:
        servers.show(pod(container, **given))
        async with grpc.aio.insecure_channel(f"127.0.0.1:{servers.port(port)}") as channel:
            await test(channel, servers)

    with_servers(run)


async def call(channel: Channel, path: str, request: Any, answer: str) -> Any:
    method = channel.unary_unary(
        path,
        request_serializer=lambda one: one.SerializeToString(),
        response_deserializer=message(answer).FromString,
    )
    return await method(request, timeout=60)


def raw(channel: Channel, path: str) -> Any:
    """A method that takes and gives bytes."""
    return channel.unary_unary(path, None, None)


def predict_request(**spec: Any) -> Any:
    request = message("tensorflow.serving.PredictRequest")(model_spec=spec)
    tensor = request.inputs["x"]
    tensor.dtype = 1
    tensor.tensor_shape.dim.add(size=2)
    tensor.float_val.extend([1.0, 2.0])
    return request


def infer_request(**fields: Any) -> Any:
    request = message("inference.ModelInferRequest")(**fields)
    request.inputs.add(name="x", datatype="FP32", shape=[2])
    return request


def test_predict() -> None:
    async def test(channel: Channel, _servers: Servers) -> None:
        answer = "tensorflow.serving.PredictResponse"
        response = await call(channel, f"{SERVING}/Predict", predict_request(name="resnet"), answer)
        assert response.model_spec.version.value == 1
        assert len(response.outputs["outputs"].float_val) == 2
        with pytest.raises(grpc.aio.AioRpcError, match="Servable not found") as error:
            await call(channel, f"{SERVING}/Predict", predict_request(name="x"), answer)
        assert error.value.code() == grpc.StatusCode.NOT_FOUND

    calling(TENSORFLOW, 8500, test)


def test_who_answered() -> None:
    async def test(channel: Channel, _servers: Servers) -> None:
        method = raw(channel, f"{SERVING}/Predict")
        done = method(predict_request(name="resnet").SerializeToString())
        metadata = dict(await done.initial_metadata())
        assert metadata["x-served-by-pod"] == "pod-1"
        assert metadata["x-served-by-path"] == f"{SERVING}/Predict"
        await done

    calling(TENSORFLOW, 8500, test)


def test_model_status_and_metadata() -> None:
    async def test(channel: Channel, _servers: Servers) -> None:
        spec = {"name": "resnet"}
        request = message("tensorflow.serving.GetModelStatusRequest")(model_spec=spec)
        status = await call(
            channel,
            "/tensorflow.serving.ModelService/GetModelStatus",
            request,
            "tensorflow.serving.GetModelStatusResponse",
        )
        assert [(one.version, one.state) for one in status.model_version_status] == [(1, 30)]
        asked = message("tensorflow.serving.GetModelMetadataRequest")(model_spec=spec)
        asked.metadata_field.append("signature_def")
        answer = "tensorflow.serving.GetModelMetadataResponse"
        metadata = await call(channel, f"{SERVING}/GetModelMetadata", asked, answer)
        assert "signature_def" in metadata.metadata

    calling(TENSORFLOW, 8500, test)


@pytest.mark.parametrize(("container", "port"), [(TRITON, 8001), (MLSERVER, 8081)])
def test_the_open_inference_protocol(container: Json, port: int) -> None:
    async def test(channel: Channel, _servers: Servers) -> None:
        name = container["name"]
        asked = message("inference.ModelReadyRequest")(name=name)
        ready = await call(
            channel, f"{INFERENCE}/ModelReady", asked, "inference.ModelReadyResponse"
        )
        assert ready.ready
        answer = "inference.ModelInferResponse"
        request = infer_request(model_name=name, id="7")
        response = await call(channel, f"{INFERENCE}/ModelInfer", request, answer)
        assert (response.id, response.parameters["pod"].string_param) == ("7", "pod-1")
        assert len(response.outputs[0].contents.fp32_contents) == 2
        request.raw_input_contents.append(struct.pack("<2f", 1, 2))
        raw = await call(channel, f"{INFERENCE}/ModelInfer", request, answer)
        assert len(raw.raw_output_contents[0]) == 8
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call(channel, f"{INFERENCE}/ModelInfer", infer_request(model_name="x"), answer)
        assert error.value.code() == grpc.StatusCode.NOT_FOUND

    calling(container, port, test)


def test_streams() -> None:
    async def test(channel: Channel, _servers: Servers) -> None:
        async def requests() -> AsyncIterator[Any]:
            for name in ("segmenter", "x"):
                yield infer_request(model_name=name)

        method = channel.stream_stream(
            f"{INFERENCE}/ModelStreamInfer",
            request_serializer=lambda one: one.SerializeToString(),
            response_deserializer=message("inference.ModelStreamInferResponse").FromString,
        )
        first, second = [one async for one in method(requests())]
        assert first.infer_response.model_name == "segmenter"
        assert "unknown model" in second.error_message

    calling(TRITON, 8001, test)


@pytest.mark.parametrize(
    ("container", "port", "expected"),
    [
        (TRITON, 8001, 1),
        (TENSORFLOW, 8500, None),
        ({**TENSORFLOW, "args": [*TENSORFLOW["args"], "--enable_grpc_healthcheck_service"]},
         8500, 1),
        (MLSERVER, 8081, None),
        (CUSTOM, 8080, 1),
    ],
    ids=["triton", "tensorflow-serving", "tensorflow-serving with its flag", "mlserver", "custom"],
)  # fmt: skip
def test_health_where_the_server_has_it(container: Json, port: int, expected: int | None) -> None:
    async def test(channel: Channel, _servers: Servers) -> None:
        request = message("grpc.health.v1.HealthCheckRequest")()
        answer = "grpc.health.v1.HealthCheckResponse"
        if expected is not None:
            assert (await call(channel, HEALTH, request, answer)).status == expected
            return
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call(channel, HEALTH, request, answer)
        assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED

    calling(container, port, test)


def test_a_server_of_ones_own_answers_any_method() -> None:
    async def test(channel: Channel, servers: Servers) -> None:
        assert await raw(channel, "/acme.Web/Do")(b"\x08\x01", timeout=60) == b""
        # The same port speaks HTTP/1.1.
        assert (await servers.ask(8080, "/"))[0] == 200

    calling(CUSTOM, 8080, test)


def test_failures() -> None:
    async def test(channel: Channel, _servers: Servers) -> None:
        answer = "tensorflow.serving.PredictResponse"
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call(channel, f"{SERVING}/Predict", predict_request(name="resnet"), answer)
        assert error.value.code() == grpc.StatusCode.INTERNAL

    calling(TENSORFLOW, 8500, test, annotations={"sandbox/error-rate": "1"})


def test_a_port_of_grpc_speaks_nothing_else() -> None:
    async def test(servers: Servers) -> None:
        servers.show(pod(TENSORFLOW))
        one = await Caller.connect(servers.port(8500) or 0)
        await one.send("/v1/models/resnet")
        assert await one.is_closed()
        other = await Caller.connect(servers.port(8501) or 0)
        other.writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert await other.is_closed()

    with_servers(test)


def test_draining_finishes_calls() -> None:
    async def test(channel: Channel, servers: Servers) -> None:
        method = raw(channel, "/acme.Web/Do")
        done = asyncio.ensure_future(method(b"", timeout=60))
        (_, life), *_ = servers.fleet.lives()
        await until(lambda: life.processes["web"].load.running == 1)
        servers.show(deleted(pod(CUSTOM), grace=30))
        assert await done == b""
        await until(lambda: servers.port(8080) is None)

    calling(CUSTOM, 8080, test, annotations={"sandbox/latency-milliseconds": "200"})
