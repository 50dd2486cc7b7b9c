"""The adapters of pods follow the ConfigMaps that the platform's sidecar reads."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from infra.serving.models import Model, adapter_sidecar, expanded
from infra.serving.models import pod as model_pod
from sandbox.traffic.model_servers import pods
from sandbox.traffic.model_servers.adapter_lists import adapters, list_of
from tests.sandbox.traffic.model_servers.cluster import (
    KEY,
    VLLM,
    ZONES,
    Servers,
    pod,
    until,
    with_servers,
)
from tests.sandbox.traffic.model_servers.test_load import samples
from tests.unit.entries import VLLM as ENTRY

NAME = ("models", "m1-adapters")


def listed(*names: str) -> dict[str, str]:
    """The data of the ConfigMap, as the platform writes it."""
    entry = [{"name": name, "source": f"gs://acme-ml-dev-models/{name}"} for name in names]
    model = msgspec.convert(ENTRY | {"adapters": entry}, Model)
    found = expanded(model, key="models[0]", namespace="models").adapters
    assert found is not None
    return adapter_sidecar.data(found)


def platform_pod() -> dict[str, Any]:
    """A pod of the platform's template."""
    model = msgspec.convert(ENTRY | {"adapters": []}, Model)
    workload = expanded(model, key="models[0]", namespace="models")
    spec = model_pod.template(workload, labels={}, account="models")["spec"]
    return pod(*spec.pop("containers"), **spec)


def test_the_platform_s_sidecar_is_known() -> None:
    assert list_of(platform_pod()["spec"]) == "m1-adapters"


def test_a_pod_without_it_has_no_list() -> None:
    assert list_of(pod(VLLM)["spec"]) is None


def test_the_list_is_read_as_the_platform_writes_it() -> None:
    found = adapters({"data": listed("support", "sql")})
    assert found.keys() == {"support", "sql"}
    assert all(folder.startswith("/adapters/") for folder in found.values())


@pytest.mark.parametrize("data", [None, {}, {"adapters.json": "["}, {"adapters.json": "[1]"}])
def test_a_list_that_cannot_be_read_is_empty(data: Any) -> None:
    assert adapters({"data": data}) == {}


async def served(servers: Servers) -> list[str]:
    _, _, body = await servers.ask(8000, "/v1/models")
    return [one["id"] for one in json.loads(body)["data"]]


def test_a_server_takes_over_each_list() -> None:
    async def test(servers: Servers) -> None:
        servers.show(platform_pod())
        await until(lambda: servers.port(8000) is not None)
        assert servers.fleet.adapter_lists(KEY) == {NAME}
        for names in (["support", "sql"], ["sql"], []):
            lists = {NAME: adapters({"data": listed(*names)})}
            servers.fleet.set_adapters(KEY, lists)
            assert await served(servers) == ["m1", *names]

    with_servers(test)


def test_a_pod_that_starts_has_the_list_of_the_others() -> None:
    async def test(servers: Servers) -> None:
        servers.show(platform_pod())
        servers.fleet.set_adapters(KEY, {NAME: adapters({"data": listed("sql")})})
        await until(lambda: servers.port(8000) is not None)
        assert await served(servers) == ["m1", "sql"]

    with_servers(test)


def test_each_adapter_gets_a_first_request_once() -> None:
    """As the sidecar sends it; without one the endpoint picker takes the pod for full."""

    async def test(servers: Servers) -> None:
        servers.show(platform_pod())
        await until(lambda: servers.port(8000) is not None)
        counts: list[float] = []
        for names in ([], ["support", "sql"], ["support", "sql"], ["sql"], ["support", "sql"]):
            servers.fleet.set_adapters(KEY, {NAME: adapters({"data": listed(*names)})})
            page = samples((await servers.ask(8000, "/metrics"))[2])
            told = [one for one in page if one.startswith("vllm:lora_requests_info")]
            assert bool(told) == bool(counts)
            counts.append(
                sum(at for key, at in page.items() if key.startswith("vllm:request_success_total"))
            )
        assert counts == [0, 2, 2, 2, 3]

    with_servers(test)


def test_the_platform_s_server_takes_them_from_its_pod_only() -> None:
    read = pods.read(platform_pod(), ZONES)
    assert read is not None
    (container,) = [one for one in read.containers if one.server.kind == "vllm"]
    assert container.server.updates_adapters == "pod"
    assert json.loads(listed("a")["adapters.json"])[0]["name"] == "a"
