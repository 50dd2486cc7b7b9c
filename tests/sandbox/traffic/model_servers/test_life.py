"""A pod's servers load, drain and end as real ones do under the kubelet."""

from __future__ import annotations

import asyncio
import copy
import json
import time
from typing import Any

import httpx
import pytest

from sandbox.traffic.model_servers import pod_life, pods
from sandbox.traffic.model_servers.control import Control
from tests.sandbox.traffic.model_servers.cluster import (
    CUSTOM,
    KEY,
    MLSERVER,
    TENSORFLOW,
    TRITON,
    VLLM,
    ZONES,
    Caller,
    Servers,
    deleted,
    pod,
    until,
    with_servers,
)

Json = dict[str, Any]
PREDICT = ("/v1/models/resnet:predict", '{"instances": [1]}')


async def is_refused(listens: int | None) -> bool:
    assert listens is not None
    try:
        (await Caller.connect(listens)).close()
    except ConnectionRefusedError:
        return True
    return False


def with_hook(container: Json, hook: Json) -> Json:
    return {**container, "lifecycle": {"preStop": hook}}


# Its start


@pytest.mark.parametrize("container", [TENSORFLOW, TRITON, VLLM], ids=lambda one: one["name"])
def test_a_server_that_loads_first_refuses_connections(container: Json) -> None:
    async def test(servers: Servers) -> None:
        port = 8501 if container is TENSORFLOW else 8000
        servers.show(pod(container, ready=False))
        assert await is_refused(servers.port(port))
        servers.show(pod(container))
        assert not await is_refused(servers.port(port))

    with_servers(test)


def test_a_server_that_listens_while_it_loads_says_so() -> None:
    async def test(servers: Servers) -> None:
        servers.show(pod(CUSTOM, ready=False))
        assert (await servers.ask(8080, "/ready"))[0] == 503
        assert (await servers.ask(8080, "/alive"))[0] == 200
        servers.show(pod(CUSTOM))
        assert (await servers.ask(8080, "/ready"))[0] == 200

    with_servers(test)


def test_mlserver_is_alive_and_not_ready() -> None:
    async def test(servers: Servers) -> None:
        servers.show(pod(MLSERVER, ready=False))
        assert (await servers.ask(8080, "/v2/health/live"))[0] == 200
        assert (await servers.ask(8080, "/v2/health/ready"))[0] == 400
        assert (await servers.ask(8080, "/v2/models/fraud/infer", '{"inputs": []}'))[0] == 503

    with_servers(test)


def test_the_time_that_it_loads() -> None:
    async def test(servers: Servers) -> None:
        item = pod(CUSTOM, annotations={"sandbox/startup-seconds": "0.2"})
        state = item["status"]["containerStatuses"][0]["state"]["running"]
        state["startedAt"] = "2999-01-01T00:00:00Z"
        began = time.perf_counter()
        servers.show(item)
        while (await servers.ask(8080, "/ready"))[0] == 503:
            await asyncio.sleep(0.005)
        # The timers of the loop count whole milliseconds.
        assert time.perf_counter() - began >= 0.199

    with_servers(test)


def test_a_pod_that_has_run_for_long_is_not_loaded_again() -> None:
    async def test(servers: Servers) -> None:
        servers.show(pod(CUSTOM, annotations={"sandbox/startup-seconds": "60"}))
        assert (await servers.ask(8080, "/ready"))[0] == 200

    with_servers(test)


def test_a_container_that_does_not_run_has_no_port() -> None:
    async def test(servers: Servers) -> None:
        servers.show(pod(CUSTOM, running=False))
        assert servers.port(8080) is None
        servers.show(pod(CUSTOM))
        listens = servers.port(8080)
        assert listens is not None
        one = await Caller.connect(listens)
        servers.show(pod(CUSTOM, running=False))  # it crashed
        assert await one.is_closed()
        assert servers.port(8080) is None
        assert await is_refused(listens)

    with_servers(test)


# Its end


def test_prestop_comes_first() -> None:
    async def test(servers: Servers) -> None:
        item = pod(with_hook(CUSTOM, {"sleep": {"seconds": 60}}))
        servers.show(item)
        servers.show(deleted(item, grace=90))
        servers.show()
        await asyncio.sleep(0.05)
        assert (await servers.ask(8080, "/"))[0] == 200
        (_, life), *_ = servers.fleet.lives()
        assert not life.processes["web"].is_terminating

    with_servers(test)


def test_sigterm_comes_after_prestop() -> None:
    async def test(servers: Servers) -> None:
        item = pod(with_hook(CUSTOM, {"sleep": {"seconds": 0.05}}))
        servers.show(item)
        listens = servers.port(8080)
        servers.show(deleted(item, grace=90))
        await until(lambda: servers.port(8080) is None)
        assert await is_refused(listens)

    with_servers(test)


@pytest.mark.parametrize(
    ("hook", "seconds"),
    [
        ({"sleep": {"seconds": 3}}, 3),
        ({"exec": {"command": ["sleep", "4"]}}, 4),
        ({"exec": {"command": ["/bin/sh", "-c", "sleep 1.5 && nginx -s quit; sleep 1m"]}}, 61.5),
        ({"exec": {"command": ["/app/quit", "--no-sleep"]}}, 0),
    ],
)
def test_how_long_a_hook_takes(hook: Json, seconds: float) -> None:
    read = pods.read(pod(with_hook(CUSTOM, hook)), {})
    assert read is not None
    assert read.containers[0].hook.seconds == seconds


def test_a_hook_that_asks_the_server() -> None:
    async def test(servers: Servers) -> None:
        item = pod(with_hook(CUSTOM, {"httpGet": {"port": 8080, "path": "/quit"}}))
        servers.show(item)
        (_, life), *_ = servers.fleet.lives()
        load = life.processes["web"].load
        servers.show(deleted(item, grace=30))
        await until(lambda: servers.port(8080) is None)
        assert load.requests["model", "request", 200] == 1

    with_servers(test)


def test_draining_finishes_what_is_under_way() -> None:
    async def test(servers: Servers) -> None:
        item = pod(CUSTOM, annotations={"sandbox/latency-milliseconds": "1000"})
        servers.show(item)
        listens = servers.port(8080)
        busy, idle = [await Caller.connect(listens or 0) for _ in range(2)]
        await busy.send("/slow")
        (_, life), *_ = servers.fleet.lives()
        await until(lambda: life.processes["web"].load.running == 1)
        servers.show(deleted(item, grace=30))
        assert await idle.is_closed()
        assert await is_refused(listens)
        assert servers.port(8080) == listens, "it is in the plan until it has ended"
        status, headers, _ = await busy.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert await busy.is_closed()
        await until(lambda: servers.port(8080) is None)

    with_servers(test)


@pytest.mark.parametrize("waits", [True, False], ids=["until it is closed", "until its timeout"])
def test_triton_serves_the_connections_that_it_has(waits: bool) -> None:
    async def test(servers: Servers) -> None:
        seconds = 60 if waits else 0.05
        words = [*TRITON["args"], f"--exit-timeout-secs={seconds}"]
        item = pod({**TRITON, "args": words})
        servers.show(item)
        listens = servers.port(8000)
        kept = await Caller.connect(listens or 0)
        await kept.send("/v2/health/ready")
        assert (await kept.answer())[0] == 200
        (_, life), *_ = servers.fleet.lives()
        process = life.processes["segmenter"]
        servers.show(deleted(item, grace=90))
        await until(lambda: process.is_terminating)
        if waits:
            await asyncio.sleep(0.05)
            assert await is_refused(listens)
            await kept.send("/v2/health/ready")
            status, headers, _ = await kept.answer()
            assert status == 200
            assert "connection" not in headers
            kept.close()
        else:
            assert await kept.is_closed()
        await until(lambda: servers.port(8000) is None)

    with_servers(test)


def test_tensorflow_serving_ignores_sigterm() -> None:
    async def test(servers: Servers) -> None:
        item = pod(TENSORFLOW)
        servers.show(item)
        servers.show(deleted(item, grace=60))
        (_, life), *_ = servers.fleet.lives()
        await until(lambda: life.processes["resnet"].is_terminating)
        await asyncio.sleep(0.05)
        assert (await servers.ask(8501, *PREDICT))[0] == 200

    with_servers(test)


@pytest.mark.parametrize(
    ("container", "request_", "annotations", "spec"),
    [
        (
            {**VLLM, "args": ["/m", "--port=8000"]},
            ("/v1/completions", '{"model": "/m", "prompt": "x"}'),
            {},
            {},
        ),
        (TENSORFLOW, PREDICT, {}, {"shareProcessNamespace": True}),
        (
            TRITON,
            ("/v2/models/segmenter/infer", '{"inputs": []}'),
            {"sandbox/on-sigterm": "exit"},
            {},
        ),
    ],
    ids=["vLLM without a timeout", "not the first process", "as annotated"],
)
def test_a_server_that_sigterm_ends_cuts_what_is_under_way(
    container: Json, request_: tuple[str, str], annotations: Json, spec: Json
) -> None:
    async def test(servers: Servers) -> None:
        slow = {"sandbox/latency-milliseconds": "60000", **annotations}
        item = pod(container, annotations=slow, **spec)
        servers.show(item)
        port = 8501 if container is TENSORFLOW else 8000
        one = await Caller.connect(servers.port(port) or 0)
        await one.send(*request_)
        (_, life), *_ = servers.fleet.lives()
        await until(lambda: any(each.load.running for each in life.processes.values()))
        servers.show(deleted(item, grace=30))
        assert await one.is_closed()
        await until(lambda: servers.port(port) is None)

    with_servers(test)


def test_the_grace_period_cuts_what_takes_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_life, "LEAST_GRACE", 0.1)

    async def test(servers: Servers) -> None:
        item = pod(CUSTOM, annotations={"sandbox/latency-milliseconds": "60000"})
        servers.show(item)
        one = await Caller.connect(servers.port(8080) or 0)
        await one.send("/slow")
        servers.show(deleted(item, grace=1))
        assert await one.is_closed()
        await until(lambda: servers.port(8080) is None)

    with_servers(test)


@pytest.mark.parametrize("missed", [False, True], ids=["seen", "missed"])
def test_a_pod_that_is_gone_without_an_end(missed: bool) -> None:
    async def test(servers: Servers) -> None:
        servers.show(pod(with_hook(CUSTOM, {"sleep": {"seconds": 60}})))
        one = await Caller.connect(servers.port(8080) or 0)
        servers.show(missed=missed)
        if missed:
            # It may have been deleted with its grace period.
            await one.send("/")
            assert (await one.answer())[0] == 200
        else:
            # It was deleted by force.
            assert await one.is_closed()
            assert servers.port(8080) is None
        one.close()

    with_servers(test)


def test_a_second_deletion_may_shorten_the_first() -> None:
    async def test(servers: Servers) -> None:
        item = pod(with_hook(CUSTOM, {"sleep": {"seconds": 60}}))
        servers.show(item)
        servers.show(deleted(item, grace=90))
        one = await Caller.connect(servers.port(8080) or 0)
        servers.show(deleted(item, grace=1))
        assert await one.is_closed()
        await until(lambda: servers.port(8080) is None)

    with_servers(test)


def test_the_kubelets_own_deletion_cuts_nothing() -> None:
    """KWOK deletes a pod, without a grace period, as soon as its deletion has begun."""

    async def test(servers: Servers) -> None:
        item = pod(with_hook(CUSTOM, {"sleep": {"seconds": 60}}))
        servers.show(item)
        servers.show(deleted(item, grace=90))
        servers.show(deleted(item, grace=0))
        servers.show()
        await asyncio.sleep(0.05)
        assert (await servers.ask(8080, "/"))[0] == 200

    with_servers(test)


def test_a_deletion_without_a_grace_period_cuts() -> None:
    async def test(servers: Servers) -> None:
        item = pod(with_hook(CUSTOM, {"sleep": {"seconds": 60}}))
        servers.show(item)
        one = await Caller.connect(servers.port(8080) or 0)
        servers.show(deleted(item, grace=0))
        assert await one.is_closed()
        assert servers.port(8080) is None

    with_servers(test)


def test_a_server_that_is_killed_begins_again_with_its_next_start() -> None:
    async def test(servers: Servers) -> None:
        control = Control(servers.fleet)
        listener, port = await control.start()
        item = pod(TENSORFLOW)
        servers.show(item)
        one = await Caller.connect(servers.port(8501) or 0)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            killed = {"cluster": str(KEY), "namespace": "models", "pods": ["pod-1"]}
            other = await client.post("/kill", json={**killed, "cluster": "acme.b.other"})
            assert other.json() == {"pods": []}
            assert servers.port(8501) is not None
            assert (await client.post("/kill", json=killed)).json() == {"pods": ["pod-1"]}
            assert (await client.post("/kill", json={"pod": "pod-1"})).status_code == 400
        assert await one.is_closed()
        # Its object changes before the kubelet has started it again. Callers are not told.
        servers.show({**item, "metadata": {**item["metadata"], "labels": {"a": "b"}}})
        assert await is_refused(servers.port(8501))
        again = copy.deepcopy(item)
        running = again["status"]["containerStatuses"][0]["state"]["running"]
        running["startedAt"] = "2026-01-01T00:01:00Z"
        servers.show(again)
        assert (await servers.ask(8501, *PREDICT))[0] == 200
        listener.close()
        control.close()
        await asyncio.sleep(0)

    with_servers(test)


def test_sidecars_end_after_the_others() -> None:
    async def test(servers: Servers) -> None:
        proxy = {
            "name": "proxy",
            "image": "acme/proxy:1",
            "restartPolicy": "Always",
            "ports": [{"containerPort": 9000}],
        }
        item = pod(with_hook(CUSTOM, {"sleep": {"seconds": 60}}), initContainers=[proxy])
        state = item["status"]["containerStatuses"][0]["state"]
        item["status"]["initContainerStatuses"] = [{"name": "proxy", "ready": True, "state": state}]
        servers.show(item)
        servers.show(deleted(item, grace=90))
        await asyncio.sleep(0.05)
        assert (await servers.ask(9000, "/"))[0] == 200
        (_, life), *_ = servers.fleet.lives()
        assert not life.processes["proxy"].is_terminating
        life.processes["web"].kill()
        await until(lambda: servers.port(9000) is None)

    with_servers(test)


def test_all_pods_of_a_cluster_that_is_deleted_end() -> None:
    async def test(servers: Servers) -> None:
        servers.show(pod(CUSTOM))
        one = await Caller.connect(servers.port(8080) or 0)
        servers.fleet.forget(KEY)
        assert await one.is_closed()
        assert servers.port(8080) is None

    with_servers(test)


def test_the_dial_plan_is_written_once_for_many_pods() -> None:
    async def test(servers: Servers) -> None:
        items = [pod(CUSTOM, name=f"pod-{number}") for number in range(30)]
        servers.fleet.follow(KEY, items, ZONES, missed=False)
        await until(lambda: bool(servers.plans))
        assert [len(one.listeners) for one in servers.plans] == [30]
        assert {one.zone for one in servers.plans[0].listeners} == {"europe-west4-a"}

    with_servers(test)


def test_a_pod_that_cannot_be_read_leaves_the_others_alone() -> None:
    async def test(servers: Servers) -> None:
        broken = pod(CUSTOM, name="broken")
        broken["spec"]["containers"] = [{"name": "x", "ports": [{"containerPort": "a"}]}]
        servers.show(broken, pod(CUSTOM))
        assert json.loads((await servers.ask(8080, "/"))[2])["pod"] == "pod-1"

    with_servers(test)
