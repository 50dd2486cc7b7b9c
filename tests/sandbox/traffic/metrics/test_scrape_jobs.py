"""What a PodMonitoring selects, and how its targets are labelled."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.traffic.dial_plan import DialPlan, Listener
from sandbox.traffic.metrics import scrape_jobs
from sandbox.traffic.metrics.scrape_jobs import NOBODY, Cluster, ScrapeJob

CLUSTER = Cluster(project="dev", location="europe-west4", name="main")


def pod(name: str = "resnet-6d5f-x", phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "models", "labels": {"app": "resnet"}, **metadata},
        "spec": {
            "nodeName": "node-1",
            "containers": [
                {"name": "sidecar", "ports": [{"name": "admin", "containerPort": 9000}]},
                {"name": "server", "ports": [{"name": "metrics", "containerPort": 8002}]},
            ],
        },
        "status": {"phase": phase, "podIP": "10.64.1.7"},
    }


def monitoring(port: int | str = "metrics", **spec: Any) -> dict[str, Any]:
    endpoint = {"port": port, **spec.pop("endpoint", {})}
    return {
        "metadata": {"name": "resnet", "namespace": "models"},
        "spec": {
            "selector": {"matchLabels": {"app": "resnet"}},
            "endpoints": [endpoint],
            **spec,
        },
    }


def plan(port: int = 8002) -> DialPlan:
    return DialPlan(
        [
            Listener(
                project="dev", cluster="dev.europe-west4.main", namespace="models",
                pod="resnet-6d5f-x", node="node-1", zone="europe-west4-a",
                address="10.64.1.7", port=port, listens=41001,
            )
        ]
    )  # fmt: skip


def job(monitored: dict[str, Any], *pods: dict[str, Any], at: DialPlan | None = None) -> ScrapeJob:
    (found,) = scrape_jobs.jobs(CLUSTER, [monitored], pods, at or plan())
    return found


def test_a_target_is_where_the_pod_is_reached_and_named_as_googles() -> None:
    owner = {"controller": True, "kind": "ReplicaSet", "name": "resnet-6d5f"}
    found = job(monitoring(), pod(ownerReferences=[owner]))
    assert found.targets == (
        (
            "127.0.0.1:41001",
            {
                "project_id": "dev", "location": "europe-west4", "cluster": "main",
                "namespace": "models", "job": "resnet", "instance": "resnet-6d5f-x:metrics",
                "pod": "resnet-6d5f-x", "container": "server",
                "top_level_controller_name": "resnet",
                "top_level_controller_type": "Deployment",
            },
        ),
    )  # fmt: skip


def test_defaults_are_those_of_the_managed_service() -> None:
    assert job(monitoring(), pod()).settings == {
        "scrape_interval": "1m", "scrape_timeout": "1m", "metrics_path": "/metrics",
        "scheme": "http", "honor_labels": False,
    }  # fmt: skip


def test_an_endpoint_is_scraped_as_it_says() -> None:
    endpoint = {
        "path": "/monitoring/prometheus/metrics",
        "interval": "15s",
        "timeout": "5s",
        "params": {"a": ["b"]},
        "metricRelabeling": [{"action": "drop", "sourceLabels": ["__name__"], "regex": "go_.*"}],
    }
    settings = job(monitoring(endpoint=endpoint, limits={"samples": 100}), pod()).settings
    assert settings["metrics_path"] == "/monitoring/prometheus/metrics"
    assert settings["scrape_interval"] == "15s"
    assert settings["scrape_timeout"] == "5s"
    assert settings["params"] == {"a": ["b"]}
    assert settings["sample_limit"] == 100
    assert settings["metric_relabel_configs"] == [
        {"action": "drop", "source_labels": ["__name__"], "regex": "go_.*"}
    ]


@pytest.mark.parametrize(
    "other",
    [
        pod(phase="Pending"),
        pod(phase="Succeeded"),
        pod(namespace="other"),
        pod(labels={"app": "other"}),
    ],
    ids=["pending", "ended", "other namespace", "other labels"],
)
def test_other_pods_are_not_scraped(other: dict[str, Any]) -> None:
    assert job(monitoring(), other).targets == ()


def test_a_named_port_must_be_declared_and_a_number_need_not() -> None:
    assert job(monitoring("http"), pod()).targets == ()
    ((address, labels),) = job(monitoring(8500), pod(), at=plan(8500)).targets
    assert address == "127.0.0.1:41001"
    assert labels["instance"] == "resnet-6d5f-x:8500"
    assert "container" not in labels


def test_a_pod_that_nobody_answers_for_is_a_target_that_is_down() -> None:
    ((address, _),) = job(monitoring(), pod(), at=DialPlan()).targets
    assert address == NOBODY


def test_target_labels_are_chosen() -> None:
    chosen = {"metadata": ["node"], "fromPod": [{"from": "app"}, {"from": "app", "to": "model"}]}
    ((_, labels),) = job(monitoring(targetLabels=chosen), pod()).targets
    assert labels["node"] == "node-1"
    assert labels["app"] == labels["model"] == "resnet"
    assert "pod" not in labels


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        ({"key": "app", "operator": "In", "values": ["resnet", "x"]}, 1),
        ({"key": "app", "operator": "NotIn", "values": ["resnet"]}, 0),
        ({"key": "app", "operator": "Exists"}, 1),
        ({"key": "app", "operator": "DoesNotExist"}, 0),
    ],
)
def test_expressions_select(expression: dict[str, Any], count: int) -> None:
    found = job(monitoring(selector={"matchExpressions": [expression]}), pod())
    assert len(found.targets) == count
