"""What is watched of language models: objectives, queries, alerts, dashboard and prices."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from msgspec import structs

from declared import Declared, run_layer, stack_config
from gkeplatform.config import load
from gkeplatform.contracts import (
    ClusterContract,
    NodePool,
    SecretText,
    ServedModel,
    ServingContract,
    TokenMetrics,
)
from gkeplatform.errors import PlatformError
from gkeplatform.layers import ENVIRONMENT
from infra.environment.config import EnvironmentConfig
from infra.environment.language_models import queries
from infra.environment.language_models.settings import FirstToken
from infra.environment.language_models.watched import LanguageModel, watched
from sandbox.traffic.model_servers.load import FIRST_TOKEN_BOUNDS
from tests.environment_runs import environment_run

POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"
DASHBOARD = "gcp:monitoring/dashboard:Dashboard"


def environment(**keys: Any) -> EnvironmentConfig:
    values = {f"gke-platform:{key}": json.dumps(value) for key, value in keys.items()}
    found: EnvironmentConfig = load(
        EnvironmentConfig, namespace="gke-platform", values=values, file="stacks/Pulumi.dev.yaml"
    )
    return found


def pool(name: str, gpus: int) -> NodePool:
    return NodePool(
        name=name, zones=("a",), machine_type="g2-standard-8", min_nodes=0, max_nodes=2, gpus=gpus
    )


CLUSTER = ClusterContract(
    name="main",
    location="europe-west4",
    zones=("europe-west4-a",),
    kubeconfig=SecretText(""),
    network="",
    workload_pool="",
    node_pools=(pool("one", 1), pool("eight", 8)),
    node_tag="",
    instance_groups=(),
)


def served(**tokens: Any) -> ServingContract:
    chat = ServedModel(
        name="chat",
        namespace="models",
        path="/v1/models",
        exposure="cluster-ip",
        tokens=TokenMetrics(server="vllm", **{"jobs": ("chat",), **tokens}),
    )
    plain = ServedModel(name="resnet", namespace="models", path="/", exposure="cluster-ip")
    return ServingContract(
        cluster="main", namespace="models", models_bucket="b", models=(chat, plain)
    )


def only(serving: ServingContract | None = None, **keys: Any) -> LanguageModel:
    (found,) = watched(environment(language_models=keys), CLUSTER, serving or served())
    return found


def refusal(serving: ServingContract | None = None, **keys: Any) -> str:
    with pytest.raises(PlatformError) as raised:
        watched(environment(**keys), CLUSTER, serving or served())
    return str(raised.value)


def test_a_model_s_own_objectives_win_over_all() -> None:
    own = {"first_token_milliseconds": 500, "waiting_minutes": 3}
    found = only(first_token_goal=0.94, models={"chat": own})
    assert found.first_token_milliseconds == 500
    assert found.first_token_goal == 0.94
    assert found.waiting_minutes == 3


@pytest.mark.parametrize(
    ("keys", "has"),
    [
        ({"language_models": {"models": {"chta": {}}}}, 'did you mean "chat"?'),
        ({"language_models": {"models": {"resnet": {}}}}, "has no language model"),
        (
            {"language_models": {"prices": {"pools": {"eigth": 1}}}},
            'the cluster has no node pool "eigth"; did you mean "eight"?',
        ),
        (
            {"language_models": {"first_token_goal": 0.9}},
            "alerts.fast.burn_rate: 14.4 is never reached",
        ),
    ],
)
def test_what_cannot_be_watched_is_refused(keys: dict[str, Any], has: str) -> None:
    keys = {"alerts": {"speeds": ["fast"]}, **keys}
    assert has in refusal(**keys)


def test_a_time_between_the_bounds_of_the_histogram_is_refused() -> None:
    with pytest.raises(PlatformError, match="first_token_milliseconds"):
        environment(language_models={"first_token_milliseconds": 2000})


def test_every_time_is_a_bound_of_the_histogram() -> None:
    assert {value / 1000 for value in get_args(FirstToken)} <= set(FIRST_TOKEN_BOUNDS)


@pytest.mark.parametrize(
    ("tokens", "pools", "price"),
    [
        ({"gpus": 1, "pools": ("one",)}, {"one": 0.8}, 0.8),
        ({"gpus": 2, "pools": ("eight",)}, {"eight": 8.0}, 2.0),
        # The dearest of the pools that may run it.
        ({"gpus": 1, "pools": ("one", "eight")}, {"one": 0.8, "eight": 8.0}, 1.0),
        ({"gpus": 1, "pools": ("one", "eight")}, {"one": 0.8}, None),
        ({"gpus": 0, "pools": ("one",)}, {"one": 0.8}, 0.8),
    ],
)
def test_the_price_of_a_replica_is_its_share_of_a_node(
    tokens: dict[str, Any], pools: dict[str, float], price: float | None
) -> None:
    assert only(served(**tokens), prices={"pools": pools}).hourly_price == price


def test_a_canary_counts_with_its_model() -> None:
    assert 'job=~"chat|chat-canary"' in queries.waiting(only(served(jobs=("chat", "chat-canary"))))
    assert 'job="chat"' in queries.waiting(only())


@pytest.fixture(scope="module")
def prod() -> dict[str, Declared]:
    return environment_run("prod")


def redeclared(layers: dict[str, Declared], serving: dict[str, Any], **edit: Any) -> Declared:
    config = stack_config("prod")
    config |= {f"gke-platform:{key}": json.dumps(value) for key, value in edit.items()}
    upstream = {
        "organization/gke-cluster/prod": layers["cluster"].outputs,
        "organization/gke-serving/prod": serving,
        "organization/gke-networking/prod": layers["networking"].outputs,
    }
    return run_layer(ENVIRONMENT, "prod", upstream, config)


def test_a_language_model_without_an_address_is_watched(prod: dict[str, Declared]) -> None:
    declared = prod["environment"]
    assert "assistant" not in {one["name"] for one in prod["networking"].outputs["models"]}
    alerts = {name for name in declared.of(POLICY) if name.startswith("assistant-")}
    assert alerts == {
        "assistant-first-token-fast",
        "assistant-first-token-slow",
        "assistant-waiting",
    }
    (condition,) = declared.of(POLICY)["assistant-waiting"]["conditions"]
    asked = condition["conditionPrometheusQueryLanguage"]
    assert asked["duration"] == "600s"
    assert asked["disableMetricValidation"] is True
    assert "assistant-tokens" in declared.of(DASHBOARD)


def test_the_cost_is_shown_where_the_nodes_have_prices(prod: dict[str, Declared]) -> None:
    serving = prod["serving"].outputs
    pools = next(one["tokens"]["pools"] for one in serving["models"] if one.get("tokens"))
    titles = {}
    for currency, prices in (("", None), ("EUR", {"currency": "EUR", "pools": {pools[0]: 0.9}})):
        edit = {"language_models": {"prices": prices}} if prices else {}
        board = redeclared(prod, serving, **edit).of(DASHBOARD)["assistant-tokens"]
        tiles = json.loads(board["dashboardJson"])["mosaicLayout"]["tiles"]
        titles[currency] = [tile["widget"]["title"] for tile in tiles]
        corners = [(tile["xPos"], tile["yPos"]) for tile in tiles]
        assert len(corners) == len(set(corners))
    assert titles["EUR"] == [*titles[""], "EUR per million tokens, of the last hour"]


def test_a_publisher_that_says_nothing_of_tokens_is_read(prod: dict[str, Declared]) -> None:
    serving = {**prod["serving"].outputs}
    serving["models"] = [
        {key: value for key, value in one.items() if key != "tokens"} for one in serving["models"]
    ]
    assert not [n for n in redeclared(prod, serving).of(POLICY) if n.startswith("assistant")]


def test_metrics_that_are_not_collected_are_not_watched() -> None:
    plain = structs.replace(served(), models=served().models[1:])
    assert watched(environment(), CLUSTER, plain) == []
