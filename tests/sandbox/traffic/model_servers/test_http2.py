"""Servers of one's own speak HTTP/2 without TLS, beside gRPC, on the port of their HTTP API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import grpc.aio
import httpx
import pytest

from sandbox.traffic.model_servers.load import Settings
from tests.sandbox.traffic.model_servers.cluster import (
    CUSTOM,
    TENSORFLOW,
    Servers,
    pod,
    until,
    with_servers,
)


def calling(
    test: Callable[[httpx.AsyncClient, Servers], Awaitable[None]], **annotations: str
) -> None:
    """Run the test with a client that knows in advance that the server speaks HTTP/2."""
    given = {f"sandbox/{name.replace('_', '-')}": value for name, value in annotations.items()}

    async def run(servers: Servers) -> None:
        servers.show(pod(CUSTOM, annotations=given, labels={"version": "v3"}))
        transport = httpx.AsyncHTTPTransport(http1=False, http2=True)
        base = f"http://127.0.0.1:{servers.port(8080)}"
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            await test(client, servers)

    with_servers(run)


def test_an_answer_is_the_one_of_http_1() -> None:
    async def test(client: httpx.AsyncClient, servers: Servers) -> None:
        found = await client.put("/a%20b?c=d", content=b"text", headers={"X-Given": "1"})
        assert (found.http_version, found.status_code) == ("HTTP/2", 200)
        _, headers, body = await servers.ask(8080, "/a%20b?c=d", "text", method="PUT")
        told = {name: value for name, value in headers.items() if name.startswith("x-served-by-")}
        assert told.items() <= dict(found.headers).items()
        seen, other = found.json(), json.loads(body)
        assert seen["headers"]["x-given"] == "1"
        assert {**seen, "headers": None} == {**other, "headers": None}
        head = await client.head("/healthz")
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) > 0

    calling(test)


def test_requests_are_answered_side_by_side() -> None:
    async def test(client: httpx.AsyncClient, servers: Servers) -> None:
        (_, life), *_ = servers.fleet.lives()
        process = life.processes["web"]
        process.load.change(Settings(concurrency=1, latency=3600))
        process.load.enter(lambda: None)
        asked = [asyncio.ensure_future(client.get(f"/{number}")) for number in range(40)]
        await until(lambda: process.load.waiting == 40)
        assert process.connections == 1
        process.load.change(Settings())
        paths = [(await one).json()["path"] for one in asked]
        assert paths == [f"/{number}" for number in range(40)]

    calling(test)


def test_bodies_longer_than_a_window() -> None:
    async def test(client: httpx.AsyncClient, _servers: Servers) -> None:
        name = "x" * 300_000
        found = await client.post("/v1/chat/completions", json={
            "model": "m", "messages": [{"role": "user", "content": name}], "stream": True,
            "max_tokens": 4000})  # fmt: skip
        assert found.status_code == 200
        assert found.text.rstrip().endswith("data: [DONE]")
        echoed = await client.post("/any", content=name.encode() * 3)
        assert echoed.json()["bytes"] == 900_000

    calling(test)


def test_a_stream_arrives_in_parts() -> None:
    async def test(client: httpx.AsyncClient, _servers: Servers) -> None:
        asked = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
        async with client.stream("POST", "/v1/chat/completions", json=asked) as found:
            parts = [part async for part in found.aiter_raw()]
        assert len(parts) > 3
        assert b"".join(parts).rstrip().endswith(b"data: [DONE]")

    calling(test, latency_milliseconds="200")


def test_errors() -> None:
    async def test(client: httpx.AsyncClient, _servers: Servers) -> None:
        assert (await client.get("/")).status_code == 500

    calling(test, error_rate="1")


def test_a_caller_that_leaves_frees_its_place() -> None:
    async def test(client: httpx.AsyncClient, servers: Servers) -> None:
        (_, life), *_ = servers.fleet.lives()
        load = life.processes["web"].load
        slow = asyncio.ensure_future(client.get("/slow"))
        await until(lambda: load.running == 1)
        await client.aclose()
        await until(lambda: not load.running)
        slow.cancel()

    calling(test, latency_milliseconds="3600000")


def test_grpc_calls_are_taken_on_the_same_port() -> None:
    async def test(client: httpx.AsyncClient, servers: Servers) -> None:
        assert (await client.get("/")).status_code == 200
        headers = {"content-type": "application/grpc", "te": "trailers", "x-given": "1"}
        found = await client.post("/acme.Web/Do", content=b"\0\0\0\0\0", headers=headers)
        assert (found.http_version, found.content) == ("HTTP/2", b"\0\0\0\0\0")
        assert found.headers["x-served-by-path"] == "/acme.Web/Do"
        async with grpc.aio.insecure_channel(f"127.0.0.1:{servers.port(8080)}") as channel:
            call = channel.unary_unary("/acme.Web/Do", None, None)(b"\x08\x01", timeout=60)
            assert await call == b""
            told = dict(await call.initial_metadata())
            assert told["x-served-by-pod"] == "pod-1"

    calling(test)


def test_known_servers_speak_http_1_alone() -> None:
    """TensorFlow Serving, Triton, MLServer and vLLM have no HTTP/2 on their REST port."""

    async def test(servers: Servers) -> None:
        servers.show(pod(TENSORFLOW))
        transport = httpx.AsyncHTTPTransport(http1=False, http2=True)
        async with httpx.AsyncClient(transport=transport) as client:
            with pytest.raises(httpx.TransportError):
                await client.get(f"http://127.0.0.1:{servers.port(8501)}/v1/models/resnet")

    with_servers(test)
