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
from infra.environment.language_models import adapter_queries, gpu_queries, queries
from infra.environment.language_models.alerts import alerts
from infra.environment.language_models.dashboard import dashboard
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


def pool(name: str, gpus: int, **more: Any) -> NodePool:
    return NodePool(
        name=name,
        zones=("a",),
        machine_type="g2-standard-8",
        min_nodes=0,
        max_nodes=2,
        gpus=gpus,
        **more,
    )


CLUSTER = ClusterContract(
    name="main",
    location="europe-west4",
    zones=("europe-west4-a",),
    kubeconfig=SecretText(""),
    network="",
    workload_pool="",
    node_pools=(pool("one", 1), pool("eight", 8), pool("shared", 4, gpu_sharing="TIME_SHARING")),
    node_tag="",
    instance_groups=(),
    gpu_metrics=True,
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


def only(
    serving: ServingContract | None = None, cluster: ClusterContract = CLUSTER, **keys: Any
) -> LanguageModel:
    (found,) = watched(environment(language_models=keys), cluster, serving or served())
    return found


def suffixes(model: LanguageModel) -> set[str]:
    """Of the alerts that are declared for it."""
    return {one.suffix for one in alerts(environment(), model, "prod")}


def titles(model: LanguageModel) -> list[str]:
    tiles = json.loads(dashboard("chat", model))["mosaicLayout"]["tiles"]
    return [tile["widget"]["title"] for tile in tiles]


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
        (
            {"language_models": {"cost_per_million": 2}},
            'cost_per_million: the cost of "chat" is not known, and an alert on it would never '
            "fire; set gke-platform:language_models.prices.pools",
        ),
        (
            {"language_models": {"cost_per_million": 2, "prices": {"pools": {"one": 1}}}},
            "set gke-platform:language_models.prices.pools for eight",
        ),
    ],
)
def test_what_cannot_be_watched_is_refused(keys: dict[str, Any], has: str) -> None:
    keys = {"alerts": {"speeds": ["fast"]}, **keys}
    assert has in refusal(served(gpus=1, pools=("one", "eight")), **keys)


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
        # Of several hosts: the GPUs of all, or as many nodes.
        ({"gpus": 16, "pools": ("eight",), "hosts": 2}, {"eight": 8.0}, 16.0),
        ({"gpus": 0, "pools": ("one",), "hosts": 2}, {"one": 0.8}, 1.6),
    ],
)
def test_the_price_of_a_replica_is_its_share_of_a_node(
    tokens: dict[str, Any], pools: dict[str, float], price: float | None
) -> None:
    assert only(served(**tokens), prices={"pools": pools}).hourly_price == price


def test_a_class_of_dear_and_cheap_nodes_has_two_costs() -> None:
    serving = served(gpus=1, pools=("one", "eight"))
    found = only(serving, prices={"currency": "EUR", "pools": {"one": 0.3, "eight": 8.0}})
    assert (found.hourly_price, found.least_hourly_price) == (1.0, 0.3)
    shown = json.loads(dashboard("chat", found))["mosaicLayout"]["tiles"][-1]["widget"]
    series = shown["xyChart"]["dataSets"]
    assert [one["legendTemplate"] for one in series] == [
        "on the dearest nodes",
        "on the cheapest nodes",
    ]
    same = only(serving, prices={"pools": {"one": 1.0, "eight": 8.0}})
    tile = json.loads(dashboard("chat", same))["mosaicLayout"]["tiles"][-1]["widget"]
    assert len(tile["xyChart"]["dataSets"]) == 1


def test_pools_without_a_price_are_told() -> None:
    serving = served(gpus=1, pools=("one", "eight"))
    assert only(serving, prices={"pools": {"one": 0.3}}).unpriced == ("eight",)
    assert only(serving).unpriced == ()


def test_dear_tokens_alert_where_that_is_asked_for() -> None:
    prices = {"pools": {"one": 0.8}}
    serving = served(gpus=1, pools=("one",))
    found = only(serving, prices=prices, cost_per_million=3, models={"chat": {}})
    assert "cost" in suffixes(found)
    (query,) = [one.query for one in alerts(environment(), found, "prod") if one.suffix == "cost"]
    assert query.endswith(" > 3 < +Inf")
    own = only(serving, prices=prices, models={"chat": {"cost_per_million": 9}})
    assert own.cost_per_million == 9
    assert "cost" not in suffixes(only(serving, prices=prices))


def test_a_canary_counts_with_its_model() -> None:
    assert 'job=~"chat|chat-canary"' in queries.waiting(only(served(jobs=("chat", "chat-canary"))))
    assert 'job="chat"' in queries.waiting(only())


def test_a_canary_is_held_to_the_objective_apart() -> None:
    """It gets few of the requests, so that its slowness is lost among all."""
    found = only(served(jobs=("chat", "chat-canary")))
    own = {
        one.suffix: one.query
        for one in alerts(environment(), found, "prod")
        if one.suffix.startswith("canary-")
    }
    assert own.keys() == {"canary-first-token-fast", "canary-first-token-slow"}
    assert all('job="chat-canary"' in one and 'job="chat"' not in one for one in own.values())
    assert "Time to first token by version, 95th percentile" in titles(found)
    assert not [one for one in suffixes(only()) if one.startswith("canary-")]


def test_gpus_are_watched_where_their_exporter_runs() -> None:
    held = served(gpus=1, pools=("one",))
    assert {"gpu-idle", "gpu-memory"} <= suffixes(only(held))
    assert "GPU memory in use, by pod" in titles(only(held))
    unmeasured = structs.replace(CLUSTER, gpu_metrics=False)
    assert only(held, unmeasured).lacks_gpu_exporter
    assert not only(held).lacks_gpu_exporter
    assert not only(served(gpus=0, pools=("one",)), unmeasured).lacks_gpu_exporter
    for other in (
        only(held, unmeasured),
        only(served(gpus=0, pools=("one",))),
        # The exporter names one of the pods that share a GPU.
        only(served(gpus=1, pools=("one", "shared"))),
    ):
        assert not {"gpu-idle", "gpu-memory"} & suffixes(other)
        assert "GPU duty cycle, by pod" in titles(other)


def test_gpus_are_found_by_the_labels_of_the_exporter() -> None:
    assert gpu_queries.matchers(only()) == (
        '{cluster="main",location="europe-west4",namespace="models",container=~"chat"}'
    )


def test_adapters_are_watched_where_a_server_takes_them() -> None:
    assert "adapters" not in suffixes(only())
    found = only(served(max_loras=2))
    assert "adapters" in suffixes(found)
    assert "LoRA adapters" in titles(found)
    # Three names or more.
    query = adapter_queries.more_are_asked_than_fit(found)
    assert 'running_lora_adapters=~"[^,]+(,[^,]+){2,}"' in query


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
        "assistant-gpu-idle",
        "assistant-gpu-memory",
        "assistant-adapters",
    }
    (condition,) = declared.of(POLICY)["assistant-waiting"]["conditions"]
    asked = condition["conditionPrometheusQueryLanguage"]
    assert asked["duration"] == "600s"
    assert asked["disableMetricValidation"] is True
    assert "assistant-tokens" in declared.of(DASHBOARD)


def test_the_cost_is_shown_where_the_nodes_have_prices(prod: dict[str, Declared]) -> None:
    serving = prod["serving"].outputs
    pools = next(one["tokens"]["pools"] for one in serving["models"] if one.get("tokens"))
    shown = {}
    for currency, prices in (("", None), ("EUR", {"currency": "EUR", "pools": {pools[0]: 0.9}})):
        edit = {"language_models": {"prices": prices}} if prices else {}
        board = redeclared(prod, serving, **edit).of(DASHBOARD)["assistant-tokens"]
        tiles = json.loads(board["dashboardJson"])["mosaicLayout"]["tiles"]
        shown[currency] = [tile["widget"]["title"] for tile in tiles]
        corners = [(tile["xPos"], tile["yPos"]) for tile in tiles]
        assert len(corners) == len(set(corners))
    assert shown["EUR"] == [*shown[""], "EUR per million tokens, of the last hour"]


def test_a_publisher_that_says_nothing_of_tokens_is_read(prod: dict[str, Declared]) -> None:
    serving = {**prod["serving"].outputs}
    serving["models"] = [
        {key: value for key, value in one.items() if key != "tokens"} for one in serving["models"]
    ]
    assert not [n for n in redeclared(prod, serving).of(POLICY) if n.startswith("assistant")]


def test_metrics_that_are_not_collected_are_not_watched() -> None:
    plain = structs.replace(served(), models=served().models[1:])
    assert watched(environment(), CLUSTER, plain) == []
