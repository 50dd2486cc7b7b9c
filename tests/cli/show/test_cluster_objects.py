"""What a picture takes from the objects of a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from cli.show.cluster import Amounts, Budget, Scaler, of_items

Json = dict[str, Any]
LABELS = {
    "app.kubernetes.io/name": "resnet",
    "app.kubernetes.io/component": "model-server",
}


def node(name: str, zone: str, **allocatable: str) -> Json:
    return {
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "cloud.google.com/gke-nodepool": "serving",
                "topology.kubernetes.io/zone": zone,
            },
        },
        "status": {
            "allocatable": allocatable,
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def pod(name: str, at: str = "", *, phase: str = "Running", **fields: Any) -> Json:
    requests = {"cpu": "500m", "memory": "1Gi"}
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "models", "labels": LABELS},
        "spec": {
            "nodeName": at,
            "containers": [{"resources": {"requests": requests}}, {}],
            "initContainers": [
                {"restartPolicy": "Always", "resources": {"requests": {"cpu": "100m"}}},
                {"resources": {"requests": {"cpu": "3"}}},
            ],
        },
        "status": {"phase": phase, "conditions": [{"type": "Ready", "status": "True"}]},
    } | fields


def test_a_nodes_requests_are_those_of_the_pods_that_run_on_it() -> None:
    live = of_items(
        [
            node("a", "zone-a", cpu="7910m", memory="28Gi", **{"nvidia.com/gpu": "2"}),
            pod("one", "a"),
            pod("two", "a"),
            pod("ended", "a", phase="Succeeded"),
            pod("waits"),
        ]
    )
    (found,) = live.nodes
    assert (found.pool, found.zone, found.is_ready) == ("serving", "zone-a", True)
    assert found.allocatable == Amounts(7.91, 28 * 2**30, 2)
    assert found.requested == Amounts(1.2, 2 * 2**30)


@pytest.mark.parametrize(
    ("made", "state"),
    [
        (pod("p", "a"), "ready"),
        (pod("p"), "pending"),
        (pod("p", "a", phase="Failed"), "failed"),
        (pod("p", "a", status={"phase": "Running"}), "starting"),
        (
            pod("p", "a")
            | {
                "metadata": {
                    "name": "p",
                    "namespace": "models",
                    "labels": LABELS,
                    "deletionTimestamp": "2026-11-27T08:00:00Z",
                }
            },
            "stopping",
        ),
    ],
)
def test_a_pods_state(made: Json, state: str) -> None:
    live = of_items([node("a", "zone-a"), made])
    ((key, (found,)),) = live.pods.items()
    assert key == ("models", "resnet")
    assert found.state == state
    assert found.zone == ("zone-a" if found.node else "")


def test_budgets_and_autoscalers_are_found_by_what_they_are_for() -> None:
    live = of_items(
        [
            {
                "kind": "PodDisruptionBudget",
                "metadata": {"name": "any-name", "namespace": "models"},
                "spec": {"selector": {"matchLabels": LABELS}},
                "status": {"desiredHealthy": 2, "currentHealthy": 3, "disruptionsAllowed": 1},
            },
            {
                "kind": "PodDisruptionBudget",
                "metadata": {"name": "of-others", "namespace": "models"},
                "spec": {"selector": {"matchLabels": {"app": "other"}}},
            },
            {
                "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": "keda-hpa-resnet", "namespace": "models"},
                "spec": {"scaleTargetRef": {"name": "resnet"}, "maxReplicas": 5},
            },
            {
                "kind": "Deployment",
                "metadata": {"name": "resnet", "namespace": "models"},
                "spec": {"replicas": 3},
            },
        ]
    )
    key = ("models", "resnet")
    assert live.budgets == {key: Budget(wanted=2, healthy=3, allowed=1)}
    assert live.scalers == {key: Scaler(minimum=1, maximum=5, desired=0)}
    assert live.replicas == {key: (0, 3)}


GROUP = "leaderworkerset.sigs.k8s.io"


def member(index: int, at: str, *, group: str = "g1", **fields: Any) -> Json:
    """A pod of a group of two; the first is its leader."""
    made = pod(f"chat-0-{index}" if index else "chat-0", at, **fields)
    component = "model-worker" if index else "model-server"
    made["metadata"] = {
        "name": made["metadata"]["name"],
        "namespace": "models",
        "annotations": {f"{GROUP}/size": "2"},
        "labels": {
            "app.kubernetes.io/name": "chat",
            "app.kubernetes.io/component": component,
            f"{GROUP}/name": "chat",
            f"{GROUP}/group-key": group,
            f"{GROUP}/worker-index": str(index),
        },
    }
    return made


@pytest.mark.parametrize(
    ("pods", "state", "workers"),
    [
        ([member(1, "b"), member(0, "a")], "ready", ("b",)),
        ([member(0, "a")], "starting", ()),
        ([member(0, "a"), member(1, "")], "pending", ("",)),
        ([member(0, "a"), member(1, "b", phase="Failed")], "failed", ("b",)),
        ([member(0, "a"), member(1, "b", group="of-another")], "starting", ()),
    ],
)
def test_a_group_is_one_replica_and_as_ready_as_its_last_pod(
    pods: list[Json], state: str, workers: tuple[str, ...]
) -> None:
    live = of_items([node("a", "zone-a"), node("b", "zone-a"), *pods])
    [found] = live.pods["models", "chat"]
    assert (found.name, found.node, found.state, found.workers) == ("chat-0", "a", state, workers)


def test_replicas_and_the_budget_of_a_set_are_groups() -> None:
    container = {"image": "vllm:1"}
    live = of_items(
        [
            {
                "kind": "LeaderWorkerSet",
                "metadata": {"name": "chat", "namespace": "models"},
                "spec": {
                    "replicas": 2,
                    "leaderWorkerTemplate": {
                        "size": 4,
                        "leaderTemplate": {"spec": {"containers": [container]}},
                    },
                },
                "status": {"readyReplicas": 1},
            },
            {
                "kind": "PodDisruptionBudget",
                "metadata": {"name": "chat", "namespace": "models"},
                "spec": {"selector": {"matchLabels": {f"{GROUP}/name": "chat"}}},
                "status": {"expectedPods": 8, "desiredHealthy": 7, "currentHealthy": 4},
            },
        ]
    )
    key = ("models", "chat")
    assert live.replicas == {key: (1, 2)}
    assert live.hosts == {key: 4}
    assert live.images == {key: "vllm:1"}
    assert live.budgets == {key: Budget(wanted=1, healthy=1, allowed=0)}
