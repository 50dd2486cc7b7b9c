"""Each chart and alert of a language model finds what its servers and GKE measure.

The servers' pages are those of the rehearsed servers, and the GPUs' series those of the rehearsed
exporter; a real Prometheus answers.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.show import adapters
from infra.environment.language_models import adapter_queries, gpu_queries, queries
from infra.environment.language_models.dashboard import dashboard
from infra.environment.language_models.watched import LanguageModel
from sandbox.home import Home
from sandbox.traffic.metrics import exposition, gpus
from sandbox.traffic.metrics.exposition import Sample
from sandbox.traffic.metrics.gpus import Holder
from sandbox.traffic.metrics.managed_service import ManagedService
from sandbox.traffic.metrics.scrape_jobs import Cluster, ScrapeJob
from sandbox.traffic.model_servers import metrics
from sandbox.traffic.model_servers.load import Load, Settings
from sandbox.traffic.model_servers.model_server import ModelServer
from sandbox.traffic.model_servers.served import Served
from tests.sandbox.traffic.metrics.gauge_server import GaugeServer, serving

pytestmark = pytest.mark.slow
CLUSTER = Cluster(project="dev", location="europe-west4", name="main")
SCRAPED = {"scrape_interval": "1s", "scrape_timeout": "1s"}
CHAT = LanguageModel(
    name="chat",
    cluster="main",
    location="europe-west4",
    namespace="models",
    jobs=("chat", "chat-canary"),
    first_token_milliseconds=1000,
    first_token_goal=0.95,
    waiting_minutes=1,
    max_loras=2,
    has_gpu_metrics=True,
    hourly_price=2.0,
    least_hourly_price=0.5,
    currency="EUR",
)
NODE = "gke-main-gpu-1"
HOLDER = Holder(
    cluster="dev.europe-west4.main",
    node=NODE,
    namespace="models",
    pod="chat-1",
    container="chat",
    gpus=2,
    busy=0.4,
    memory_share=0.92,
)
NODES = {
    f"dev.europe-west4.main/{NODE}": {
        "metadata": {
            "labels": {
                "cloud.google.com/gke-accelerator": "nvidia-l4",
                "cloud.google.com/gke-gpu-driver-version": "default",
            }
        }
    }
}
SERVER = ModelServer(
    kind="vllm",
    container="chat",
    image="vllm/vllm-openai:v0.33.0",
    models=("chat",),
    ports={8000: "http"},
    metrics_path="/metrics",
    on_sigterm="drain",
)


def exported(holder: Holder) -> str:
    """The GPUs' series; those of the exporter that a rehearsal lacks are added."""
    found = list(gpus.samples([holder], NODES))
    engines = [one for one in found if one.name == gpus.ENGINE]
    more = (gpu_queries.TENSOR, gpu_queries.BANDWIDTH)
    found += [Sample(name, 0.3, one.labels) for name in more for one in engines]
    return exposition.page(found)


class Chat:
    """A rehearsed server without its connections."""

    def __init__(self) -> None:
        self.load = Load(Settings(), asyncio.get_running_loop(), max_loras=CHAT.max_loras)
        self._served = Served(
            pod="chat-1", namespace="models", node=NODE, zone="a", version="1", server=SERVER
        )

    def answer(self, times: int) -> None:
        """Answer so many requests at once, with the same prompt."""
        for _ in range(times):
            self.load.pass_at_once("")
            self.load.count("chat", "chat", 200, None, (32, 5))
            self.load.prefixes.take("chat", ["word"] * 32)

    def page(self) -> str:
        return metrics.text(self._served, self.load, None).decode()


async def series(service: ManagedService, query: str) -> list[tuple[dict[str, str], float]]:
    """Labels and value of each series that a query finds."""
    asked = {"query": query.replace(queries.WINDOW, "10m")}
    status, content = await service.ask("dev", "api/v1/query", asked)
    assert status == 200, content
    found: list[dict[str, Any]] = json.loads(content)["data"]["result"]
    return [(one["metric"], float(one["value"][1])) for one in found]


async def values(service: ManagedService, query: str) -> list[float]:
    return [value for _, value in await series(service, query)]


async def until(service: ManagedService, query: str) -> list[float]:
    """The values of a query, once it has numbers."""
    deadline = time.monotonic() + 120
    while True:
        found = await values(service, query)
        if found and all(math.isfinite(one) for one in found):
            return found
        assert time.monotonic() < deadline, (query, found)
        await asyncio.sleep(0.2)


async def scenario(home: Home, server: GaugeServer, google: GaugeServer) -> None:
    chat = Chat()
    chat.answer(10)
    server.text, google.text = chat.page(), exported(HOLDER)
    service = ManagedService(home, api=lambda: f"http://127.0.0.1:{google.port}")
    where = {"cluster": "main", "location": "europe-west4", "namespace": "models"}
    address = f"127.0.0.1:{server.port}"
    targets = tuple(
        (address, {**where, "job": job, "pod": f"{job}-1", "instance": f"{job}-1:8000"})
        for job in CHAT.jobs
    )
    jobs = [ScrapeJob(name="models/chat/0", settings=SCRAPED, targets=targets)]
    await service.collect(CLUSTER, jobs)
    try:
        await until(service, f"count(vllm:generation_tokens_total) >= {len(targets)}")
        chat.answer(10)
        server.text = chat.page()
        for tile in json.loads(dashboard("chat", CHAT))["mosaicLayout"]["tiles"]:
            for one in tile["widget"]["xyChart"]["dataSets"]:
                await until(service, one["timeSeriesQuery"]["prometheusQuery"])
        assert await until(service, gpu_queries.active(gpu_queries.ENGINE, CHAT)) == [0.4]
        (full,) = await until(service, gpu_queries.memory(CHAT))
        assert 0.91 < full < 0.93
        dear = queries.cost_of_a_million(CHAT, 2.0)
        assert (await until(service, dear))[0] > 0
        limit = queries.costs_more(CHAT, 2.0, 1e-9)
        assert len(await until(service, limit)) == 1
        await quiet_and_firing(service, chat, server, google)
    finally:
        await service.stop()


async def quiet_and_firing(
    service: ManagedService, chat: Chat, server: GaugeServer, google: GaugeServer
) -> None:
    """What the alerts ask has no value while all is well, and one when it is not."""
    alerts = (
        gpu_queries.idle_while_requests_wait(CHAT),
        gpu_queries.nearly_full(CHAT),
        adapter_queries.more_are_asked_than_fit(CHAT),
    )
    assert [await values(service, one) for one in alerts] == [[], [], []]
    assert await values(service, adapter_queries.full_pods(CHAT)) == [0]
    chat.load.change(Settings(latency=600))
    # Two fit; of three others requests wait.
    for adapter in ("a", "b", "c", "d", "e", "a"):
        chat.load.enter(lambda: None, adapter=adapter)
    assert (chat.load.running, chat.load.waiting) == (3, 3)
    server.text = chat.page()
    google.text = exported(replace(HOLDER, busy=0.0, memory_share=0.99))
    for one in alerts:
        await until(service, one)
    assert await values(service, adapter_queries.full_pods(CHAT)) == [2]
    assert await values(service, adapter_queries.waiting_pods(CHAT)) == [2]
    # Of each pod the newest series counts.
    assert await values(service, adapter_queries.running(CHAT)) == [2]
    answered = await series(service, adapters.query(CHAT.cluster, CHAT.location))
    versions = [(CHAT.namespace, job) for job in CHAT.jobs]
    told = adapters.of_model(adapters.asked(answered), versions, names=["f"], fit=CHAT.max_loras)
    assert adapters.text(told) == "a 2, b 2, c 2, d 2, e 2"
    assert told.crowded == 2


def test_every_chart_and_alert_finds_what_is_measured(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    with serving() as server, serving() as google:
        asyncio.run(scenario(home, server, google))
