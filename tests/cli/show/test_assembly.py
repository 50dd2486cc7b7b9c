"""A picture from its sources: the stack file's plan, joined with what is deployed and measured."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from cli import routing
from cli.show import assembly
from cli.show.assembly import Sources
from cli.show.cluster import Live
from cli.show.stacks import of_document
from cli.show.traffic import Measured, Traffic
from gkeplatform.config import load
from gkeplatform.layers import LAYERS
from infra.serving.config import ServingConfig
from policies.check import Report
from tests.unit.entries import BASE, VLLM

BUSY = Traffic(rate=4, p99=20)


@pytest.fixture(scope="module")
def sources() -> Sources:
    """Dev with the outputs of networking, and no cluster."""
    stacks = {layer.name: of_document(layer, {}) for layer in LAYERS}
    routed = {
        "name": "resnet",
        "namespace": "models",
        "url": "https://models.dev.acme.example/v1/models/resnet",
        "backend_service": "acme-ml-dev-resnet",
        "groups": [],
    }
    outputs = {
        "cluster": "acme-ml-dev-cluster",
        "address": "203.0.113.7",
        "url": "https://models.dev.acme.example",
        "url_map": "acme-ml-dev-models",
        "static_bucket": "acme-ml-dev-static",
        "models": [routed],
    }
    stacks["networking"] = replace(stacks["networking"], outputs=outputs)
    return Sources(
        plan=routing.plan("dev"),
        where="rehearsed",
        places={},
        stacks=stacks,
        live=Live(images={("models", "resnet"): "tensorflow/serving:2.20.0"}),
        alerts=(),
        report=Report([]),
        measured=Measured(seconds=60, backends={"acme-ml-dev-resnet": BUSY}),
    )


def test_every_model_of_the_plan_has_its_rules_and_its_image(sources: Sources) -> None:
    models = {one.name: one for one in assembly.picture(sources).models}
    assert set(models) == {entry.name for entry in sources.plan.serving.entries}
    assert [rule.path for rule in models["resnet"].rules] == ["/v1/models/resnet"]
    assert models["resnet"].versions[0].image == "tensorflow/serving:2.20.0"
    assert models["embeddings"].rules == ()


@pytest.mark.parametrize(
    ("audit", "place"),
    [
        (None, "in the bucket _Default of the project"),
        ({"retention_days": 400, "locked": True}, "400 days, in europe-west4, locked"),
        ({"retention_days": 30, "location": "eu"}, "30 days, in eu"),
    ],
)
def test_callers_and_the_place_of_their_audit_log_are_told(
    sources: Sources, audit: dict[str, object] | None, place: str
) -> None:
    key = {"secret_manager": "search-key", "version": 1}
    caller = {"name": "search", "models": ["m1"], "keys": [key]}
    serving = load(
        ServingConfig,
        namespace="gke-serving",
        values={
            "gke-serving:models": [VLLM, {**BASE, "name": "m2"}],
            "gke-serving:callers": {"failure": "open", "allowed": [caller], "audit": audit},
        },
        file="stacks/Pulumi.dev.yaml",
    )
    picture = assembly.picture(replace(sources, plan=replace(sources.plan, serving=serving)))
    assert {one.name: one.callers for one in picture.models} == {"m1": ("search",), "m2": ()}
    assert picture.audit_log == place
    assert assembly.picture(sources).audit_log == ""


def test_only_models_that_the_load_balancer_routes_have_traffic(sources: Sources) -> None:
    picture = assembly.picture(sources)
    found = {one.name: one.traffic for one in picture.models if one.traffic is not None}
    assert found == {"resnet": BUSY}
    assert picture.models[0].versions[0].traffic == BUSY
    assert picture.seconds == 60


def test_the_picker_of_a_model_behind_the_inference_gateway_is_told(sources: Sources) -> None:
    stage = replace(sources, plan=routing.plan("stage"))
    groups = {
        version.name: version.group
        for one in assembly.picture(stage).models
        if one.exposure == "inference-gateway"
        for version in one.versions
    }
    assert groups == {"assistant": "endpoint picker assistant-epp"}


def test_adapters_are_told_of_models_that_take_some(sources: Sources) -> None:
    asked = {("models", "assistant"): [((), 1), (("sql", "support"), 2), (("old",), 1)]}
    measured = Measured(seconds=60, adapters=asked)
    stage = replace(sources, plan=routing.plan("stage"), measured=measured)
    found = {one.name: one.adapters for one in assembly.picture(stage).models if one.adapters}
    assert list(found) == ["assistant"]
    told = found["assistant"]
    names = [one.name for one in told.listed]
    entry = next(one for one in stage.plan.serving.entries if one.name == "assistant")
    assert entry.adapters is not None
    assert names[:-1] == sorted(one.name for one in entry.adapters.loaded)
    # A server still has it.
    assert (names[-1], told.listed[-1].pods) == ("old", 1)
    assert told.fit == entry.adapters.lora.max_loras
    assert not any(one.adapters for one in assembly.picture(sources).models)


def test_only_models_with_a_canary_behind_the_load_balancer_have_several_backends(
    sources: Sources,
) -> None:
    networking = assembly.published(sources.stacks["networking"])
    assert networking is not None
    assert assembly.several(networking) == {}
    assert assembly.several(None) == {}
    (route,) = networking.models
    canary = msgspec.structs.replace(route, canary_service="acme-ml-dev-resnet-canary")
    with_canary = msgspec.structs.replace(networking, models=(canary,))
    assert assembly.several(with_canary) == {
        "resnet": ["acme-ml-dev-resnet", "acme-ml-dev-resnet-canary"]
    }
