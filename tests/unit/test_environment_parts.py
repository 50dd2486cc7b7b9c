"""What the environment layer decides: objectives, alerts, checks, dashboard, budget."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from msgspec import structs

from declared import Declared, run_layer, stack_config
from gkeplatform import planned
from gkeplatform.buckets import BucketArgs, protection
from gkeplatform.config import Settings, load
from gkeplatform.contracts import NetworkingContract, RoutedModel
from gkeplatform.errors import PlatformError
from gkeplatform.layers import ENVIRONMENT
from infra.environment import budget
from infra.environment.alerts import checks_filter
from infra.environment.config import (
    Email,
    EnvironmentConfig,
    PubSub,
    UptimeCheckArgs,
    Webhook,
)
from infra.environment.objectives import decided
from infra.environment.uptime import Probe, check_count, checked, probe, unchecked
from infra.networking.config import NetworkingConfig
from tests.environment_runs import environment_run

FILE = "stacks/Pulumi.dev.yaml"
POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"
BUDGET = {"billing_account": "01ACE0-01ACE0-01ACE0", "amount": 100}


def loaded(model: type[Any], namespace: str, **keys: Any) -> Any:
    values = {f"{namespace}:{key}": json.dumps(value) for key, value in keys.items()}
    return load(model, namespace=namespace, values=values, file=FILE)


def environment(**keys: Any) -> EnvironmentConfig:
    found: EnvironmentConfig = loaded(EnvironmentConfig, "gke-platform", **keys)
    return found


def refused(model: type[Settings], namespace: str, **keys: Any) -> str:
    with pytest.raises(PlatformError) as raised:
        loaded(model, namespace, **keys)
    return str(raised.value).removeprefix(f"{FILE}: ")


MAIL = {"kind": "email", "name": "platform", "address": "ml@acme.example"}


@pytest.mark.parametrize(
    ("keys", "starts", "has"),
    [
        (
            {"objectives": {"availability": 99.9}},
            "gke-platform:objectives.availability: expected a number of at most 0.99999, got 99.9",
            "",
        ),
        (
            {"objectives": {"latencey_goal": 0.9}},
            'gke-platform:objectives: unknown key "latencey_goal"',
            'did you mean "latency_goal"?',
        ),
        (
            {"uptime_check": {"model": "resnet"}},
            'gke-platform:uptime_check: unknown key "model"',
            "",
        ),
        (
            {"alerts": {"speeds": ["quick"]}},
            "gke-platform:alerts.speeds[0]:",
            "known here: fast, slow",
        ),
        (
            {"alerts": {"speeds": ["fast", "fast"]}},
            "gke-platform:alerts",
            '"fast" is listed twice',
        ),
        (
            {"alerts": {"fast": {"confirm_minutes": 60}}},
            "gke-platform:alerts.fast: confirm_minutes 60 is not shorter than window_minutes 60",
            "a twelfth of it, 5, is usual",
        ),
        (
            {"notifications": [MAIL | {"address": "ml"}]},
            "gke-platform:notifications[0].address:",
            '"ml"',
        ),
        (
            {"notifications": [MAIL | {"kind": "e-mail"}]},
            "gke-platform:notifications[0]",
            "email",
        ),
        (
            {"notifications": [MAIL, MAIL]},
            "gke-platform:notifications",
            '"platform" is the name of two channels',
        ),
        (
            {
                "notifications": [MAIL | {"name": f"n{i}"} for i in range(6)],
                "budget": BUDGET,
            },
            "gke-platform:notifications",
            "6 of kind email, and a budget takes 5",
        ),
        (
            {"budget": BUDGET | {"billing_account": "my account"}},
            "gke-platform:budget.billing_account:",
            '"my account"',
        ),
        (
            {"budget": {"amount": 100}},
            'gke-platform:budget: the key "billing_account" is missing',
            "",
        ),
        (
            {"budget": BUDGET | {"thresholds": [0.9, 0.5]}},
            "gke-platform:budget",
            "not in ascending order; write [0.5, 0.9]",
        ),
    ],
)
def test_bad_input_is_refused(keys: dict[str, Any], starts: str, has: str) -> None:
    said = refused(EnvironmentConfig, "gke-platform", **keys)
    assert said.startswith(starts), said
    assert has in said, said


@pytest.mark.parametrize(
    ("static", "has"),
    [
        ({"soft_delete_days": 3}, "3 is below Google's minimum; set 7 or more, or 0"),
        ({"soft_delete_days": 91}, "at most 90, got 91"),
        ({"retention_days": 30}, "set versioning to false, or retention_days to 0"),
        (
            {"retention_days": 30, "versioning": False, "force_destroy": True},
            "objects cannot be deleted for 30 days",
        ),
    ],
)
def test_a_bucket_that_cannot_be_is_refused(static: dict[str, Any], has: str) -> None:
    said = refused(NetworkingConfig, "gke-networking", static_files=static)
    assert said.startswith("gke-networking:static_files")
    assert has in said


def test_retention_is_said_in_seconds() -> None:
    args = BucketArgs(versioning=False, retention_days=2)
    assert protection(args)["retention_policy"] == {"retention_period": "172800"}
    assert [rule["action"]["type"] for rule in protection(args)["lifecycle_rules"]] == [
        "AbortIncompleteMultipartUpload"
    ]


def networking(*names: str) -> NetworkingContract:
    models = tuple(
        RoutedModel(
            name=name,
            namespace="models",
            url=f"http://x/{name}",
            backend_service=f"s-{name}",
            groups=(),
        )
        for name in names
    )
    return NetworkingContract(
        cluster="c",
        address="203.0.113.1",
        url="http://203.0.113.1",
        url_map="u",
        static_bucket="b",
        models=models,
    )


def test_a_model_s_own_objectives_win_over_all_models() -> None:
    config = environment(
        objectives={
            "availability": 0.99,
            "latency_milliseconds": 500,
            "models": {"fraud": {"availability": 0.999}},
        }
    )
    resnet, fraud = decided(config, networking("resnet", "fraud"))
    assert (resnet.availability, fraud.availability) == (0.99, 0.999)
    assert (resnet.latency_milliseconds, fraud.latency_milliseconds) == (500, 500)


def test_an_alert_that_can_never_fire_is_refused() -> None:
    config = environment(objectives={"latency_goal": 0.9})
    with pytest.raises(PlatformError) as raised:
        decided(config, networking("resnet"))
    assert str(raised.value) == (
        'gke-platform:alerts.fast.burn_rate: 14.4 is never reached by "resnet", whose latency goal '
        "of 0.9 burns at most 10 times as fast as its budget lasts; set it below 10, or the goal "
        "above 0.9306"
    )
    calm = environment(objectives={"latency_goal": 0.9}, alerts={"speeds": ["slow"]})
    assert len(decided(calm, networking("resnet"))) == 1


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "http://198.51.100.4/v1/models/resnet",
            Probe(host="198.51.100.4", path="/v1/models/resnet", port=80, is_encrypted=False),
        ),
        (
            "https://translate.acme.example/v1/models/translate",
            Probe(
                host="translate.acme.example",
                path="/v1/models/translate",
                port=443,
                is_encrypted=True,
            ),
        ),
        (
            "http://198.51.100.4:8080",
            Probe(host="198.51.100.4", path="/", port=8080, is_encrypted=False),
        ),
        (planned.UNKNOWN, Probe(host=planned.UNKNOWN, path="/", port=80, is_encrypted=False)),
    ],
)
def test_a_check_asks_what_a_client_would(url: str, expected: Probe) -> None:
    assert probe(url) == expected


def test_one_check_and_many_are_selected() -> None:
    assert checks_filter(["a"]).endswith('metric.labels.check_id = "a"')
    assert checks_filter(["b", "a"]).endswith('metric.labels.check_id = one_of("a", "b")')


def test_a_budget_mails_and_publishes_but_calls_no_webhook() -> None:
    channels = (
        Email(name="platform", address="ml@acme.example"),
        Webhook(name="pager", url="https://x.example", username="u", password="p"),
        PubSub(name="bus", topic="projects/acme/topics/alerts"),
    )
    names = {
        channel.name: f"projects/p/notificationChannels/{channel.name}" for channel in channels
    }
    assert budget.notification_rule(channels, names) == {
        "monitoring_notification_channels": ["projects/p/notificationChannels/platform"],
        "pubsub_topic": "projects/acme/topics/alerts",
        "schema_version": "1.0",
    }
    assert budget.notification_rule((), {}) is None


@pytest.fixture(scope="module")
def prod() -> dict[str, Declared]:
    return environment_run("prod")


def redeclared(
    layers: dict[str, Declared],
    edit: dict[str, Any],
    without: tuple[str, ...] = (),
    serving: dict[str, Any] | None = None,
    networking: dict[str, Any] | None = None,
) -> Declared:
    """The environment layer of prod with edited keys."""
    config = {k: v for k, v in stack_config("prod").items() if k not in without}
    config |= {f"gke-platform:{key}": json.dumps(value) for key, value in edit.items()}
    projects = {"cluster": "gke-cluster", "serving": "gke-serving", "networking": "gke-networking"}
    upstream = {
        f"organization/{project}/prod": layers[name].outputs for name, project in projects.items()
    }
    if serving is not None:
        upstream["organization/gke-serving/prod"] = serving
    if networking is not None:
        upstream["organization/gke-networking/prod"] = networking
    return run_layer(ENVIRONMENT, "prod", upstream, config)


def test_a_model_that_answers_no_get_has_no_check_and_is_told_of() -> None:
    post, get, login = networking("post", "get", "login").models
    get = structs.replace(get, check_url="http://x/get/health")
    login = structs.replace(login, uses_iap=True)
    args = UptimeCheckArgs()
    assert checked([post, get, login], args) == {"get": "http://x/get/health"}
    (said,) = unchecked([post, get, login], args)
    assert said.startswith('model "post" has no uptime check')
    skipping = UptimeCheckArgs(skip=("post", "get"))
    assert checked([post, get, login], skipping) == {}
    assert list(unchecked([post, get, login], skipping)) == []


def test_every_routed_model_is_watched(prod: dict[str, Declared]) -> None:
    routed = {model["name"] for model in prod["networking"].outputs["models"]}
    open_ = {m["name"] for m in prod["networking"].outputs["models"] if not m["uses_iap"]}
    assert routed - open_ == {"segmenter"}
    declared = prod["environment"]
    assert set(declared.of("gcp:monitoring/customService:CustomService")) == routed
    assert set(declared.of("gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig")) == open_
    for objective in ("availability", "latency"):
        for speed in ("fast", "slow"):
            names = {f"{model}-{objective}-{speed}" for model in routed}
            assert names <= set(declared.of(POLICY))


def test_an_alert_looks_at_a_long_and_a_short_window(prod: dict[str, Declared]) -> None:
    alert = prod["environment"].of(POLICY)["resnet-availability-fast"]
    assert alert["combiner"] == "AND"
    thresholds = [condition["conditionThreshold"] for condition in alert["conditions"]]
    assert [one["thresholdValue"] for one in thresholds] == [14.4, 14.4]
    periods = [one["filter"].rpartition(", ")[2] for one in thresholds]
    assert periods == ['"3600s")', '"300s")']
    assert "2.14 % of 28 days' budget in 60 minutes" in alert["documentation"]["content"]


def test_the_dashboard_has_a_row_a_model_and_no_tile_on_another(prod: dict[str, Declared]) -> None:
    board = prod["environment"].of("gcp:monitoring/dashboard:Dashboard")["models"]
    layout = json.loads(board["dashboardJson"])["mosaicLayout"]
    cells = [
        (x, y)
        for tile in layout["tiles"]
        for x in range(tile["xPos"], tile["xPos"] + tile["width"])
        for y in range(tile["yPos"], tile["yPos"] + tile["height"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < layout["columns"]
    titles = " ".join(tile["widget"]["title"] for tile in layout["tiles"])
    for model in prod["networking"].outputs["models"]:
        assert f"{model['name']}: budget left" in titles


def test_the_dashboard_shows_the_pods_of_every_model(prod: dict[str, Declared]) -> None:
    serving = deepcopy(prod["serving"].outputs)
    # A team whose models are not behind the load balancer.
    embeddings = next(model for model in serving["models"] if model["name"] == "embeddings")
    embeddings["namespace"] = "search"
    declared = redeclared(prod, {}, serving=serving)
    board = declared.of("gcp:monitoring/dashboard:Dashboard")["models"]
    namespaces = {model["namespace"] for model in serving["models"]}
    assert namespaces == {"models", "search", "vision"}
    listed = ", ".join(f'"{name}"' for name in sorted(namespaces))
    tiles = json.loads(board["dashboardJson"])["mosaicLayout"]["tiles"]
    (cpu,) = [tile for tile in tiles if tile["widget"]["title"] == "CPU against requests"]
    (series,) = cpu["widget"]["xyChart"]["dataSets"]
    found = series["timeSeriesQuery"]["timeSeriesFilter"]["filter"]
    assert f"resource.labels.namespace_name = one_of({listed})" in found


def test_more_models_than_a_dashboard_holds_go_on_in_another(prod: dict[str, Declared]) -> None:
    routed = deepcopy(prod["networking"].outputs)
    served = deepcopy(prod["serving"].outputs)
    models = [one for one in routed["models"] if not one["uses_iap"]]
    for outputs, key in ((routed, "models"), (served, "models")):
        template = next(one for one in outputs[key] if one["name"] == models[0]["name"])
        outputs[key] += [template | {"name": f"more-{number}"} for number in range(40)]
    declared = redeclared(prod, {}, serving=served, networking=routed)
    found = declared.of("gcp:monitoring/dashboard:Dashboard")
    boards = {name: one for name, one in found.items() if name.startswith("models")}
    assert list(boards) == ["models", "models-2"]
    layouts = [json.loads(one["dashboardJson"])["mosaicLayout"] for one in boards.values()]
    assert all(len(layout["tiles"]) <= 100 for layout in layouts)
    titles = [tile["widget"]["title"] for layout in layouts for tile in layout["tiles"]]
    for name in [one["name"] for one in routed["models"]]:
        assert titles.count(f"{name}: budget left") == 1
    assert titles.count("CPU against requests") == 1


def test_more_models_than_uptime_checks_are_refused(prod: dict[str, Declared]) -> None:
    many = networking(*(f"model-{number}" for number in range(103))).models
    checkable = [structs.replace(one, check_url="http://x/health") for one in many]
    with pytest.raises(PlatformError, match=r"103 models would have a check.* name 3 of them"):
        check_count(checkable, UptimeCheckArgs())
    check_count(checkable, UptimeCheckArgs(skip=("model-0", "model-1", "model-2")))


def test_without_a_billing_account_there_is_no_budget(prod: dict[str, Declared]) -> None:
    declared = redeclared(prod, {}, without=("gke-platform:budget",))
    assert not declared.of("gcp:billing/budget:Budget")
    assert not declared.of("gcp:projects/service:Service")


def test_a_model_behind_a_login_is_not_asked(prod: dict[str, Declared]) -> None:
    declared = redeclared(prod, {"uptime_check": {"skip": ["resnet"]}})
    checks = declared.of("gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig")
    assert "resnet" not in checks
    filter_ = declared.of(POLICY)["uptime"]["conditions"][0]["conditionThreshold"]["filter"]
    assert '"resnet"' not in filter_


def test_the_stack_stays_small(prod: dict[str, Declared]) -> None:
    assert len(prod["environment"].inputs) < 80
