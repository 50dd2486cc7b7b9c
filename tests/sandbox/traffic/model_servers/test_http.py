"""The servers speak HTTP/1.1 as callers and load balancers expect."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.sandbox.traffic.model_servers.cluster import CUSTOM, Caller, Servers, pod, with_servers


async def caller(servers: Servers, **annotations: str) -> Caller:
    given = {f"sandbox/{name.replace('_', '-')}": value for name, value in annotations.items()}
    servers.show(pod(CUSTOM, annotations=given))
    port = servers.port(8080)
    assert port is not None
    return await Caller.connect(port)


def test_keep_alive_and_pipelining() -> None:
    async def test(servers: Servers) -> None:
        one = await caller(servers, latency_milliseconds="1")
        for number in range(100):
            await one.send(f"/request/{number}")
        paths = [json.loads((await one.answer())[2])["path"] for _ in range(100)]
        assert paths == [f"/request/{number}" for number in range(100)]
        one.close()

    with_servers(test)


def test_chunked_body_with_expect() -> None:
    async def test(servers: Servers) -> None:
        one = await caller(servers)
        one.writer.write(
            b"POST /a HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        status, _, _ = await one.answer()
        assert status == 100
        one.writer.write(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        status, _, body = await one.answer()
        assert (status, json.loads(body)["bytes"]) == (200, 5)
        one.close()

    with_servers(test)


def test_head_has_the_length_and_no_body() -> None:
    async def test(servers: Servers) -> None:
        one = await caller(servers)
        await one.send("/healthz", method="HEAD")
        status, headers, _ = await one.answer(is_head=True)
        assert status == 200
        assert int(headers["content-length"]) > 0
        await one.send("/healthz")
        assert (await one.answer())[0] == 200
        one.close()

    with_servers(test)


@pytest.mark.parametrize(
    ("head", "closes"),
    [
        ("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", True),
        ("GET / HTTP/1.0\r\n\r\n", True),
        ("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n", False),
    ],
)
def test_who_closes(head: str, closes: bool) -> None:
    async def test(servers: Servers) -> None:
        one = await caller(servers)
        one.writer.write(head.encode())
        status, headers, _ = await one.answer()
        assert status == 200
        assert (headers.get("connection") == "close") == closes
        if closes:
            assert await one.is_closed()
        else:
            await one.send("/again")
            assert (await one.answer())[0] == 200
        one.close()

    with_servers(test)


def test_what_is_no_request_is_refused() -> None:
    async def test(servers: Servers) -> None:
        one = await caller(servers)
        one.writer.write(b"hello there\r\n\r\n")
        assert (await one.answer())[0] == 400
        assert await one.is_closed()
        one.close()

    with_servers(test)


def test_an_answer_says_who_gave_it_and_what_was_asked() -> None:
    async def test(servers: Servers) -> None:
        servers.show(pod(CUSTOM, labels={"version": "v3"}))
        status, headers, body = await servers.ask(8080, "/a%20b?c=d", "text", method="PUT")
        assert status == 200
        assert {name: headers[f"x-served-by-{name}"] for name in
                ("pod", "namespace", "version", "zone", "node", "path")} == {
            "pod": "pod-1",
            "namespace": "models",
            "version": "v3",
            "zone": "europe-west4-a",
            "node": "node-1",
            "path": "/a%20b?c=d",
        }  # fmt: skip
        seen = json.loads(body)
        assert (seen["method"], seen["path"], seen["query"]) == ("PUT", "/a b", "c=d")
        assert (seen["pod"], seen["zone"]) == ("pod-1", "europe-west4-a")
        assert (await servers.ask(8080, "/a%20b?c=d", "text", method="PUT"))[2] == body

    with_servers(test)


def test_a_caller_that_leaves_frees_its_place() -> None:
    async def test(servers: Servers) -> None:
        leaving = await caller(servers, latency_milliseconds="3600000", concurrency="1")
        await leaving.send("/slow")
        (_, life), *_ = servers.fleet.lives()
        load = life.processes["web"].load
        waiting = await Caller.connect(servers.port(8080) or 0)
        await waiting.send("/also")
        while not load.waiting:
            await asyncio.sleep(0.005)
        waiting.close()
        leaving.close()
        while load.waiting or load.running:
            await asyncio.sleep(0.005)

    with_servers(test)
