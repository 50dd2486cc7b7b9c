"""What the error of a rollout that did not end says of the pods that wait for readiness gates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli import failures
from cli.events import Run
from cli.rollouts import gates, lookup
from cli.rollouts.gates import NEG, Held
from gkeplatform.layers import SERVING

Json = dict[str, Any]
NOT_LIVE = 'the Kubernetes API server reported that "models/m" failed to fully initialize or '
GROUP = "Waiting for pod to become healthy in at least one of the NEG(s): [acme-m-1 acme-m-2]"


def _pod(name: str, *, app: str = "m", containers: str = "True", **gate: Any) -> Json:
    conditions = [{"type": "ContainersReady", "status": containers}]
    if gate:
        conditions.append({"type": NEG, "status": "False", **gate})
    return {
        "kind": "Pod",
        "metadata": {"namespace": "models", "name": name, "labels": {"app": app, "x": "y"}},
        "spec": {"readinessGates": [{"conditionType": NEG}]},
        "status": {"conditions": conditions},
    }


def _deployment(name: str, app: str) -> Json:
    selector = {"matchLabels": {"app": app}}
    metadata = {"namespace": "models", "name": name}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"selector": selector}}


OBJECTS = [
    _deployment("m", "m"),
    _deployment("other", "n"),
    _pod("unhealthy", message=GROUP),
    _pod("unseen"),
    _pod("ready", status="True"),
    _pod("starting", containers="False", message=GROUP),
    _pod("anothers", app="n", message=GROUP),
    _pod("gone", message=GROUP) | {"metadata": {"namespace": "models", "name": "gone",
     "labels": {"app": "m"}, "deletionTimestamp": "2026-01-01T00:00:00Z"}},
]  # fmt: skip


def test_pods_whose_containers_are_ready_wait_for_their_gate() -> None:
    groups = "acme-m-1, acme-m-2"
    assert gates.held(OBJECTS, "m") == [
        Held("models/unhealthy", NEG, groups),
        Held("models/unseen", NEG),
    ]
    assert gates.held(OBJECTS, "absent") == []


def test_pods_of_a_group_wait_for_their_gate_too() -> None:
    label = "leaderworkerset.sigs.k8s.io/name"
    leader = _pod("chat-0")
    leader["metadata"]["labels"] = {label: "chat"}
    metadata = {"namespace": "models", "name": "chat"}
    sets = {"kind": "LeaderWorkerSet", "metadata": metadata, "spec": {}}
    assert gates.held([sets, leader, _pod("other")], "chat") == [Held("models/chat-0", NEG)]


def test_the_error_names_the_gate_in_place_of_the_providers_line() -> None:
    run = Run(is_preview=False)
    run.errors.append(
        f"{NOT_LIVE}become live: 2 errors occurred:\n\t* 'm' timed out\n"
        "\t* [Pod models/unhealthy]: condition of the readiness gate does not exist.\n"
        "\t* [Pod models/starting]: containers with unready status: [m]\n"
    )
    found = failures.error(SERVING, "dev", 255, run, "", waiting=gates.held(OBJECTS, "m"))
    text = str(found)
    assert "does not exist" not in text
    assert "[Pod models/starting]: containers with unready status" in text
    assert f"the readiness gate {NEG}: no health check of the load balancer" in text
    assert "acme-m-1, acme-m-2" in text
    assert found.hint.startswith("the former pods serve on")
    assert "130.211.0.0/22" in found.hint


@pytest.mark.parametrize(
    "error",
    [
        f"{NOT_LIVE}become live: 'm' timed out",
        'resource "models/m" was successfully created, but the Kubernetes API server reported that '
        "it failed to fully initialize or become live",
    ],
)
def test_the_object_is_named_by_a_creation_and_an_update(error: str) -> None:
    assert gates.failed([error, 'no such "zones/z"']) == [("models", "m")]


def test_another_gate_than_the_load_balancers_gets_no_advice_about_it() -> None:
    other = Held("models/m", "example.com/warm")
    assert str(other).endswith("waits for the readiness gate example.com/warm")
    assert gates.hint([other]) == ""


@pytest.mark.parametrize("script", ["exit 1", "echo no json", "echo '{}'", None])
def test_a_cluster_that_cannot_be_asked_adds_nothing(tmp_path: Path, script: str | None) -> None:
    if script is not None:
        _kubectl(tmp_path, script)
    assert _held(tmp_path) == []


def _held(folder: Path) -> list[Held]:
    return lookup.held([f"{NOT_LIVE}…"], lambda: "config", {"PATH": f"{folder}:/bin"})


def _kubectl(folder: Path, script: str) -> None:
    program = folder / "kubectl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_the_clusters_own_kubeconfig_is_used(tmp_path: Path) -> None:
    listed = tmp_path / "listed.json"
    listed.write_text(json.dumps({"items": OBJECTS}))
    _kubectl(
        tmp_path,
        f'[ "$(cat "${{1#--kubeconfig=}}")" = config ] && [ "$4" = --namespace=models ] '
        f"&& exec cat {listed}; exit 1",
    )
    assert [one.pod for one in _held(tmp_path)] == ["models/unhealthy", "models/unseen"]
    assert lookup.held(["no such zone"], lambda: "config", {"PATH": str(tmp_path)}) == []
