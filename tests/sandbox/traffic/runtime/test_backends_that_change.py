"""A URL map moves to new backend services, whose former ones are deleted: no request is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import httpx

from tests.sandbox.traffic.runtime.running import COMPUTE, ONE, Running

MOVES = 8


def service(one: Running, number: int, group: str) -> str:
    path = f"global/backendServices/s{number}"
    backends = [{"group": group}]
    one.put(path, protocol="HTTP", loadBalancingScheme="EXTERNAL_MANAGED", backends=backends)
    return f"{COMPUTE}projects/p/{path}"


async def send(http: httpx.AsyncClient, url: str, end: asyncio.Event) -> Counter[int]:
    found: Counter[int] = Counter()
    while not end.is_set():
        found[(await http.get(url)).status_code] += 1
    return found


def test_requests_go_on_while_backend_services_come_and_go(tmp_path: Path) -> None:
    async def scenario() -> Counter[int]:
        async with Running(tmp_path) as one:
            await one.pod("pod-1", ONE[1])
            one.redirect_to("a.example")
            group, end = one.endpoint_group("group", ONE), asyncio.Event()
            one.put("global/urlMaps/m", defaultService=service(one, 0, group))
            await one.settled()
            url = one.url("load-balancer", 80, "/")
            senders = [asyncio.create_task(send(one.http, url, end)) for _ in range(4)]
            for number in range(1, MOVES + 1):
                one.put("global/urlMaps/m", defaultService=service(one, number, group))
                one.app.state.store.delete(
                    f"compute/projects/p/global/backendServices/s{number - 1}"
                )
                assert (await one.settled())["refusal"] is None
            end.set()
            return sum(await asyncio.gather(*senders), Counter[int]())

    found = asyncio.run(scenario())
    assert {*found} == {200}, found


def test_a_backend_service_that_is_gone_has_no_cluster_after_a_while(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Running(tmp_path) as one:
            await one.pod("pod-1", ONE[1])
            one.redirect_to("a.example")
            group = one.endpoint_group("group", ONE)
            one.put("global/urlMaps/m", defaultService=service(one, 0, group))
            await one.settled()
            one.put("global/urlMaps/m", defaultService=service(one, 1, group))
            one.app.state.store.delete("compute/projects/p/global/backendServices/s0")
            await one.settled()
            async with asyncio.timeout(60):
                while "projects/p/global/backendServices/s0" in str(
                    await one.runtime._envoy.clusters()  # type: ignore[union-attr]
                ):
                    await asyncio.sleep(0.2)
            assert "backendServices/s1" in str(await one.runtime._envoy.clusters())  # type: ignore[union-attr]

    asyncio.run(scenario())
