"""What has left the catalogue stays as it was, judged like the rest, until networking let go."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from declared import ROOT, Declared, run_layer, stack_config
from gkeplatform.layers import CLUSTER, NETWORKING, SERVING
from policies.check import judge, pack_for
from tests.unit import callers_of_stage

Json = dict[str, Any]
Models = dict[str, Json]
NAMES = {"deployment": "kubernetes:apps/v1:Deployment", "service": "kubernetes:core/v1:Service"}
POLICIES = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
GROUPS = "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet"
CHAT = {
    "kind": "http-load-balancer",
    "hosts": ["translate.stage.acme.example"],
    "paths": ["/v1/chat/completions"],
}


def stage(edit: Callable[[Models], object], callers: Json | None = None) -> dict[str, str]:
    """Stage with other models, and with callers if there are any."""
    values = stack_config("stage")
    if callers:
        values |= callers_of_stage.edits(callers, pooled=True)
    pools = json.loads(values["gke-cluster:node_pools"])
    for pool in pools:
        if pool["name"] == "gpu":
            pool |= {"machine_type": "g2-standard-96", "max_nodes": 8}
            pool["accelerator"]["count"] = 8
    teams = json.loads(values["gke-serving:teams"])
    teams[0]["quota"]["gpus"] = 2
    models = {one["name"]: one for one in json.loads(values["gke-serving:models"])}
    edit(models)
    return values | {
        "gke-cluster:node_pools": json.dumps(pools),
        "gke-serving:teams": json.dumps(teams),
        "gke-serving:models": json.dumps(list(models.values())),
    }


def after(before: dict[str, str], now: dict[str, str]) -> tuple[Declared, Declared]:
    """Serving as it was deployed by `before`, and its next deployment before networking's."""
    upstream: dict[str, Json] = {}
    deployed = {}
    for layer in (CLUSTER, SERVING, NETWORKING):
        deployed[layer] = run_layer(layer, "stage", upstream, before)
        upstream[f"organization/{layer.project}/stage"] = deployed[layer].outputs
    return deployed[SERVING], run_layer(SERVING, "stage", upstream, now)


def as_the_engine_has_it(made: Declared, before: Declared) -> Declared:
    """With the former inputs where they are ignored, as policies and providers get them."""
    inputs = {
        key: {**given, **{name: before.inputs[key][name] for name in made.ignored.get(key) or ()}}
        for key, given in made.inputs.items()
    }
    return replace(made, inputs=inputs)


def stays(made: Declared, before: Declared, owner: str) -> set[tuple[str, str]]:
    """All objects of `owner`, a version that has left; they are as they were, and allowed."""
    kept = {key for key, ignored in made.ignored.items() if "kind" in ignored}
    (former,) = (one for one in made.outputs["outlasts"] if one["name"] == owner)
    assert {(one["type"], one["name"]) for one in former["objects"]} <= kept
    assert former in before.outputs["outlasts"]
    whole = as_the_engine_has_it(made, before)
    assert {key: whole.inputs[key] for key in kept} == {key: before.inputs[key] for key in kept}
    pack = pack_for("stage", root=ROOT, today=datetime.now(UTC).date())
    resources = whole.resources("stage", SERVING.project)
    found = judge(resources, pack, environment="stage", layer="serving")
    assert found.is_clean, found
    return kept


def with_canary(models: Models, **changes: Any) -> None:
    share = {
        "weights": {"stable": 90, "canary": 10},
        "replicas": {"min": 2, "max": 2},
        "image": "vllm/vllm-openai:v0.32.0",
    }
    given = {**models["assistant"], "exposure": CHAT, "canary": share, **changes}
    models["assistant"] = {key: one for key, one in given.items() if one is not None}


def without_canary(models: Models, **changes: Any) -> None:
    with_canary(models, **changes)
    del models["assistant"]["canary"]


VOLUME = {"files": {"via": "cache", "size": "60Gi", "storage_class": "filestore"}, "adapters": None}
SEVERAL: dict[str, Any] = {
    "hosts": 2,
    "adapters": None,
    "autoscaling": None,
    "replicas": {"min": 2, "max": 2},
}


def test_replicas_that_stay_keep_their_budget_and_autoscaler() -> None:
    before, made = after(stage(lambda _: None), stage(lambda models: models.pop("translate")))
    kinds = {kind.rpartition(":")[2] for kind, name in stays(made, before, "translate")}
    assert {"PodDisruptionBudget", "HorizontalPodAutoscaler"} < kinds


def test_a_canary_with_callers_keeps_its_gateway() -> None:
    callers = callers_of_stage.TWO
    before, made = after(stage(with_canary, callers), stage(without_canary, callers))
    kept = stays(made, before, "assistant-canary")
    assert {(NAMES["deployment"], f"assistant-canary{end}") for end in ("", "-callers")} <= kept
    assert {(NAMES["service"], f"assistant-canary{end}") for end in ("", "-server")} <= kept


def test_the_last_model_with_callers_keeps_keys_limits_and_the_way_to_its_pods() -> None:
    callers = callers_of_stage.TWO
    elsewhere = {**callers, "allowed": [{**callers["allowed"][0], "models": ["other"]}]}

    def moved(models: Models) -> None:
        without_canary(models)
        amounts = {"cpu": "1", "memory": "4Gi"}
        models["other"] = {
            **models.pop("assistant"),
            "name": "other",
            "team": "vision",
            "resources": {"requests": amounts, "limits": amounts, "gpu": {"type": "nvidia-l4"}},
        }

    before, made = after(stage(without_canary, callers), stage(moved, elsewhere))
    stays(made, before, "assistant")
    assert made.inputs.keys() >= {
        key
        for key, one in before.inputs.items()
        if key[0] in (NAMES["deployment"], POLICIES) and in_models(one)
    }


def in_models(manifest: Json) -> bool:
    return bool(manifest["metadata"].get("namespace") == "models")


def test_without_keys_a_gateway_does_not_stay() -> None:
    def gone(models: Models) -> None:
        del models["assistant"]

    _, made = after(stage(with_canary, callers_of_stage.TWO), stage(gone))
    lasting = {one["name"] for one in made.outputs["outlasts"]}
    assert lasting.isdisjoint({"assistant", "assistant-canary"})


@pytest.mark.parametrize(
    ("changes", "own"),
    [
        (VOLUME, ("kubernetes:core/v1:PersistentVolumeClaim", "assistant-canary")),
        (SEVERAL, (GROUPS, "assistant-canary")),
    ],
)
def test_a_canary_keeps_its_volume_or_its_groups(changes: Json, own: tuple[str, str]) -> None:
    before, made = after(
        stage(lambda models: with_canary(models, **changes)),
        stage(lambda models: without_canary(models, **changes)),
    )
    assert own in stays(made, before, "assistant-canary")


def test_the_last_model_on_several_hosts_keeps_its_controller_and_network_policy() -> None:
    def gone(models: Models) -> None:
        del models["assistant"]

    before, made = after(stage(lambda models: without_canary(models, **SEVERAL)), stage(gone))
    assert (GROUPS, "assistant") in stays(made, before, "assistant")
    for kind in (NAMES["deployment"], POLICIES):
        assert set(before.of(kind)) <= set(made.of(kind))
