"""The Prometheus API of Managed Service: what it knows, and who may ask."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from sandbox.gcp import iam_store
from sandbox.gcp.app import create_app
from sandbox.gcp.errors import ApiError
from sandbox.gcp.request import Request
from sandbox.gcp.request_handlers import answer
from sandbox.gcp.services.monitoring import time_series
from sandbox.kubernetes.managed_prometheus import Measured
from sandbox.traffic.metrics import exposition

PROJECT = "acme-ml-dev"
PATH = f"/monitoring/v1/projects/{PROJECT}/location/global/prometheus/api/v1"
ACCOUNT = f"keda@{PROJECT}.iam.gserviceaccount.com"
BACKLOG = "pubsub.googleapis.com/subscription/num_undelivered_messages"


class Metrics:
    """In place of the project's Prometheus: tells what it was asked."""

    async def ask(self, project: str, path: str, parameters: Any) -> tuple[int, bytes]:
        return 200, msgspec.json.encode([project, path, parameters])


class Planes:
    metrics = Metrics()

    async def measured(self, project: str) -> list[Measured]:
        assert project == PROJECT
        return [
            Measured(BACKLOG, 9, {"resource.labels.subscription_id": "stated"}),
            Measured("kubernetes.io/container/restart_count", 1, {"metric.labels.location": "x"}),
        ]


def ask(query: str, token: str = "t", verb: str = "GET", method: str = "query") -> tuple[int, Any]:
    app = create_app(None, Planes())
    iam_store.make_identity_pool(app.state, f"{PROJECT}.svc.id.goog")
    path = f"{PATH}/{method}"
    scope = {
        "type": "http",
        "method": verb,
        "path": path,
        "raw_path": path.encode(),
        "query_string": urlencode({"query": query}).encode() if verb == "GET" else b"",
        "headers": [(b"authorization", f"Bearer {token}".encode()), (b"host", b"localhost")],
    }
    body = b"" if verb == "GET" else msgspec.json.encode({"query": query})
    found = asyncio.run(answer(app._emulator, Request.of(scope, body)))
    return found.status, msgspec.json.decode(found.content)


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_a_query_reaches_the_projects_prometheus(verb: str) -> None:
    query = "histogram_quantile(0.9, sum by (le) (rate(latency_bucket[5m])))"
    status, (project, path, parameters) = ask(query, verb=verb)
    assert (status, project, path) == (200, PROJECT, "api/v1/query")
    assert parameters["query"] in (query, [query])


def test_other_calls_of_prometheus_reach_it_too() -> None:
    status, (_, path, _) = ask("up", verb="POST", method="query_range")
    assert (status, path) == (200, "api/v1/query_range")


@pytest.mark.parametrize(
    ("query", "is_refused"),
    [
        ("monitoring_googleapis_com:uptime_check_check_passed", True),
        ("sum(rate(monitoring_googleapis_com:uptime_check_check_passed{a='b'}[5m])) > 0", True),
        (
            "sum(monitoring_googleapis_com:uptime_check_check_passed"
            "{monitored_resource='uptime_url'})",
            False,
        ),
        ("my_monitoring_googleapis_com:uptime_check_check_passed", False),
    ],
)
def test_a_metric_of_several_resources_needs_one_of_them(query: str, *, is_refused: bool) -> None:
    status, body = ask(query)
    assert status == (400 if is_refused else 200)
    if is_refused:
        assert "multiple monitored resource" in body["error"]["message"]


def test_google_measures_what_the_emulated_services_know_and_what_is_stated() -> None:
    state = create_app(None, Planes()).state
    folder = f"pubsub/projects/{PROJECT}/subscriptions"
    for name in ("jobs", "stated", "empty"):
        state.store.put(f"{folder}/{name}", {"name": name, "topic": "projects/p/topics/t"})
    for number in range(3):
        state.store.put(f"{folder}/jobs/messages/{number}", {"message": {}})
    found = asyncio.run(time_series.samples(state, PROJECT))
    name = time_series.promql_name(BACKLOG)
    backlogs = {one.labels["subscription_id"]: one.value for one in found if one.name == name}
    assert backlogs == {"jobs": 3, "stated": 9, "empty": 0}
    page = exposition.page(found)
    assert (
        f'{name}{{monitored_resource="pubsub_subscription",project_id="{PROJECT}",'
        'subscription_id="jobs"} 3\n'
    ) in page
    assert "kubernetes_io:container_restart_count{" in page


def test_what_is_stated_replaces_the_measured_series_that_have_its_labels() -> None:
    duty, labels = "kubernetes.io/container/accelerator/duty_cycle", {"container_name": "chat"}
    measured = [
        exposition.Sample(
            time_series.promql_name(duty),
            value,
            {"project_id": PROJECT, "monitored_resource": "k8s_container", "pod_name": pod}
            | {"container_name": container},
        )
        for pod, container, value in (("a", "chat", 10), ("b", "chat", 20), ("c", "other", 30))
    ]

    class Stated(Planes):
        async def measured(self, project: str) -> list[Measured]:
            given = {f"resource.labels.{key}": value for key, value in labels.items()}
            return [Measured(duty, 75, {"resource.type": "k8s_container", **given})]

    class Requests:
        class measurements:  # noqa: N801
            @staticmethod
            def samples(project: str) -> list[exposition.Sample]:
                return measured

        class accelerators:  # noqa: N801
            @staticmethod
            async def samples(project: str, *, exported: object) -> list[exposition.Sample]:
                assert exported == frozenset()
                return []

        class uptime:  # noqa: N801
            @staticmethod
            def samples(project: str) -> list[exposition.Sample]:
                return []

    state = create_app(None, Stated()).state
    state.requests = Requests()
    found = asyncio.run(time_series.samples(state, PROJECT))
    assert sorted(one.value for one in found) == [30, 75]


def test_a_label_is_escaped() -> None:
    sample = exposition.Sample("a", 1.5, {"b": 'x"y\\z\n'})
    assert exposition.page([sample]) == 'a{b="x\\"y\\\\z\\n"} 1.5\n'


def test_a_service_account_needs_the_right_to_read_metrics() -> None:
    from sandbox.gcp import workload_identity

    state = create_app(None).state
    member = f"serviceAccount:{PROJECT}.svc.id.goog[keda/keda-operator]"
    with pytest.raises(ApiError, match=r"iam\.serviceAccounts\.getAccessToken"):
        workload_identity.token(state, ACCOUNT, member)
    key = f"policies/iam/projects/{PROJECT}/serviceAccounts/{ACCOUNT}"
    user = {"role": "roles/iam.workloadIdentityUser", "members": [member]}
    state.store.put(key, {"generation": 1, "policy": {"bindings": [user]}})
    token = workload_identity.token(state, ACCOUNT, member)
    status, body = ask("sum(queue)", token)
    assert status == 403
    assert "monitoring.timeSeries.list" in body["error"]["message"]
    viewer = {"role": "roles/monitoring.viewer", "members": [f"serviceAccount:{ACCOUNT}"]}
    project = f"policies/cloudresourcemanager/projects/{PROJECT}"
    state.store.put(project, {"generation": 1, "policy": {"bindings": [viewer]}})
    roles = {"roles/monitoring.viewer"}
    workload_identity.require(state, f"Bearer {token}", PROJECT, roles, "read")
