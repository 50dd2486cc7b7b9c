"""Latency, failures, queues and metrics follow the load and what is set."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from sandbox.traffic.model_servers.control import Control
from sandbox.traffic.model_servers.load import Load
from tests.sandbox.traffic.model_servers.cluster import (
    CUSTOM,
    MLSERVER,
    TENSORFLOW,
    TRITON,
    VLLM,
    Caller,
    Servers,
    pod,
    until,
    with_servers,
)

Json = dict[str, Any]
CHAT = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "one two three"}]})


def samples(page: bytes) -> dict[str, float]:
    lines = [one for one in page.decode().splitlines() if one and not one.startswith("#")]
    found = {name: float(value) for name, value in (one.rsplit(" ", 1) for one in lines)}
    assert len(found) == len(lines), "a series is there twice"
    families = [one for one in page.decode().splitlines() if one.startswith("# TYPE")]
    assert len({one.split()[2] for one in families}) == len(families), "a family is there twice"
    return found


def test_concurrency_makes_a_queue() -> None:
    async def test(servers: Servers) -> None:
        given = {"sandbox/concurrency": "2", "sandbox/latency-milliseconds": "60000"}
        servers.show(pod(VLLM, annotations=given))
        listens = servers.port(8000)
        callers = [await Caller.connect(listens or 0) for _ in range(5)]
        for one in callers:
            await one.send("/v1/chat/completions", CHAT)
        (_, life), *_ = servers.fleet.lives()
        load = life.processes["chat"].load
        await until(lambda: load.waiting == 3)
        busy = samples((await servers.ask(8000, "/metrics"))[2])
        labels = '{engine="0",model_name="chat"}'
        assert busy[f"vllm:num_requests_running{labels}"] == 2
        assert busy[f"vllm:num_requests_waiting{labels}"] == 3
        assert busy[f"vllm:kv_cache_usage_perc{labels}"] > 0
        assert load.busy_seconds > 0
        for one in callers:
            one.close()
        await until(lambda: load.running == load.waiting == 0)
        worked = load.busy_seconds
        await asyncio.sleep(0.01)
        assert load.busy_seconds == worked
        idle = samples((await servers.ask(8000, "/metrics"))[2])
        assert idle[f"vllm:num_requests_running{labels}"] == 0
        assert idle[f"vllm:num_requests_waiting{labels}"] == 0

    with_servers(test)


def test_those_that_wait_come_next() -> None:
    async def test(servers: Servers) -> None:
        given = {"sandbox/concurrency": "2", "sandbox/latency-milliseconds": "50"}
        servers.show(pod(VLLM, annotations=given))
        callers = [await Caller.connect(servers.port(8000) or 0) for _ in range(5)]
        for one in callers:
            await one.send("/v1/chat/completions", CHAT)
        assert [(await one.answer())[0] for one in callers] == [200] * 5
        labels = '{engine="0",model_name="chat"}'
        page = samples((await servers.ask(8000, "/metrics"))[2])
        assert page[f"vllm:generation_tokens_total{labels}"] == 15
        assert page[f"vllm:e2e_request_latency_seconds_count{labels}"] == 5
        # The first two wait for none, the next two for one, the last for two.
        (_, life), *_ = servers.fleet.lives()
        assert page[f"vllm:e2e_request_latency_seconds_sum{labels}"] >= 5 * 0.05
        assert life.processes["chat"].load.queued["chat"] > 0

    with_servers(test)


LORA = {
    **VLLM,
    "args": [
        *VLLM["args"],
        "--enable-lora",
        "--max-loras=2",
        "--lora-modules",
        "a=/a",
        "b=/b",
        "c=/c",
    ],
}


def adapters_at_work(page: bytes) -> str:
    """The labels of the newest series of `vllm:lora_requests_info`."""
    name = "vllm:lora_requests_info"
    found = {key: at for key, at in samples(page).items() if key.startswith(name)}
    newest = max(found, key=lambda key: found[key])
    assert list(found.values()).count(found[newest]) == 1
    return newest.removeprefix(name)


async def arrived(load: Load, count: int) -> None:
    await until(lambda: load.running + load.waiting == count)


def test_adapters_that_do_not_fit_into_the_batch_wait() -> None:
    async def test(servers: Servers) -> None:
        servers.show(pod(LORA, annotations={"sandbox/latency-milliseconds": "60000"}))
        listens = servers.port(8000) or 0
        (_, life), *_ = servers.fleet.lives()
        load = life.processes["chat"].load
        callers = []
        for count, adapter in enumerate(("a", "b", "c", "chat", "a"), start=1):
            caller = await Caller.connect(listens)
            callers.append(caller)
            await caller.send("/v1/chat/completions", CHAT.replace("chat", adapter, 1))
            await arrived(load, count)
        # The third adapter waits; the model itself and a second request for the first do not.
        assert (load.running, load.waiting) == (4, 1)
        busy = (await servers.ask(8000, "/metrics"))[2]
        # vLLM names those that run as waiting, too, and the other way round.
        expected = '{max_lora="2",running_lora_adapters="a,b,c",waiting_lora_adapters="a,b,c"}'
        assert adapters_at_work(busy) == expected
        callers[1].close()
        await until(lambda: load.waiting == 0)
        busy = (await servers.ask(8000, "/metrics"))[2]
        expected = '{max_lora="2",running_lora_adapters="a,c",waiting_lora_adapters="a,c"}'
        assert adapters_at_work(busy) == expected
        for one in callers:
            one.close()
        await until(lambda: load.running == 0)
        idle = (await servers.ask(8000, "/metrics"))[2]
        expected = '{max_lora="2",running_lora_adapters="",waiting_lora_adapters=""}'
        assert adapters_at_work(idle) == expected

    with_servers(test)


def test_requests_for_adapters_count_with_their_model() -> None:
    async def test(servers: Servers) -> None:
        servers.show(pod(LORA, annotations={"sandbox/latency-milliseconds": "20"}))
        caller = await Caller.connect(servers.port(8000) or 0)
        for model in ("chat", "b"):
            await caller.send("/v1/chat/completions", CHAT.replace("chat", model, 1))
            assert (await caller.answer())[0] == 200
        page = samples((await servers.ask(8000, "/metrics"))[2])
        labels = '{engine="0",model_name="chat"}'
        assert page[f"vllm:time_to_first_token_seconds_count{labels}"] == 2
        # Three tokens each: two times between them.
        assert page[f"vllm:inter_token_latency_seconds_count{labels}"] == 4
        assert page[f"vllm:inter_token_latency_seconds_sum{labels}"] > 0

    with_servers(test)


def test_failures_keep_their_rate() -> None:
    async def test(servers: Servers) -> None:
        servers.show(pod(TENSORFLOW, annotations={"sandbox/error-rate": "0.1"}))
        one = await Caller.connect(servers.port(8501) or 0)
        statuses = []
        for _ in range(100):
            await one.send("/v1/models/resnet:predict", '{"instances": [1]}')
            statuses.append((await one.answer())[0])
        assert (statuses.count(500), statuses.count(200)) == (10, 90)
        one.close()

    with_servers(test)


def test_a_stream_comes_in_parts() -> None:
    async def test(servers: Servers) -> None:
        asked = "/v1/chat/completions", json.dumps({**json.loads(CHAT), "stream": True})
        servers.show(pod(VLLM, annotations={"sandbox/latency-milliseconds": "60000"}))
        one = await Caller.connect(servers.port(8000) or 0)
        await one.send(*asked)
        first = await one.reader.readuntil(b"data: ")
        assert b"text/event-stream" in first
        (_, life), *_ = servers.fleet.lives()
        assert life.processes["chat"].load.running == 1, "the rest is still being generated"
        servers.show(pod(VLLM, annotations={"sandbox/latency-milliseconds": "20"}))
        other = await Caller.connect(servers.port(8000) or 0)
        await other.send(*asked)
        _, _, body = await other.answer()
        assert body.count(b"data: ") == 6
        assert body.endswith(b"data: [DONE]\n\n")
        await other.send("/health")
        assert (await other.answer())[0] == 200

    with_servers(test)


@pytest.mark.parametrize(
    ("container", "port", "request_", "metrics", "expected"),
    [
        (
            {**TENSORFLOW, "args": [*TENSORFLOW["args"], "--monitoring_config_file=/m"]},
            8501,
            ("/v1/models/resnet:predict", '{"instances": [1]}'),
            (8501, "/monitoring/prometheus/metrics"),
            ':tensorflow:serving:request_count{model_name="resnet",status="OK"}',
        ),
        (
            TRITON,
            8000,
            ("/v2/models/segmenter/infer", '{"inputs": []}'),
            (8002, "/metrics"),
            'nv_inference_request_success{model="segmenter",version="1"}',
        ),
        (
            MLSERVER,
            8080,
            ("/v2/models/fraud/infer", '{"inputs": []}'),
            (8082, "/metrics"),
            'model_infer_request_success_total{model="fraud",version="1"}',
        ),
        (CUSTOM, 8080, ("/x", "y"), (8080, "/metrics"), 'http_requests_total{status="200"}'),
    ],
    ids=["tensorflow-serving", "triton", "mlserver", "custom"],
)
def test_metrics_count_requests(
    container: Json,
    port: int,
    request_: tuple[str, str],
    metrics: tuple[int, str],
    expected: str,
) -> None:
    async def test(servers: Servers) -> None:
        servers.show(pod(container))
        for _ in range(3):
            assert (await servers.ask(port, *request_))[0] == 200
        assert samples((await servers.ask(*metrics))[2])[expected] == 3

    with_servers(test)


def test_gauges_of_the_annotation_replace_measured_ones() -> None:
    async def test(servers: Servers) -> None:
        gauges = {"nv_inference_pending_request_count": "7", "nv_gpu_utilization": "0.5", "x": "y"}
        servers.show(pod(TRITON, annotations={"sandbox/gauges": json.dumps(gauges)}))
        page = samples((await servers.ask(8002, "/metrics"))[2])
        labels = '{model="segmenter",version="1"}'
        assert page[f"nv_inference_pending_request_count{labels}"] == 7
        assert page["nv_gpu_utilization"] == 0.5
        assert not any(name.startswith("x") for name in page)

    with_servers(test)


def test_metrics_are_nowhere_else() -> None:
    async def test(servers: Servers) -> None:
        servers.show(pod(TRITON))
        assert (await servers.ask(8000, "/metrics"))[0] == 404
        assert (await servers.ask(8002, "/v2/health/live"))[0] == 404

    with_servers(test)


def test_settings_at_run_time() -> None:
    async def test(servers: Servers) -> None:
        control = Control(servers.fleet)
        listener, port = await control.start()
        one = pod(TENSORFLOW, name="one", labels={"app": "a"})
        servers.show(one)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            rule = {"namespace": "models", "selector": {"app": "a"}, "errorRate": 1, "latency": 0.0}
            answer = await client.put("/settings", json=rule)
            assert answer.json() == {"pods": ["one"]}
            assert (await servers.ask(8501, "/v1/models/resnet:predict", '{"instances": [1]}'))[
                0
            ] == 500
            described = (await client.get("/pods")).json()
            assert [(item["pod"], item["servers"][0]["failed"]) for item in described] == [
                ("one", 1)
            ]
            # A pod that comes later follows the rule too; the rule may be dropped.
            servers.show(one, pod(CUSTOM, name="two", labels={"app": "a"}))
            assert (await servers.ask(8080, "/"))[0] == 500
            await client.delete("/settings")
            assert (await servers.ask(8080, "/"))[0] == 200
            status = "/v1/models/resnet"
            await client.put("/settings", json={"pod": "one", "failingPaths": [status]})
            assert (await servers.ask(8501, status))[0] == 503
            body = '{"instances": [1]}'
            assert (await servers.ask(8501, f"{status}:predict", body))[0] == 200
            await client.delete("/settings")
            assert (await servers.ask(8501, status))[0] == 200
            wrongs: list[Any] = [{"latencyy": 1}, {"errorRate": 2}, {"latency": "x"}, []]
            for wrong in wrongs:
                assert (await client.put("/settings", json=wrong)).status_code == 400
            assert (await client.get("/nowhere")).status_code == 404
        listener.close()
        control.close()
        await asyncio.sleep(0)

    with_servers(test)
