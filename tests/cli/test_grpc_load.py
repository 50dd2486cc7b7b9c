"""Loads of gRPC calls against a small server: what is answered and what is lost."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import pytest

from cli.traffic import load
from cli.traffic.connection import Loss
from cli.traffic.figures import Result
from cli.traffic.target import Target

METHOD = "/inference.GRPCInferenceService/ModelInfer"
Answering = Callable[[bytes, Any], Awaitable[bytes]]


class Generic(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # not generic at run time
    """Serves one method."""

    def __init__(self, answer: Answering) -> None:
        self._answer = answer

    def service(self, details: Any) -> Any:
        handler = grpc.unary_unary_rpc_method_handler(self._answer)
        return handler if details.method == METHOD else None


def target(port: int) -> Target:
    return Target(
        address="127.0.0.1", port=port, host="m.example", path=METHOD, method="POST",
        headers={"Content-Type": "application/grpc", "X-Team": "a"}, body=b"message", is_grpc=True,
    )  # fmt: skip


def run(answer: Answering, *, rate: float = 200, **options: Any) -> Result:
    """The result of a load of 0.2 seconds on a server that answers so."""

    async def main() -> Result:
        server = grpc.aio.server(handlers=[Generic(answer)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            return await load.run(target(port), rate=rate, seconds=0.2, **options)
        finally:
            await server.stop(None)

    return asyncio.run(main())


def test_every_call_is_answered_by_a_pod() -> None:
    seen = set()

    async def answer(message: bytes, context: Any) -> bytes:
        seen.add((message, dict(context.invocation_metadata())["x-team"]))
        await context.send_initial_metadata((("x-served-by-pod", "m1-abc"),))
        return b"answer"

    found = run(answer)
    assert (found.sent, found.answered, found.total_lost) == (40, 40, 0)
    assert found.pods == {"m1-abc": 40}
    assert found.latencies.count == 40
    assert seen == {(b"message", "a")}


@pytest.mark.parametrize(
    ("code", "status", "lost"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, 403, None),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 429, None),
        (grpc.StatusCode.UNAVAILABLE, 503, Loss.SERVER_ERROR),
        (grpc.StatusCode.INTERNAL, 500, Loss.SERVER_ERROR),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 504, Loss.SERVER_ERROR),
        (grpc.StatusCode.CANCELLED, None, Loss.RESET),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_status_counts_as_a_gateway_s(
    code: grpc.StatusCode, status: int | None, lost: Loss | None
) -> None:
    async def answer(_: bytes, context: Any) -> bytes:
        await context.abort(code, "no", (("server", "a"),))
        return b""

    found = run(answer, rate=50)
    assert found.statuses == ({status: 10} if status else {})
    assert found.lost == ({lost: 10} if lost else {})


def test_a_call_without_an_answer_in_time_is_lost() -> None:
    async def answer(_: bytes, __: Any) -> bytes:
        await asyncio.sleep(30)
        return b""

    found = run(answer, rate=50, timeout=0.1, connections=4)
    assert (found.sent, found.lost) == (10, {Loss.TIMEOUT: 10})


def test_calls_that_are_cut_are_lost() -> None:
    async def main() -> Result:
        async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(24)  # the preface of HTTP/2
            writer.write(b"\0\0\0\4\0\0\0\0\0")  # its settings
            await asyncio.sleep(0.1)
            writer.transport.abort()

        server = await asyncio.start_server(cut, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            return await load.run(target(port), rate=50, seconds=0.2, timeout=60)
        finally:
            server.close()

    found = asyncio.run(main())
    assert found.answered == 0
    assert found.lost[Loss.RESET] >= 1
    assert found.total_lost == 10


def test_a_closed_port_is_told_with_its_reason() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        found = asyncio.run(load.run(target(port), rate=50, seconds=0.1, timeout=60))
    assert found.lost == {Loss.CONNECT: 5}
    assert "failed to connect" in found.reason
