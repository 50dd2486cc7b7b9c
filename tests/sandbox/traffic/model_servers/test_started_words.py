"""A server that a program of its pod starts has the words that the real program chose."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from infra.serving.models import Model, expanded, gpu_start
from infra.serving.models.pod import template
from sandbox.traffic.model_servers.kinds import model_server
from sandbox.traffic.model_servers.started_words import StartedWords, StartError, run
from tests.sandbox.traffic.model_servers.cluster import Servers, pod, until, with_servers
from tests.unit.entries import VLLM as ENTRY

Json = dict[str, Any]
FILES = {"/etc/gpu-arguments": gpu_start.data()}
OWN = {"nvidia-tesla-a100": ["--max-model-len=65536"]}
ON_L4, ON_A100 = {"node-1": "nvidia-l4"}, {"node-1": "nvidia-tesla-a100"}


def platform_pod(gpus: int = 1) -> Json:
    """A pod of the platform's template, with common arguments and those for one type."""
    keys = {
        "compute_class": "gpus",
        "resources": ENTRY["resources"] | {"gpu": {"count": gpus}},
        "arguments": ["--max-model-len=8192"],
        "arguments_by_gpu": OWN,
    }
    model = msgspec.convert(ENTRY | keys, Model)
    workload = expanded(model, key="models[0]", namespace="models")
    spec = template(workload, labels={}, account="models")["spec"]
    return pod(*spec.pop("containers"), **spec)


class Cluster:
    """The API server, as far as it is asked."""

    def __init__(self, files: Json | None) -> None:
        self.files = files
        self.patched: list[Json] = []

    async def get(self, _path: str) -> Json | None:
        return None if self.files is None else {"data": self.files}

    async def request(self, _method: str, _path: str, body: Json, **_: Any) -> Json:
        self.patched.append(body["status"])
        return {}


def words(gpu: str, gpus: int = 1) -> list[str]:
    [container] = platform_pod(gpus)["spec"]["containers"]
    return asyncio.run(run(container, FILES, gpu=gpu))


def test_the_server_has_the_words_for_the_device_of_its_node() -> None:
    common = words("nvidia-l4")
    assert common[:2] == ["vllm", "serve"]
    assert common[-1] == "--max-model-len=8192"
    assert words("nvidia-tesla-a100", gpus=2) == [
        *common[:-1],
        "--max-model-len=8192",
        *OWN["nvidia-tesla-a100"],
    ]


@pytest.mark.parametrize("gpu", ["", "nvidia-unheard-of"])
def test_a_node_whose_device_is_not_known_starts_no_server(gpu: str) -> None:
    with pytest.raises(StartError, match="no arguments for the GPU"):
        words(gpu)


def test_a_container_that_asks_for_no_gpu_sees_none() -> None:
    [container] = platform_pod()["spec"]["containers"]
    container["resources"] = {}
    with pytest.raises(StartError, match="No devices were found"):
        asyncio.run(run(container, FILES, gpu="nvidia-l4"))


async def longest(servers: Servers) -> int:
    _, _, body = await servers.ask(8000, "/v1/models")
    return int(json.loads(body)["data"][0]["max_model_len"])


@pytest.mark.parametrize(("accelerators", "tokens"), [(ON_L4, 8192), (ON_A100, 65536)])
def test_requests_are_answered_as_by_that_server(accelerators: dict[str, str], tokens: int) -> None:
    async def test(servers: Servers) -> None:
        shown = platform_pod()
        cluster: Any = Cluster(gpu_start.data())
        seen = StartedWords(cluster, lambda: servers.show(*seen.started([shown], accelerators)))
        assert seen.started([shown], accelerators) == []
        await until(lambda: servers.port(8000) is not None)
        assert await longest(servers) == tokens
        assert seen.started([], accelerators) == []
        await seen.stop()

    with_servers(test)


def test_a_pod_whose_program_fails_crashes_and_is_not_ready() -> None:
    async def test() -> None:
        cluster: Any = Cluster(gpu_start.data())
        shown = platform_pod()
        shown["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
        seen = StartedWords(cluster, lambda: None)
        seen.started([shown], {"node-1": "nvidia-unheard-of"})
        await until(lambda: bool(cluster.patched))
        [status] = cluster.patched
        assert [one["status"] for one in status["conditions"]] == ["False"]
        [container] = status["containerStatuses"]
        assert container["state"]["waiting"]["reason"] == "CrashLoopBackOff"
        assert "nvidia-unheard-of" in container["lastState"]["terminated"]["message"]
        assert seen.started([shown], {}) == []
        await seen.stop()

    asyncio.run(test())


def test_a_pod_waits_for_its_node() -> None:
    async def test(servers: Servers) -> None:
        cluster: Any = Cluster(gpu_start.data())
        shown = platform_pod()
        seen = StartedWords(cluster, lambda: servers.show(*seen.started([shown], ON_L4)))
        assert seen.started([shown], {}) == []
        seen.started([shown], ON_L4)
        await until(lambda: servers.port(8000) is not None)
        assert cluster.patched == []
        await seen.stop()

    with_servers(test)


def test_a_pod_without_such_a_program_is_left_as_it_is() -> None:
    async def test() -> None:
        cluster: Any = Cluster(None)
        plain = pod({"name": "chat", "image": "vllm/vllm-openai:v0.33.0", "command": ["vllm"]})
        assert StartedWords(cluster, lambda: None).started([plain], {}) == [plain]

    asyncio.run(test())


def test_the_server_is_recognized_by_the_words() -> None:
    [container] = platform_pod()["spec"]["containers"]
    told = {**container, "command": words("nvidia-tesla-a100"), "args": []}
    found = model_server(told)
    assert found is not None
    assert (found.kind, found.models, found.longest) == ("vllm", ("m1",), 65536)
