"""A real Prometheus scrapes what clusters collect, and answers for one project alone."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.environment.language_models import queries
from infra.environment.language_models.watched import LanguageModel
from sandbox.gcp.app import create_app
from sandbox.gcp.service import project_number
from sandbox.gcp.services.monitoring import alerts
from sandbox.home import Home
from sandbox.kubernetes import processes
from sandbox.traffic.metrics.managed_service import ManagedService, PrometheusError
from sandbox.traffic.metrics.scrape_jobs import Cluster, ScrapeJob
from tests.sandbox.traffic.metrics.gauge_server import GaugeServer, serving

pytestmark = pytest.mark.slow
DEV = Cluster(project="dev", location="europe-west4", name="main")
STAGE = Cluster(project="stage", location="europe-west4", name="main")
SETTINGS = {"scrape_interval": "1s", "scrape_timeout": "1s"}


def job(server: GaugeServer, *instances: str) -> ScrapeJob:
    address = f"127.0.0.1:{server.port}"
    targets = tuple((address, {"job": "resnet", "instance": one}) for one in instances)
    return ScrapeJob(name="models/resnet/0", settings=SETTINGS, targets=targets)


async def ask(service: ManagedService, query: str, project: str = "dev") -> list[dict[str, Any]]:
    status, content = await service.ask(project, "api/v1/query", {"query": query})
    assert status == 200, content
    return list(json.loads(content)["data"]["result"])


async def eventually(service: ManagedService, query: str, expected: list[float]) -> None:
    deadline = time.monotonic() + 120
    while True:
        found = [float(one["value"][1]) for one in await ask(service, query)]
        if found == expected:
            return
        assert time.monotonic() < deadline, (query, found)
        await asyncio.sleep(0.2)


def test_what_is_collected_can_be_asked_for(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()

    async def run(models: GaugeServer, google: GaugeServer) -> None:
        service = ManagedService(home, api=lambda: f"http://127.0.0.1:{google.port}")
        await service.collect(DEV, [job(models, "a", "b")])
        await service.collect(STAGE, [job(models, "a")])
        await eventually(service, "sum(queue)", [8])
        await eventually(service, 'max_over_time(queue{instance="a"}[1m]) + 1', [5])
        await eventually(service, "pubsub_googleapis_com:backlog", [3])
        (series,) = await ask(service, "pubsub_googleapis_com:backlog")
        assert series["metric"] == {
            "__name__": "pubsub_googleapis_com:backlog", "subscription_id": "jobs",
        }  # fmt: skip
        assert await ask(service, "queue", "other") == []

        # A changed job counts at once; a target that is gone has no value.
        await service.collect(DEV, [job(models, "b")])
        await eventually(service, "count(queue)", [1])
        models.text = "queue 6\n"
        await eventually(service, "queue", [6])
        # So has a job that is gone.
        await service.collect(DEV, [])
        await eventually(service, "queue", [])
        # An expression that Prometheus refuses is refused in its words.
        status, content = await service.ask("dev", "api/v1/query", {"query": "sum("})
        assert status == 400
        assert b"parse error" in content
        await service.stop()

        # Its data is kept for the next daemon, and nothing runs on or is started again.
        with pytest.raises(PrometheusError, match="the sandbox ends"):
            await service.collect(DEV, [job(models, "b")])
        assert processes.below(home.traffic) == {}
        again = ManagedService(home, api=lambda: f"http://127.0.0.1:{google.port}")
        assert len(await ask(again, "last_over_time(queue[5m])")) == 2
        await again.stop()
        assert processes.below(home.traffic) == {}

    with serving() as models, serving() as google:
        models.text = "queue 4\n"
        google.text = 'pubsub_googleapis_com:backlog{subscription_id="jobs"} 3\n'
        asyncio.run(run(models, google))


CHAT = LanguageModel(
    name="chat",
    cluster="main",
    location="europe-west4",
    namespace="models",
    jobs=("chat",),
    first_token_milliseconds=1000,
    first_token_goal=0.95,
    waiting_minutes=1,
)


def answered(fast: int, slow: int, waiting: int = 0) -> str:
    """A page of vLLM's with so many first tokens within a second, and after it."""
    name = "vllm:time_to_first_token_seconds"
    return (
        f"# TYPE {name} histogram\n"
        f'{name}_bucket{{le="1.0"}} {fast}\n{name}_bucket{{le="+Inf"}} {fast + slow}\n'
        f"{name}_sum {fast}\n{name}_count {fast + slow}\n"
        f"vllm:num_requests_waiting {waiting}\nvllm:num_requests_running 1\n"
        f"vllm:prompt_tokens_total {9 * fast}\nvllm:generation_tokens_total {fast}\n"
    )


def test_slow_first_tokens_fire_the_alert_of_a_language_model(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    burning = {
        "displayName": "slow",
        "conditionPrometheusQueryLanguage": {"query": queries.burns_at(CHAT, 6, (60, 5))},
    }
    document = {
        "name": "projects/dev/alertPolicies/1",
        "displayName": "slow",
        "combiner": "OR",
        "conditions": [burning],
    }

    async def run(server: GaugeServer, google: GaugeServer) -> None:
        service = ManagedService(home, api=lambda: f"http://127.0.0.1:{google.port}")
        state = create_app(None, SimpleNamespace(metrics=service)).state
        state.store.put("monitoring/projects/dev/alertPolicies/1", document)
        labels = {"cluster": "main", "location": "europe-west4", "namespace": "models"}
        target = (f"127.0.0.1:{server.port}", {**labels, "job": "chat", "pod": "chat-1"})
        jobs = [ScrapeJob(name="models/chat/0", settings=SETTINGS, targets=(target,))]
        await service.collect(DEV, jobs)

        async def count(expected: float) -> None:
            await eventually(service, "sum(vllm:time_to_first_token_seconds_count)", [expected])

        async def shown() -> str:
            (one,) = await alerts.states(state, "dev")
            return str(one["state"])

        await count(100)
        assert await shown() == "quiet"
        server.text = answered(fast=200, slow=0)
        await count(200)
        assert await shown() == "quiet"
        server.text = answered(fast=250, slow=150, waiting=7)
        await count(400)
        assert await shown() == "firing"
        await eventually(service, queries.waiting(CHAT), [7])
        (cost,) = await ask(service, queries.cost_of_a_million(CHAT, 1.5))
        assert 0 < float(cost["value"][1]) < 1.5e6
        await service.stop()

    with serving() as server, serving() as google:
        server.text = answered(fast=100, slow=0)
        google.text = ""
        asyncio.run(run(server, google))


REQUESTS = "loadbalancing_googleapis_com:https_request_count"
LATENCIES = "loadbalancing_googleapis_com:https_total_latencies"


def requests(good: int, bad: int, slow: int) -> str:
    """A page of a load balancer with so many requests."""
    at = 'monitored_resource="https_lb_rule",backend_target_name="resnet"'
    total = good + bad
    return (
        f'{REQUESTS}{{{at},response_code_class="200"}} {good}\n'
        f'{REQUESTS}{{{at},response_code_class="500"}} {bad}\n'
        f'{LATENCIES}_bucket{{{at},le="100"}} {total - slow}\n'
        f'{LATENCIES}_bucket{{{at},le="1000"}} {total}\n'
        f'{LATENCIES}_bucket{{{at},le="+Inf"}} {total}\n'
    )


def policy(name: str, objective: str) -> dict[str, Any]:
    burn = {
        "filter": f'select_slo_burn_rate("{objective}", "3600s")',
        "comparison": "COMPARISON_GT",
        "thresholdValue": 10,
    }
    return {
        "name": f"projects/dev/alertPolicies/{name}",
        "displayName": name,
        "combiner": "AND",
        "conditions": [{"displayName": "budget", "conditionThreshold": burn}],
    }


def test_a_burnt_budget_fires_its_alert(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    at = 'resource.type = "https_lb_rule" AND resource.labels.backend_target_name = "resnet"'
    total = f'metric.type = "loadbalancing.googleapis.com/https/request_count" AND {at}'
    latencies = f'metric.type = "loadbalancing.googleapis.com/https/total_latencies" AND {at}'
    indicators = {
        "availability": {
            "goodTotalRatio": {
                "badServiceFilter": f"{total} AND metric.labels.response_code_class = 500",
                "totalServiceFilter": total,
            }
        },
        "latency": {"distributionCut": {"distributionFilter": latencies, "range": {"max": 100}}},
    }

    async def run(google: GaugeServer) -> None:
        service = ManagedService(home, api=lambda: f"http://127.0.0.1:{google.port}")
        state = create_app(None, SimpleNamespace(metrics=service)).state
        for name, indicator in indicators.items():
            path = f"services/resnet/serviceLevelObjectives/{name}"
            # Google answers with the project's number.
            objective = f"projects/{project_number('dev')}/{path}"
            body = {"goal": 0.99, "serviceLevelIndicator": {"requestBased": indicator}}
            state.store.put(f"monitoring/projects/dev/{path}", body)
            state.store.put(
                f"monitoring/projects/dev/alertPolicies/{name}", policy(name, objective)
            )

        async def shown() -> dict[str, str]:
            return {one["displayName"]: one["state"] for one in await alerts.states(state, "dev")}

        # Without requests nothing burns.
        assert await shown() == {"availability": "quiet", "latency": "quiet"}
        await eventually(service, f'{REQUESTS}{{response_code_class="200"}}', [100])
        google.text = requests(good=170, bad=30, slow=0)
        await eventually(service, f'{REQUESTS}{{response_code_class="200"}}', [170])
        assert await shown() == {"availability": "firing", "latency": "quiet"}
        google.text = requests(good=270, bad=30, slow=100)
        await eventually(service, f'{REQUESTS}{{response_code_class="200"}}', [270])
        assert (await shown())["latency"] == "firing"
        await service.stop()

    with serving() as google:
        google.text = requests(good=100, bad=0, slow=0)
        asyncio.run(run(google))
