"""Contracts: what is published can be read, and an invalid one stops the reader at once."""

import copy
import json
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from declared import Declared, declare, run_environment, run_layer, stack_config
from gkeplatform import stack
from gkeplatform.contracts import (
    ClusterContract,
    Contract,
    EnvironmentSummary,
    NegBackend,
    NetworkingContract,
    SecretText,
    ServingContract,
)
from gkeplatform.layers import CLUSTER, ENVIRONMENT, LAYERS, NETWORKING, SERVING, Layer
from tests.contracts.refusals import refusal


@pytest.fixture(scope="module")
def dev() -> dict[str, Declared]:
    return run_environment("dev")


@pytest.fixture
def upstream(dev: dict[str, Declared]) -> dict[str, dict[str, Any]]:
    """What the layers have published in dev, each as a copy to be spoilt."""
    published = {f"organization/{one.project}/dev": dev[one.name].outputs for one in LAYERS}
    return copy.deepcopy(published)


CONTRACTS: tuple[type[Contract], ...] = (
    ClusterContract,
    ServingContract,
    NetworkingContract,
    EnvironmentSummary,
)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
def test_a_layer_publishes_its_contract(contract: type[Contract], dev: dict[str, Declared]) -> None:
    outputs = dev[contract.layer.name].outputs
    assert sorted(outputs) == sorted(contract.__struct_fields__)
    assert isinstance(stack.read(contract, outputs, environment="dev"), contract)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
def test_a_contract_survives_the_engines_floats_and_dropped_nulls(
    contract: type[Contract], dev: dict[str, Declared]
) -> None:
    def wired(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: wired(item) for key, item in value.items() if item is not None}
        if isinstance(value, list):
            return [wired(item) for item in value]
        return float(value) if type(value) is int else value

    outputs = wired(dev[contract.layer.name].outputs)
    assert isinstance(stack.read(contract, outputs, environment="dev"), contract)


def test_only_the_kubeconfig_is_secret_and_it_stays_secret(dev: dict[str, Declared]) -> None:
    assert dev["cluster"].secret_outputs == {"kubeconfig"}
    read = stack.read(ClusterContract, dev["cluster"].outputs, environment="dev")
    assert "apiVersion" not in repr(read)
    secrecy = declare(lambda: pulumi.export("again", read.kubeconfig.output()))
    assert secrecy.secret_outputs == {"again"}


def test_unknown_fields_of_a_contract_are_accepted(dev: dict[str, Declared]) -> None:
    outputs = dev["cluster"].outputs | {"later": "addition"}
    assert stack.read(ClusterContract, outputs, environment="dev").name == "acme-ml-dev-cluster"


def test_a_backend_is_read_as_its_kind(dev: dict[str, Declared]) -> None:
    contract = stack.read(ServingContract, dev["serving"].outputs, environment="dev")
    route = contract.models[0].route
    assert route is not None
    assert isinstance(route.backend, NegBackend)
    assert route.backend.zones == ("europe-west4-a", "europe-west4-b")
    assert route.backend.port == 8501
    assert route.backend.name.startswith("acme-ml-dev-resnet-")


def test_outputs_that_differ_from_the_contract_are_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"differ in \['addres', 'address', 'url'\]"):
        declare(lambda: stack.publish(EnvironmentSummary, environment="dev", addres="x", models=[]))


def test_a_secret_text_is_not_shown() -> None:
    assert "hunter2" not in repr(SecretText("hunter2"))
    assert "hunter2" not in str([SecretText("hunter2")])


@pytest.mark.parametrize(
    ("layer", "missing"),
    [
        (SERVING, CLUSTER),
        (NETWORKING, CLUSTER),
        (NETWORKING, SERVING),
        (ENVIRONMENT, CLUSTER),
        (ENVIRONMENT, NETWORKING),
    ],
    ids=lambda layer: layer.name,
)
@pytest.mark.parametrize("is_known", [True, False], ids=["no outputs", "no stack"])
def test_a_layer_that_is_not_deployed_is_named(
    layer: Layer, missing: Layer, is_known: bool, upstream: dict[str, dict[str, Any]]
) -> None:
    name = f"organization/{missing.project}/dev"
    del upstream[name]
    if is_known:
        upstream[name] = {}
    said = refusal(layer, upstream)
    assert said.startswith(f"layer {missing.name} is not deployed in dev")
    assert f"run `pulumi up -s dev` in {missing.directory}, or `platformctl up dev`" in said


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("name", None, "contract of layer cluster in dev: the output lacks the field `name`"),
        ("zones", "a", "contract of layer cluster in dev: zones: Expected `array`, got `str`"),
        ("kubeconfig", 5, "contract of layer cluster in dev: kubeconfig:"),
        (
            "instance_groups",
            [{"pool": "general", "zone": "a"}],
            "cluster in dev: instance_groups[0]: the output lacks the field `url`",
        ),
    ],
)
def test_a_field_that_is_missing_or_wrong_is_named(
    field: str, value: object, expected: str, upstream: dict[str, dict[str, Any]]
) -> None:
    outputs = upstream["organization/gke-cluster/dev"]
    del outputs[field]
    if value is not None:
        outputs[field] = value
    said = refusal(SERVING, upstream)
    assert expected in said
    assert "`pulumi up -s dev` in infra/cluster" in said


def edited(edits: dict[str, str]) -> dict[str, str]:
    return stack_config("dev") | edits


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_an_unknown_key_stops_a_layer(layer: Layer, upstream: dict[str, dict[str, Any]]) -> None:
    said = refusal(layer, upstream, edited({f"{layer.project}:nonsense": "1"}))
    assert f'stacks/Pulumi.dev.yaml: {layer.project}: unknown key "nonsense"' in said


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_an_unknown_shared_key_stops_every_layer(
    layer: Layer, upstream: dict[str, dict[str, Any]]
) -> None:
    said = refusal(layer, upstream, edited({"platform:sytem": "acme"}))
    assert 'platform: unknown key "sytem"; did you mean "system"?' in said


def test_a_zone_elsewhere_stops_the_cluster() -> None:
    said = refusal(CLUSTER, {}, edited({"gcp:region": "us-central1"}))
    assert ": gke-cluster:cluster.zones[0]: europe-west4-a is not in gcp:region" in said


def test_a_pool_whose_account_would_be_too_long_stops_the_cluster() -> None:
    pools = stack_config("dev")["gke-cluster:node_pools"].replace("general", "general-purpose")
    said = refusal(CLUSTER, {}, edited({"gke-cluster:node_pools": pools}))
    assert ': gke-cluster:node_pools[0].name: physical name "acme-ml-dev-general-' in said
    assert "shorten" in said


def test_a_model_on_a_missing_pool_stops_serving(
    upstream: dict[str, dict[str, Any]],
) -> None:
    upstream["organization/gke-cluster/dev"]["node_pools"][1]["name"] = "servings"
    said = refusal(SERVING, upstream)
    assert 'models[5].node_pool: cluster acme-ml-dev-cluster has no pool "serving"' in said
    assert 'did you mean "servings"?' in said


def test_a_model_in_an_unreadable_bucket_stops_serving(
    upstream: dict[str, dict[str, Any]],
) -> None:
    models = stack_config("dev")["gke-serving:models"].replace(
        "gs://acme-ml-dev-models/resnet", "gs://acme-ml-prod-models/resnet"
    )
    said = refusal(SERVING, upstream, edited({"gke-serving:models": models}))
    assert 'models[0].source: the models may not read bucket "acme-ml-prod-models"' in said
    shared = edited(
        {"gke-serving:models": models, "gke-serving:shared_buckets": '["acme-ml-prod-models"]'}
    )
    declared = run_layer(SERVING, "dev", upstream, shared)
    assert sorted(declared.of("gcp:storage/bucketIAMMember:BucketIAMMember")) == [
        "acme-ml-prod-models",
        "models",
        "vision",
        "vision-acme-ml-prod-models",
    ]


def test_contradicting_contracts_stop_the_environment(
    upstream: dict[str, dict[str, Any]],
) -> None:
    upstream["organization/gke-cluster/dev"]["name"] = "acme-ml-dev-another"
    said = refusal(ENVIRONMENT, upstream)
    assert said.startswith("the layers of dev do not agree:")
    assert "serving was deployed on cluster acme-ml-dev-cluster; the cluster is" in said


@pytest.mark.parametrize(
    ("key", "value", "starts", "has"),
    [
        (
            "objectives",
            {"models": {"resmet": {"availability": 0.9}}},
            'gke-platform:objectives.models: the load balancer routes no model "resmet"',
            "resnet",
        ),
        (
            "uptime_check",
            {"skip": ["embeddings"]},
            'gke-platform:uptime_check.skip: the load balancer routes no model "embeddings"',
            "recommender",
        ),
        (
            "objectives",
            {"models": {"resnet": {"availability": 0.8}}},
            "gke-platform:alerts.slow.burn_rate: 6 is never reached by",
            "set it below 5, or the goal above 0.8333",
        ),
    ],
)
def test_invalid_monitoring_stops_the_environment(
    upstream: dict[str, dict[str, Any]], key: str, value: dict[str, Any], starts: str, has: str
) -> None:
    said = refusal(ENVIRONMENT, upstream, edited({f"gke-platform:{key}": json.dumps(value)}))
    assert f": {starts}" in said
    assert has in said


def test_a_state_that_is_just_being_written_is_read_again(
    monkeypatch: pytest.MonkeyPatch, upstream: dict[str, dict[str, Any]]
) -> None:
    """Seen while the engine saved the stack: the attributes beside it were empty for an instant."""
    being_written = "invocation returned an error: failed to load checkpoint: EOF"
    answers: list[Exception | Any] = [Exception(being_written), Exception(being_written)]
    stacks = "organization/gke-cluster/dev"
    answers.append(SimpleNamespace(value={"outputs": upstream[stacks]}))

    def invoke(*_: object) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(pulumi.runtime, "invoke", invoke)
    monkeypatch.setattr(pulumi, "get_stack", lambda: "dev")
    monkeypatch.setattr(pulumi, "get_organization", lambda: "organization")
    assert isinstance(stack.upstream(ClusterContract), ClusterContract)
    assert not answers
