"""The metrics adapter: the values that autoscalers get."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.controllers.metrics_adapter import GAUGES, SERIES, MetricsAdapter

QUEUE = "pubsub.googleapis.com|subscription|num_undelivered_messages"


class Cluster:
    """Two pods, of which one tells a gauge, and a namespace with one time series."""

    async def list(self, path: str, params: dict[str, str]) -> dict[str, Any]:
        assert (path, params) == ("/api/v1/namespaces/n/pods", {"labelSelector": "a=b"})
        told = {"name": "one", "annotations": {GAUGES: json.dumps({"queue": "32"})}}
        return {"items": [{"metadata": told}, {"metadata": {"name": "two"}}]}

    async def get(self, path: str) -> dict[str, Any]:
        assert path == "/api/v1/namespaces/n"
        series = [
            {"name": QUEUE, "labels": {"resource.labels.subscription_id": "jobs"}, "value": 7}
        ]
        return {"metadata": {"annotations": {SERIES: json.dumps(series)}}}


def asked(path: str) -> tuple[int, dict[str, Any]]:
    adapter = MetricsAdapter(cast(ApiServer, Cluster()), pki=Path())
    return asyncio.run(adapter._answer(path))


def values(path: str) -> list[str]:
    status, answer = asked(path)
    assert status == 200
    return [item["value"] for item in answer["items"]]


def test_a_gauge_is_reported_for_the_pods_that_have_it() -> None:
    name = quote("prometheus.googleapis.com|queue|gauge")
    path = f"/apis/custom.metrics.k8s.io/v1beta2/namespaces/n/pods/*/{name}?labelSelector=a%3Db"
    status, answer = asked(path)
    assert status == 200
    (item,) = answer["items"]
    assert item["describedObject"]["name"] == "one"
    assert item["value"] == "32"
    assert values(path.replace("queue", "other")) == []


def test_a_time_series_is_found_by_name_and_labels() -> None:
    path = f"/apis/external.metrics.k8s.io/v1beta1/namespaces/n/{quote(QUEUE)}?labelSelector="
    assert values(path) == ["7"]
    assert values(path + quote("resource.labels.subscription_id=jobs")) == ["7"]
    assert values(path + quote("resource.labels.subscription_id=other")) == []


def test_a_selector_other_than_of_equals_is_refused() -> None:
    path = f"/apis/external.metrics.k8s.io/v1beta1/namespaces/n/{quote(QUEUE)}?labelSelector="
    assert asked(path + quote("a in (b)"))[0] == 500


def test_an_unknown_metric_is_not_found() -> None:
    assert asked("/openapi/v2")[0] == 404
    assert asked("/apis/custom.metrics.k8s.io/v1beta2")[0] == 200
    assert asked("/apis/custom.metrics.k8s.io/v1")[0] == 404
