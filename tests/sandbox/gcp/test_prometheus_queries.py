"""The Prometheus API of Managed Service: what it knows, and who may ask."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sandbox.gcp import iam_store
from sandbox.gcp.app import create_app
from sandbox.gcp.errors import ApiError
from sandbox.gcp.request import Request
from sandbox.gcp.request_handlers import answer
from sandbox.gcp.services.monitoring import prometheus
from sandbox.kubernetes.managed_prometheus import Sample

PROJECT = "acme-ml-dev"
PATH = f"/monitoring/v1/projects/{PROJECT}/location/global/prometheus/api/v1/query"
ACCOUNT = f"keda@{PROJECT}.iam.gserviceaccount.com"
BACKLOG = "pubsub.googleapis.com/subscription/num_undelivered_messages"


class Planes:
    async def samples(self, project: str) -> list[Sample]:
        assert project == PROJECT
        return [
            Sample("queue", 3, {"cluster": "c", "pod": "a"}),
            Sample("queue", 5, {"cluster": "c", "pod": "b"}),
            Sample("queue", 7, {"cluster": "other", "pod": "c"}),
            Sample(BACKLOG, 9, {"resource.labels.subscription_id": "jobs"}),
            Sample("kubernetes.io/container/restart_count", 1, {}),
        ]


def ask(query: str, token: str = "t", method: str = "GET") -> tuple[int, Any]:
    from urllib.parse import urlencode

    import msgspec

    app = create_app(None, Planes())
    iam_store.make_identity_pool(app.state, f"{PROJECT}.svc.id.goog")
    scope = {
        "type": "http",
        "method": method,
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": urlencode({"query": query}).encode() if method == "GET" else b"",
        "headers": [(b"authorization", f"Bearer {token}".encode()), (b"host", b"localhost")],
    }
    body = b"" if method == "GET" else msgspec.json.encode({"query": query})
    found = asyncio.run(answer(app._emulator, Request.of(scope, body)))
    return found.status, msgspec.json.decode(found.content)


def values(query: str, method: str = "GET") -> list[float]:
    status, body = ask(query, method=method)
    assert status == 200, body
    return [float(one["value"][1]) for one in body["data"]["result"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('sum(queue{cluster="c"})', [8]),
        ('avg(queue{cluster="c"})', [4]),
        ("max(queue)", [7]),
        ('queue{cluster!="c"}', [7]),
        ('sum(queue{cluster="none"})', []),
        (
            'sum(pubsub_googleapis_com:subscription_num_undelivered_messages{subscription_id="jobs"'
            f',project_id="{PROJECT}"}})',
            [9],
        ),
        (
            'sum(pubsub_googleapis_com:subscription_num_undelivered_messages{subscription_id="x"})',
            [],
        ),
    ],
)
def test_a_query_is_answered(query: str, expected: list[float]) -> None:
    assert values(query) == expected
    assert values(query, "POST") == expected


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("", 400, "no expression"),
        ("rate(queue[5m])", 501, "does not emulate"),
        ('sum(queue{pod=~"a.*"})', 501, "does not emulate"),
        ("monitoring_googleapis_com:uptime_check_check_passed", 400, "multiple monitored resource"),
    ],
)
def test_other_queries_are_refused(query: str, status: int, said: str) -> None:
    found, body = ask(query)
    assert found == status
    assert said in body["error"]["message"]


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


def test_parsing_a_selector() -> None:
    assert prometheus.parse(r'sum(a:b{c="x\"y",d!="z"})') == (
        "sum",
        "a:b",
        [("c", "=", 'x"y'), ("d", "!=", "z")],
    )
