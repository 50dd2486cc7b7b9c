"""The runtime's processes: they start when needed, come back, and end with it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import psutil

from sandbox.traffic.runtime import processes
from sandbox.traffic.runtime.frontends import read
from tests.sandbox.traffic.runtime.running import Running


async def _until(condition: object, seconds: float = 10) -> None:
    assert callable(condition)
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it never came true"
        await asyncio.sleep(0.05)


def test_envoy_starts_with_the_first_rule_and_comes_back_after_a_kill(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Running(tmp_path) as one:
            await one.settled()
            assert processes.running(one.home) == []
            assert not read(one.home.traffic)

            one.redirect_to("a.example")
            assert (await one.settled())["refusal"] is None
            url = one.url("load-balancer", 80, "/x")
            assert (await one.get(url)).headers["location"] == "http://a.example/x"
            [envoy] = processes.running(one.home)

            # A change of routes needs no other Envoy, and no other listener.
            one.redirect_to("b.example")
            await one.settled()
            assert (await one.get(url)).headers["location"] == "http://b.example/x"
            assert processes.running(one.home) == [envoy]

            envoy.kill()
            await _until(lambda: processes.running(one.home) not in ([], [envoy]))
            [again] = processes.running(one.home)
            port = one.frontend(lambda f: f.kind == "load-balancer").listens
            await _until(lambda: port in _ports(again))
            assert (await one.get(url)).headers["location"] == "http://b.example/x"
        assert processes.running(one.home) == []

    asyncio.run(scenario())


def _sockets(process: psutil.Process) -> list[tuple[str, int]]:
    return [
        (one.laddr.ip, one.laddr.port)
        for one in process.net_connections("inet")
        if one.status == psutil.CONN_LISTEN
    ]


def _ports(process: psutil.Process) -> set[int]:
    return {port for _, port in _sockets(process)}


def test_a_front_end_keeps_its_port_unless_it_is_taken(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Running(tmp_path) as one:
            one.redirect_to("a.example")
            await one.settled()
            first = one.url("load-balancer", 80)
        async with Running(tmp_path) as one:
            one.redirect_to("a.example")
            await one.settled()
            assert one.url("load-balancer", 80) == first
            [envoy] = processes.running(one.home)
            assert {address for address, _ in _sockets(envoy)} == {"127.0.0.1"}
        with socket.socket() as squatter:
            squatter.bind(("127.0.0.1", int(first.rstrip("/").rpartition(":")[2])))
            squatter.listen()
            async with Running(tmp_path) as one:
                one.redirect_to("a.example")
                await one.settled()
                other = one.url("load-balancer", 80)
                assert other != first
                assert (await one.get(other)).status_code == 302

    asyncio.run(scenario())


def test_a_homes_processes_are_ended_without_those_of_another(tmp_path: Path) -> None:
    async def scenario() -> None:
        one, other = Running(tmp_path / "one"), Running(tmp_path / "other")
        async with one, other:
            for each in (one, other):
                each.redirect_to("a.example")
                await each.settled()
            assert len(processes.running(one.home)) == len(processes.running(other.home)) == 1
            assert await asyncio.to_thread(processes.end_all, one.home) == 1
            assert len(processes.running(other.home)) == 1

    asyncio.run(scenario())


def test_a_refused_configuration_is_reported_and_the_last_one_stays(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Running(tmp_path) as one:
            one.redirect_to("a.example")
            await one.settled()
            url = one.url("load-balancer", 80)
            one.redirect_to("no host\r\n")
            found = await one.settled()
            assert "rejected" in found["refusal"], found
            assert (await one.get(url)).headers["location"] == "http://a.example/"
            one.redirect_to("b.example")
            assert (await one.settled())["refusal"] is None
            assert (await one.get(url)).headers["location"] == "http://b.example/"

    asyncio.run(scenario())
