"""Envoy gets its routes and endpoints as they change, however many there are."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from sandbox.traffic.runtime.discovery_server import DiscoveryServer
from tests.sandbox.traffic.runtime.running import COMPUTE, ONE, Running

MANY = 150
"""More than the 128 inotify instances that Linux allows a user."""
A, B = ("rds", "a"), ("rds", "b")


async def ask(server: DiscoveryServer, name: str, version: str = "") -> tuple[int, Any]:
    body = json.dumps({"resource_names": [name], "version_info": version}).encode()
    status, content = await server._answer("/v3/discovery:routes", body)
    return status, json.loads(content) if content else None


async def is_waiting(task: asyncio.Task[Any]) -> bool:
    await asyncio.sleep(0.05)
    return not task.done()


def test_an_answer_waits_for_another_version() -> None:
    async def scenario() -> None:
        server = DiscoveryServer()
        assert server.set({A: {"name": "a"}, B: {"name": "b"}}) == [A, B]
        _, first = await ask(server, "a")
        assert first["resources"][0]["name"] == "a"
        waiting = asyncio.create_task(ask(server, "a", first["version_info"]))
        assert await is_waiting(waiting)
        assert server.set({A: {"name": "a"}, B: {"name": "b", "x": 1}}) == [B]
        assert await is_waiting(waiting)
        changed = server.set({A: {"name": "a", "x": 1}})
        assert changed == server.pending(changed) == [A]
        _, second = await waiting
        assert second["resources"][0]["x"] == 1
        waiting = asyncio.create_task(ask(server, "a", second["version_info"]))
        assert await is_waiting(waiting)
        assert server.pending(changed) == []
        waiting.cancel()

    asyncio.run(scenario())


def test_what_was_refused_is_not_given_again_at_once_and_what_comes_back_is() -> None:
    async def scenario() -> None:
        server = DiscoveryServer()
        server.set({A: {"name": "a"}})
        _, first = await ask(server, "a")
        server.set({A: {"name": "a", "bad": 1}})
        await ask(server, "a", first["version_info"])
        refused = asyncio.create_task(ask(server, "a", first["version_info"]))
        assert await is_waiting(refused)
        server.set({})
        assert await is_waiting(refused)
        server.set({A: {"name": "a", "good": 1}})
        assert (await refused)[1]["resources"][0]["good"] == 1
        # An Envoy that has just started names no version.
        assert (await ask(server, "a"))[1]["resources"][0]["good"] == 1

    asyncio.run(scenario())


def test_both_of_two_that_follow_a_resource_get_its_next_version() -> None:
    """Envoy follows the endpoints of a cluster twice while another configuration replaces it."""

    async def scenario() -> None:
        server = DiscoveryServer()
        server.set({A: {"name": "a"}})
        _, first = await ask(server, "a")
        version = first["version_info"]
        both = [asyncio.create_task(ask(server, "a", version)) for _ in range(2)]
        assert await is_waiting(both[0])
        server.set({A: {"name": "a", "x": 1}})
        answers = await asyncio.wait_for(asyncio.gather(*both), 60)
        assert [status for status, _ in answers] == [200, 200]
        # One that asked a moment later is not taken for one that has refused it.
        late = await asyncio.wait_for(ask(server, "a", version), 60)
        assert late[1]["resources"][0]["x"] == 1

    asyncio.run(scenario())


def test_a_resource_may_be_asked_for_before_it_is_there() -> None:
    async def scenario() -> None:
        server = DiscoveryServer()
        early = asyncio.create_task(ask(server, "a"))
        assert await is_waiting(early)
        server.set({A: {"name": "a"}})
        assert (await early)[0] == 200

    asyncio.run(scenario())


def test_backend_services_are_not_limited_by_watches_of_files(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Running(tmp_path) as one:
            await one.pod("pod-1", ONE[1])
            one.redirect_to("a.example")
            group, rules = one.endpoint_group("group", ONE), []
            for i in range(MANY):
                path = f"global/backendServices/s{i}"
                one.put(
                    path, protocol="HTTP", loadBalancingScheme="EXTERNAL_MANAGED",
                    backends=[{"group": group}],
                )  # fmt: skip
                rules.append({"paths": [f"/{i}"], "service": f"{COMPUTE}projects/p/{path}"})
            default = f"{COMPUTE}projects/p/global/backendServices/s0"
            matcher = {"name": "all", "defaultService": default, "pathRules": rules}
            one.put(
                "global/urlMaps/m", defaultService=default, pathMatchers=[matcher],
                hostRules=[{"hosts": ["*"], "pathMatcher": "all"}],
            )  # fmt: skip
            assert (await one.settled())["refusal"] is None
            for i in (0, MANY - 1):
                url = one.url("load-balancer", 80, f"/{i}")
                assert (await one.get(url)).text == f"pod-1 /{i}"
            # Endpoints change without the clusters.
            await one.pod("pod-2", "10.64.0.9")
            one.endpoint_group("group", ("node-1", "10.64.0.9"))
            await one.settled()
            url = one.url("load-balancer", 80, "/7")
            texts = {(await one.get(url)).text for _ in range(12)}
            assert texts == {"pod-1 /7", "pod-2 /7"}

    asyncio.run(scenario())
