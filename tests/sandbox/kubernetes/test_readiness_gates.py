"""A pod behind an endpoint group is ready once the load balancer finds it healthy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.kubernetes.controllers import readiness_gates as gates
from sandbox.kubernetes.controllers.readiness_gates import Found
from sandbox.traffic.model_servers import pods as model_servers

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
SERVICE = "https://www.googleapis.com/compute/v1/projects/p/global/backendServices/resnet"
NEG = '{"exposed_ports": {"8501": {"name": "resnet-neg"}}}'


def _pod(age: float = 5, **more: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "models",
            "name": "resnet-1",
            "uid": "u",
            "labels": {"app": "resnet", "version": "2"},
            "creationTimestamp": (NOW - timedelta(seconds=age)).isoformat(),
        },
        "spec": {
            "nodeName": "node",
            "readinessGates": [{"conditionType": gates.GATE}],
            "containers": [
                {"name": "server", "image": "tensorflow/serving:2.19.0", **more},
            ],
        },
        "status": {"podIP": "10.8.0.1"},
    }


def _service(selector: dict[str, str] | None, namespace: str = "models") -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": namespace,
            "name": "resnet",
            "annotations": {"cloud.google.com/neg": NEG},
        },
        "spec": {"selector": selector, "ports": [{"port": 8501}]},
    }


def _items(*states: str | None) -> list[dict[str, Any]]:
    return [
        {"networkEndpoint": {"ipAddress": f"10.8.0.{index}", "port": 8501}}
        | (
            {"healths": [{"backendService": {"backendService": SERVICE}, "healthState": state}]}
            if state
            else {}
        )
        for index, state in enumerate(states, 1)
    ]


def _found(*states: str | None) -> list[Found]:
    return list(gates.findings("resnet-neg", "zone-a", "10.8.0.1", _items(*states)))


@pytest.mark.parametrize(
    ("found", "age", "status", "reason"),
    [
        (_found("HEALTHY"), 5, "True", "LoadBalancerNegReady"),
        (_found("UNHEALTHY"), 5, "False", "LoadBalancerNegNotReady"),
        (_found("UNKNOWN"), 5, "False", "LoadBalancerNegNotReady"),
        # The neighbour is checked, so this one will be.
        (_found(None, "HEALTHY"), 5, "False", "LoadBalancerNegNotReady"),
        (_found(None), 5, "True", "LoadBalancerNegWithoutHealthCheck"),
        (_found("UNHEALTHY"), 601, "True", "LoadBalancerNegTimeout"),
        ([], 601, "True", "LoadBalancerNegTimeout"),
    ],
)
def test_the_gate_follows_the_health_check(
    found: list[Found], age: float, status: str, reason: str
) -> None:
    condition = gates.condition(_pod(age), ["resnet-neg"], found, NOW)
    assert condition is not None
    assert (condition["status"], condition["reason"]) == (status, reason)


def test_one_healthy_group_of_several_is_enough() -> None:
    found = [*_found("UNHEALTHY"), *_found("HEALTHY")]
    condition = gates.condition(_pod(), ["other", "resnet-neg"], found, NOW)
    assert condition is not None
    assert condition["status"] == "True"
    assert 'BackendService "Key{"resnet"}"' in condition["message"]


def test_nothing_is_said_of_a_pod_that_is_not_attached_yet() -> None:
    assert _found() == []
    assert gates.condition(_pod(), ["resnet-neg"], [], NOW) is None


def test_a_pod_of_no_group_does_not_wait() -> None:
    condition = gates.condition(_pod(), [], [], NOW)
    assert condition is not None
    assert condition["status"] == "True"


def test_a_pod_for_which_the_sandbox_has_no_server_does_not_wait() -> None:
    pod = _pod(image="registry.example/postgres:16")
    condition = gates.condition(pod, ["resnet-neg"], _found("UNHEALTHY"), NOW)
    assert condition is not None
    assert condition["reason"] == "LoadBalancerNegWithoutHealthCheck"


@pytest.mark.parametrize(
    ("service", "found"),
    [
        (_service({"app": "resnet"}), ["resnet-neg"]),
        (_service({"app": "resnet", "version": "1"}), []),
        (_service({"app": "resnet"}, "vision"), []),
        (_service({}), []),
        (_service(None), []),
    ],
    ids=["selected", "another version", "another namespace", "selects all", "selects none"],
)
def test_a_pod_belongs_to_the_groups_of_services_that_select_it(
    service: dict[str, Any], found: list[str]
) -> None:
    assert gates.groups_of(_pod(), [service], "uid") == found


@pytest.mark.parametrize(
    ("threshold", "annotations", "answers"),
    [(3, {}, True), (1, {}, False), (3, {"kwok.x-k8s.io/failure": "readiness"}, False)],
)
def test_a_server_answers_while_its_probe_has_yet_to_succeed_again(
    threshold: int, annotations: dict[str, str], *, answers: bool
) -> None:
    probe = {"httpGet": {"path": "/", "port": 8501}, "successThreshold": threshold}
    pod = _pod(readinessProbe=probe, ports=[{"containerPort": 8501}])
    pod["metadata"]["annotations"] = annotations
    running = {"running": {"startedAt": "2026-11-27T12:00:00Z"}}
    state = {"name": "server", "ready": False, "state": running}
    pod["status"] = {"podIP": "10.8.0.1", "phase": "Running", "containerStatuses": [state]}
    read = model_servers.read(pod, {})
    assert read is not None
    assert [one.is_ready for one in read.containers] == [answers]


def test_only_pods_with_a_closed_gate_wait() -> None:
    pod = _pod()
    assert gates.is_waiting(pod)
    pod["status"]["conditions"] = [{"type": gates.GATE, "status": "False"}]
    assert gates.is_waiting(pod)
    pod["status"]["conditions"] = [{"type": gates.GATE, "status": "True"}]
    assert not gates.is_waiting(pod)
    ends = _pod()
    ends["metadata"]["deletionTimestamp"] = NOW.isoformat()
    assert not gates.is_waiting(ends)
    ungated = _pod()
    del ungated["spec"]["readinessGates"]
    assert not gates.is_waiting(ungated)
