"""Callers: settings, and the configuration of Envoy and of the rate limit service."""

import copy
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from declared import ROOT, Declared, run_environment, stack_config
from gkeplatform.errors import PlatformError
from gkeplatform.layers import SERVING
from infra import stack_file
from infra.serving.callers import envoy, gateway, limits
from infra.serving.callers.settings import Caller, CallerKey, CallersArgs, check_models
from infra.serving.models import Workload
from policies.check import judge, pack_for
from policies.reports.as_text import render
from tests.unit.callers_of_stage import TWO, edits
from tests.unit.entries import BASE, VLLM


def caller(name: str = "web", *, secret: str | None = None, **more: object) -> Caller:
    key = CallerKey(secret_manager=secret or f"key-{name}", version=1)
    values: dict[str, object] = {"models": ("chat",), "keys": (key,), **more}
    return Caller(name=name, **values)  # type: ignore[arg-type]


def test_a_key_tells_one_caller() -> None:
    with pytest.raises(ValueError, match=r'allowed\[1\].keys\[0\]: shared version 1 .* "web"'):
        CallersArgs(
            failure="close",
            allowed=(caller(secret="shared"), caller("batch", secret="shared")),
        )


def test_a_name_is_used_once() -> None:
    with pytest.raises(ValueError, match=r'allowed\[1\].name: "web"'):
        CallersArgs(failure="close", allowed=(caller(secret="a"), caller(secret="b")))


def test_unknown_models_are_refused() -> None:
    callers = CallersArgs(failure="close", allowed=(caller(models=("chta",)),))
    with pytest.raises(ValueError, match=r'models\[0\]: there is no model "chta"; .*chat'):
        check_models(callers, ["chat"])


def test_limits_are_those_that_callers_have() -> None:
    found = limits.configuration(
        [caller(requests_per_minute=5), caller("batch", tokens_per_minute=1000)]
    )
    counted = {
        (kind["value"], one["value"]): one["rate_limit"]
        for kind in found["descriptors"]
        for one in kind["descriptors"]
    }
    assert counted == {
        ("requests", "web"): {"unit": "minute", "requests_per_unit": 5},
        ("tokens", "batch"): {"unit": "minute", "requests_per_unit": 1000},
    }


def test_only_health_checks_need_no_key() -> None:
    found = envoy.routes(allowed=["web"], ready_path="/health", timeout_seconds=300)
    routes = found["resources"][0]["virtual_hosts"][0]["routes"]
    open_routes = [
        one["match"]
        for one in routes
        if one.get("typed_per_filter_config", {}).get(envoy.API_KEYS, {}).get("disabled")
    ]
    assert open_routes == [{"path": "/health"}]


@pytest.fixture(scope="module")
def serving() -> Declared:
    """Stage with callers of its language model."""
    return run_environment("stage", edits(TWO))["serving"]


def test_a_guarded_model_is_reached_by_its_gateway_only(serving: Declared) -> None:
    services = {k: v["spec"] for k, v in serving.of("kubernetes:core/v1:Service").items()}
    deployments = serving.of("kubernetes:apps/v1:Deployment")

    def labels(name: str) -> dict[str, str]:
        found: dict[str, str] = deployments[name]["spec"]["template"]["metadata"]["labels"]
        return found

    public, own = services["assistant"], services["assistant-server"]
    assert public["selector"].items() <= labels("assistant-callers").items()
    assert own["selector"].items() <= labels("assistant").items()
    assert own["clusterIP"] == "None"
    (server,) = deployments["assistant"]["spec"]["template"]["spec"]["containers"]
    assert "--enable-force-include-usage" in server["args"]
    policies = serving.of("kubernetes:networking.k8s.io/v1:NetworkPolicy")
    selecting = [
        policy["spec"]
        for policy in policies.values()
        if policy["metadata"]["namespace"] == "models"
        and selects(policy["spec"]["podSelector"], labels("assistant"))
    ]
    (guarded,) = selecting
    peers = [one for rule in guarded["ingress"] for one in rule["from"]]
    assert all("ipBlock" not in one for one in peers)
    assert selects(peers[0]["podSelector"], labels("assistant-callers"))
    assert not selects(peers[0]["podSelector"], labels("assistant"))


@pytest.fixture(scope="module")
def pooled() -> Declared:
    """The same with the model at the Inference Gateway."""
    return run_environment("stage", edits(TWO, pooled=True))["serving"]


@pytest.mark.parametrize("at", ["serving", "pooled"])
def test_no_mandatory_rule_refuses_callers(at: str, request: pytest.FixtureRequest) -> None:
    serving: Declared = request.getfixturevalue(at)
    pack = pack_for("stage", root=ROOT, today=datetime.now(UTC).date())
    resources = serving.resources("stage", SERVING.project)
    report = judge(resources, pack, environment="stage", layer=SERVING.name)
    assert not [one for one in report.findings if one.stops], render(report)


def _policies(pooled: Declared, target: dict[str, str]) -> list[dict[str, Any]]:
    """The specs of the network policies that select pods with these labels."""
    found = pooled.of("kubernetes:networking.k8s.io/v1:NetworkPolicy").values()
    return [
        one["spec"]
        for one in found
        if one["metadata"]["namespace"] == "models" and selects(one["spec"]["podSelector"], target)
    ]


def _admits(specs: list[dict[str, Any]], peer: dict[str, Any], port: int) -> bool:
    wanted = {"port": port, "protocol": "TCP"}
    rules = [rule for spec in specs for rule in spec["ingress"] if peer in rule["from"]]
    return any(not rule.get("ports") or wanted in rule["ports"] for rule in rules)


def test_a_pool_is_reached_by_its_gateway_which_asks_the_picker(pooled: Declared) -> None:
    deployments = pooled.of("kubernetes:apps/v1:Deployment")

    def labels(name: str) -> dict[str, str]:
        found: dict[str, str] = deployments[name]["spec"]["template"]["metadata"]["labels"]
        return found

    def chosen(name: str) -> dict[str, Any]:
        return {"podSelector": {"matchLabels": labels_of[name]}}

    labels_of = {
        "gateway": {
            "app.kubernetes.io/name": "assistant-callers",
            "app.kubernetes.io/component": "callers-gateway",
        },
        "gateways": {"app.kubernetes.io/component": "callers-gateway"},
        "picker": {
            "app.kubernetes.io/name": "assistant-epp",
            "app.kubernetes.io/component": "endpoint-picker",
        },
    }
    proxies = {"ipBlock": {"cidr": "10.250.0.0/23"}}
    server = _policies(pooled, labels("assistant"))
    assert _admits(server, chosen("gateways"), 8000)
    assert _admits(server, chosen("picker"), 8000)
    assert not _admits(server, proxies, 8000)
    assert _admits(_policies(pooled, labels("assistant-callers")), proxies, 8000)
    assert _admits(_policies(pooled, labels("assistant-epp")), chosen("gateway"), 9002)
    (route,) = (
        one["spec"]
        for name, one in pooled.of("kubernetes:gateway.networking.k8s.io/v1:HTTPRoute").items()
        if name == "assistant"
    )
    (rule,) = route["rules"]
    assert rule["backendRefs"] == [{"name": "assistant", "port": 8000}]
    service = {"group": "", "kind": "Service", "name": "assistant"}
    for kind in ("HealthCheckPolicy", "GCPBackendPolicy"):
        found = pooled.of(f"kubernetes:networking.gke.io/v1:{kind}")
        assert service in [one["spec"]["targetRef"] for one in found.values()]


def test_keys_and_limits_come_before_the_picker(pooled: Declared) -> None:
    data = pooled.of("kubernetes:core/v1:ConfigMap")["assistant-callers"]["data"]
    bootstrap = json.loads(data["envoy.json"])["static_resources"]
    manager = bootstrap["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    kinds = [one["name"].rpartition(".")[2] for one in manager["http_filters"]]
    assert kinds == [
        "api_key_auth", "json_to_metadata", "sse_to_metadata", "ratelimit", "ext_proc", "router",
    ]  # fmt: skip
    asking = manager["http_filters"][4]["typed_config"]
    assert asking["failure_mode_allow"]  # stage has failure: open
    (picker,) = (one for one in bootstrap["clusters"] if one["name"] == "picker")
    (group,) = picker["load_assignment"]["endpoints"]
    address = group["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    name, namespace, *_ = address["address"].split(".")
    spec = pooled.of("kubernetes:core/v1:Service")[name]["spec"]
    assert (namespace, spec["clusterIP"]) == ("models", "None")
    assert [one["port"] for one in spec["ports"]] == [address["port_value"]]


def test_no_key_is_declared_and_all_are_in_one_secret(serving: Declared) -> None:
    (sync,) = [
        one
        for one in serving.of("kubernetes:secret-sync.gke.io/v1:SecretSync").values()
        if one["metadata"]["name"] == "caller-keys"
    ]
    files = [one["targetKey"] for one in sync["spec"]["secretObject"]["data"]]
    assert files == ["key-batch.1", "key-web.1", "key-web.2"]
    settings = serving.of("kubernetes:core/v1:ConfigMap")["assistant-callers"]["data"]
    listed = json.loads(settings["callers.json"])
    assert listed == [
        {"name": "web", "keys": ["key-web.1", "key-web.2"]},
        {"name": "batch", "keys": ["key-batch.1"]},
    ]


def test_the_audit_log_is_kept_once_and_in_its_place(serving: Declared) -> None:
    kind = "gcp:logging/project"
    (bucket,) = serving.of(f"{kind}BucketConfig:ProjectBucketConfig").values()
    (sink,) = serving.of(f"{kind}Sink:ProjectSink").values()
    (exclusion,) = serving.of(f"{kind}Exclusion:ProjectExclusion").values()
    place = "projects/acme-ml-stage/locations/europe-west4/buckets/acme-ml-stage-callers"
    assert (bucket["retentionDays"], bucket["location"]) == (400, "europe-west4")
    assert sink["destination"] == f"logging.googleapis.com/{place}"
    assert sink["filter"] == exclusion["filter"]
    deployment = serving.of("kubernetes:apps/v1:Deployment")["assistant-callers"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    for expected in (
        'resource.labels.cluster_name="acme-ml-stage-cluster"',
        'resource.labels.namespace_name=("models")',
        f'resource.labels.container_name="{container["name"]}"',
        'jsonPayload.audit="callers"',
    ):
        assert expected in sink["filter"].splitlines()


def test_the_audit_log_stays_when_it_is_no_longer_declared(serving: Declared) -> None:
    """Google keeps the name of a deleted bucket for seven days, and an auditor needs its lines."""
    kind = "gcp:logging/projectBucketConfig:ProjectBucketConfig"
    assert {one for one in serving.retained if one[0].startswith("gcp:")} == {(kind, "callers")}


def test_without_a_place_the_lines_stay_where_they_are() -> None:
    plain = {key: value for key, value in TWO.items() if key != "audit"}
    declared = run_environment("stage", edits(plain))["serving"]
    assert not [kind for kind, _ in declared.inputs if kind.startswith("gcp:logging/")]


def test_a_new_key_or_limit_changes_no_pod() -> None:
    """Only what is followed while it runs differs: ConfigMaps, and what the Secret has."""
    changed = copy.deepcopy(TWO)
    changed["allowed"][1]["keys"].append({"secret_manager": "key-batch", "version": 2})
    changed["allowed"][1]["tokens_per_minute"] = 5
    changed["allowed"][1]["models"] = ["assistant"]
    one, other = (
        gateway.settings(workload(given), parsed(given), namespace="models")
        for given in (TWO, changed)
    )
    assert gateway.digest(one) == gateway.digest(other)
    assert one != other


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"exposure": {"kind": "load-balancer"}}, "past the gateway"),
        ({"arguments": ["--api-key=abc"]}, "--api-key"),
        ({"arguments": ["--no-enable-force-include-usage"]}, "would not be counted"),
        ({"environment": {"VLLM_API_KEY": {"secret": "a", "key": "b"}}}, "VLLM_API_KEY"),
    ],
)  # fmt: skip
def test_what_would_pass_the_gateway_by_is_refused(entry: dict[str, Any], message: str) -> None:
    models = [{**VLLM, **entry}]
    given = {"failure": "close", "allowed": [{**TWO["allowed"][0], "models": ["m1"]}]}
    with pytest.raises(PlatformError, match=message):
        refused(models, given)


def test_models_of_other_servers_are_refused() -> None:
    given = {"failure": "close", "allowed": [{**TWO["allowed"][0], "models": ["m1"]}]}
    with pytest.raises(PlatformError, match=r"models\[0\].server: tensorflow-serving"):
        refused([BASE], given)


def refused(models: list[dict[str, Any]], callers: dict[str, Any]) -> None:
    config = stack_config("stage") | edits(callers) | {"gke-serving:models": json.dumps(models)}
    stack_file.read(config, file="stacks/Pulumi.stage.yaml")


def parsed(callers: dict[str, Any]) -> CallersArgs:
    return msgspec.convert(callers, CallersArgs)


def workload(callers: dict[str, Any]) -> Workload:
    config = stack_config("stage") | edits(callers)
    whole = stack_file.read(config, file="stacks/Pulumi.stage.yaml")
    assert whole.serving is not None
    return next(one for one in whole.serving.entries if one.name == "assistant")


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    expressions = selector.get("matchExpressions", [])
    assert all(one["operator"] == "DoesNotExist" for one in expressions)
    return selector.get("matchLabels", {}).items() <= labels.items() and not any(
        one["key"] in labels for one in expressions
    )
