"""What an endpoint that has left the load balancer has not answered in time is cut."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sandbox.traffic.model_servers.control import Control
from sandbox.traffic.runtime.draining import Draining
from tests.sandbox.traffic.model_servers.cluster import CUSTOM, Caller, Servers, pod, with_servers

SLOW = {"sandbox/latency-milliseconds": "3600000"}
SERVICE = "projects/p/global/backendServices/web"


def draining(tmp_path: Path, test: Callable[[Servers, Draining], Awaitable[None]]) -> None:
    """Run a test with a fleet of servers, and the draining that leads to its control."""

    async def run(servers: Servers) -> None:
        control = Control(servers.fleet)
        listener, port = await control.start()
        record = tmp_path / "model-servers.json"
        record.write_text(json.dumps({"port": port}))
        subject = Draining(record)
        try:
            await test(servers, subject)
        finally:
            await subject.close()
            listener.close()
            control.close()

    with_servers(run)


async def asking(servers: Servers, **headers: str) -> Caller:
    """A caller whose request is under way."""
    one = await Caller.connect(servers.port(8080) or 0)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    one.writer.write(f"GET /slow HTTP/1.1\r\nhost: x\r\n{lines}\r\n".encode())
    (_, life), *_ = servers.fleet.lives()
    before = life.processes["web"].load.running
    while life.processes["web"].load.running == before:
        await asyncio.sleep(0.005)
    return one


def test_requests_of_the_load_balancer_are_cut_and_no_others(tmp_path: Path) -> None:
    async def test(servers: Servers, subject: Draining) -> None:
        servers.show(pod(CUSTOM, annotations=SLOW))
        port = servers.port(8080) or 0
        balanced, direct = await asking(servers, via="1.1 google"), await asking(servers)
        subject.follow({SERVICE: [port]}, {SERVICE: 0})
        subject.follow({SERVICE: []}, {SERVICE: 0})
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await balanced.answer()
        (_, life), *_ = servers.fleet.lives()
        assert life.processes["web"].load.running == 1
        direct.close()

    draining(tmp_path, test)


def test_an_endpoint_that_another_service_has_or_that_returns_is_not_cut(tmp_path: Path) -> None:
    async def test(servers: Servers, subject: Draining) -> None:
        servers.show(pod(CUSTOM, annotations=SLOW))
        port = servers.port(8080) or 0
        balanced = await asking(servers, via="1.1 google")
        other = f"{SERVICE}-canary"
        subject.follow({SERVICE: [port], other: [port]}, {SERVICE: 0, other: 0})
        subject.follow({other: [port]}, {SERVICE: 0, other: 0})
        subject.follow({}, {SERVICE: 0, other: 1})
        subject.follow({SERVICE: [port]}, {SERVICE: 0, other: 1})
        await asyncio.sleep(0.2)
        (_, life), *_ = servers.fleet.lives()
        assert life.processes["web"].load.running == 1
        balanced.close()

    draining(tmp_path, test)
