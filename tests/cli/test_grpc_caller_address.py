"""gRPC calls come from the address that the front end admits, by `request` and by `load`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import msgspec
import pytest

from cli.errors import CliError
from cli.traffic import load, source_ranges
from cli.traffic.connection import Loss
from cli.traffic.grpc_call import GrpcCaller
from cli.traffic.target import Target
from infra.serving.config import ServingConfig
from sandbox.traffic.runtime.source_ranges import ADMITTED
from tests.unit.entries import BASE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="loopback has one address")
METHOD = "/inference.GRPCInferenceService/ModelInfer"


def target(port: int, **more: Any) -> Target:
    return Target(**{
        "address": "127.0.0.1", "port": port, "host": "m.example", "path": METHOD,
        "method": "POST", "body": b"m", "is_grpc": True, "caller": ADMITTED, **more,
    })  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """The port of a server that answers with its caller's address."""

    class Generic(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # not generic at run time
        def service(self, details: Any) -> Any:
            def answer(_: bytes, context: grpc.ServicerContext) -> bytes:
                peer, host = context.peer(), dict(context.invocation_metadata())
                context.send_initial_metadata((("x-served-by-pod", peer.split(":")[1]),))
                return str(host.get("x-team", "")).encode()

            return grpc.unary_unary_rpc_method_handler(answer)

    one = grpc.server(ThreadPoolExecutor(max_workers=2), handlers=[Generic()])
    port = one.add_insecure_port("127.0.0.1:0")
    one.start()
    yield port
    one.stop(None)


@pytest.mark.parametrize("caller", ["", ADMITTED])
def test_a_request_comes_from_the_caller_s_address(server: int, caller: str) -> None:
    with GrpcCaller(target(server, caller=caller), timeout=60) as one:
        found = [one.call() for _ in range(3)]
    assert [answer.served_by["pod"] for answer in found] == [caller or "127.0.0.1"] * 3


def test_a_load_comes_from_the_caller_s_address(server: int) -> None:
    found = asyncio.run(load.run(target(server), rate=200, seconds=0.2))
    assert (found.sent, found.answered, found.reason) == (40, 40, "")
    assert found.pods == {ADMITTED: 40}


@pytest.fixture
def refusing() -> Iterator[int]:
    """The port of a server that closes each connection, as one outside the ranges finds it."""
    import socket
    import threading

    listening = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                one, _ = listening.accept()
            except OSError:
                return
            one.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


def test_a_connection_that_is_closed_is_told(refusing: int) -> None:
    said = f"127.0.0.1:{refusing} closed the connection without an answer"
    with (
        GrpcCaller(target(refusing), timeout=60) as one,
        pytest.raises(CliError, match=said),
    ):
        one.call()
    found = asyncio.run(load.run(target(refusing), rate=20, seconds=0.2, timeout=60))
    assert (found.answered, found.lost.keys() <= {Loss.CONNECT, Loss.RESET}) == (0, True)
    assert found.reason == said


def test_an_address_that_this_machine_has_not_is_told(server: int) -> None:
    with (
        GrpcCaller(target(server, caller="192.0.2.9"), timeout=60) as one,
        pytest.raises(CliError, match="assign requested address"),
    ):
        one.call()


@pytest.mark.parametrize(
    ("exposure", "said"),
    [
        ({"kind": "load-balancer"}, ""),
        ({"kind": "cluster-ip"}, ""),
        (
            {"kind": "load-balancer", "source_ranges": ["198.51.100.0/24"], "protocol": "grpc"},
            "gke-serving:models[m1].exposure.source_ranges admits callers from 198.51.100.0/24 "
            "alone",
        ),
        (
            {"kind": "ingress", "path": "/m1"},
            "gke-serving:ingress.controller.source_ranges admits callers from 192.0.2.0/24 alone",
        ),
    ],
)
def test_whom_an_address_admits_is_told(exposure: dict[str, Any], said: str) -> None:
    ingress = {"controller": {"source_ranges": ["192.0.2.0/24"]}}
    serving = msgspec.convert(
        {"models": [{**BASE, "exposure": exposure}], "ingress": ingress}, ServingConfig
    )
    plan: Any = type("Plan", (), {"serving": serving})
    (model,) = serving.entries
    assert source_ranges.hint(plan, model) == said
    told = source_ranges.explained(CliError("no", "is it ready?"), plan, model)
    assert told.hint == (f"{said}; is it ready?" if said else "is it ready?")
