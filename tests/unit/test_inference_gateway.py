"""GKE's Inference Gateway: what a language model's entry declares, and what is refused."""

from __future__ import annotations

import copy
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from declared import ROOT, Declared, run_environment, stack_config
from gkeplatform.contracts import ClusterContract, SecretText
from gkeplatform.errors import PlatformError
from gkeplatform.layers import LAYERS
from infra import stack_file
from infra.path_routes import INFERENCE, path_front_ends, router_headers
from infra.serving.config import ServingConfig
from infra.serving.exposures.inference import (
    definitions,
    ext_proc_pods,
    picker,
    requirements,
    router,
)
from infra.serving.exposures.inference.routes import route
from infra.serving.exposures.inference.settings import PickerArgs, ScorerWeights
from infra.serving.exposures.inference_gateway import InferenceGateway
from policies.check import Report, judge, pack_for
from policies.reports.as_text import render

FILE = "stacks/Pulumi.stage.yaml"
NETWORK, MODELS = "gke-cluster:network", "gke-serving:models"
SETTINGS = "gke-serving:inference_gateway"
MANAGED = {"managed_certificates": True}
HOST = "llm.stage.acme.example"
EXPOSURE: dict[str, Any] = {"kind": "inference-gateway", "hosts": [HOST], "failure": "close"}
_GATEWAY = "kubernetes:gateway.networking.k8s.io/v1"
GATEWAY, ROUTE = f"{_GATEWAY}:Gateway", f"{_GATEWAY}:HTTPRoute"
POOL = "kubernetes:inference.networking.k8s.io/v1:InferencePool"
OBJECTIVE = "kubernetes:inference.networking.x-k8s.io/v1alpha2:InferenceObjective"
POLICY = "kubernetes:networking.gke.io/v1:GCPBackendPolicy"
ARMOR = "gcp:compute/regionSecurityPolicy:RegionSecurityPolicy"
HEALTH = "kubernetes:networking.gke.io/v1:HealthCheckPolicy"
EXTENSION = "kubernetes:networking.gke.io/v1:GCPRoutingExtension"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
CANARY = {
    "weights": {"stable": 90, "canary": 10},
    "source": "gs://acme-ml-stage-models/assistant-2",
}
PROXIES = "10.250.0.0/23"


def alone(**exposure: Any) -> dict[str, Any]:
    return {"exposure": {**EXPOSURE, **exposure}}


def edits(*servers: dict[str, Any], **more: Any) -> dict[str, str]:
    """Keys of stage in which the assistant is replaced by `servers`, which differ from it."""
    config = stack_config("stage")
    models = json.loads(config[MODELS])
    assistant = next(one for one in models if one["name"] == "assistant")
    others = [one for one in models if one is not assistant]
    del assistant["adapters"]
    entries = [{**copy.deepcopy(assistant), **one} for one in servers]
    network = {**yaml.safe_load(config[NETWORK]), "proxies_cidr": PROXIES}
    found = {NETWORK: network, MODELS: [*others, *entries], SETTINGS: {}, **more}
    return {key: json.dumps(value) for key, value in found.items()}


def read(*servers: dict[str, Any], **more: Any) -> ServingConfig:
    whole = stack_file.read(stack_config("stage") | edits(*servers, **more), file=FILE)
    assert whole.serving is not None
    return whole.serving


CODER = {
    "name": "coder",
    "served_name": "acme/coder",
    **alone(picker={"replicas": 2, "weights": {"prefix": 0}}, failure="open"),
}
SHARED = edits(
    {**alone(objectives={"chat": 10, "batch": -1}, timeout_seconds=900), "canary": CANARY},
    CODER,
    **{SETTINGS: {"certificates": ["llm", "llm-2"]}},
)


@pytest.fixture(scope="module")
def shared() -> dict[str, Declared]:
    """Two models that share a host over HTTPS, one with a canary."""
    return run_environment("stage", SHARED)


@pytest.fixture(scope="module")
def serving(shared: dict[str, Declared]) -> Declared:
    return shared["serving"]


def test_each_version_has_a_pool_that_names_its_own_picker(serving: Declared) -> None:
    pools = serving.of(POOL)
    assert set(pools) == {"assistant", "assistant-canary", "coder"}
    services = serving.of("kubernetes:core/v1:Service")
    for name, pool in pools.items():
        spec = pool["spec"]
        reference = spec["endpointPickerRef"]
        assert reference["name"] == f"{name}-epp"
        ports = [port["port"] for port in services[reference["name"]]["spec"]["ports"]]
        assert reference["port"]["number"] in ports
        labels = serving.of(DEPLOYMENT)[name]["spec"]["template"]["metadata"]["labels"]
        assert spec["selector"]["matchLabels"].items() <= labels.items()
        assert spec["targetPorts"] == [{"number": 8000}]
    modes = {name: one["spec"]["endpointPickerRef"]["failureMode"] for name, one in pools.items()}
    assert modes == {
        "assistant": "FailClose",
        "assistant-canary": "FailClose",
        "coder": "FailOpen",
    }


def test_models_of_one_host_are_told_apart_by_the_body(serving: Declared) -> None:
    routes = serving.of(ROUTE)
    for name, served in (("assistant", "assistant"), ("coder", "acme/coder")):
        (rule,) = routes[name]["spec"]["rules"]
        (match,) = rule["matches"]
        assert match["headers"] == [
            {"type": "Exact", "name": "X-Gateway-Model-Name", "value": served}
        ]
    extension = serving.of(EXTENSION)["body-based-router"]["spec"]
    gateway = serving.of(GATEWAY)["inference"]["metadata"]["name"]
    assert extension["targetRefs"][0]["name"] == gateway
    (chain,) = extension["extensionChains"]
    (condition,) = chain["matchCondition"]["celExpressions"]
    pattern = condition["celMatcher"].removeprefix("request.host.matches('").removesuffix("')")
    for host, is_asked in ((HOST, True), (f"{HOST.upper()}:443", True), (f"a.{HOST}", False)):
        assert bool(re.search(pattern, host)) is is_asked
    reference = chain["extensions"][0]["backendRef"]
    service = serving.of("kubernetes:core/v1:Service")[reference["name"]]
    assert reference["port"] in [port["port"] for port in service["spec"]["ports"]]


def test_a_router_of_too_many_hosts_is_asked_about_all() -> None:
    few, many = ([f"{n}.{'a' * 60}.example" for n in range(most)] for most in (3, 30))
    (chain,) = router.routing_extension(few)["extensionChains"]
    assert len(chain["matchCondition"]["celExpressions"][0]["celMatcher"]) <= 512
    (chain,) = router.routing_extension(many)["extensionChains"]
    assert "matchCondition" not in chain


@pytest.mark.parametrize(
    ("weights", "weight"), [({}, 2), ({"adapters": 5}, 5), ({"adapters": 0}, None)]
)
def test_the_picker_weighs_adapters_where_a_server_takes_them(
    weights: dict[str, int], weight: int | None
) -> None:
    def scorers(*, has_adapters: bool) -> dict[str, int]:
        args = PickerArgs(weights=ScorerWeights(**weights))
        data = picker.configuration(args, has_adapters=has_adapters)[picker.CONFIG_FILE]
        (profile,) = json.loads(data)["schedulingProfiles"]
        return {one["pluginRef"]: one["weight"] for one in profile["plugins"]}

    assert scorers(has_adapters=True).get("lora-affinity-scorer") == weight
    assert "lora-affinity-scorer" not in scorers(has_adapters=False)


def test_a_canary_gets_its_share_by_weight(serving: Declared) -> None:
    (rule,) = serving.of(ROUTE)["assistant"]["spec"]["rules"]
    assert [(one["kind"], one["name"], one["weight"]) for one in rule["backendRefs"]] == [
        ("InferencePool", "assistant", 90),
        ("InferencePool", "assistant-canary", 10),
    ]
    assert "assistant-canary" not in serving.of(ROUTE)


def test_a_stream_may_take_its_time_and_survives_a_rollout(serving: Declared) -> None:
    for name in ("assistant", "assistant-canary"):
        policy = serving.of(POLICY)[name]["spec"]
        assert policy["targetRef"]["kind"] == "InferencePool"
        assert policy["default"]["timeoutSec"] == 900
        assert policy["default"]["connectionDraining"]["drainingTimeoutSec"] == 900
        # The picker passes the parts of an answer on, until its end.
        for pod in (name, f"{name}-epp"):
            spec = serving.of(DEPLOYMENT)[pod]["spec"]["template"]["spec"]
            assert spec["terminationGracePeriodSeconds"] > 900


def test_the_load_balancer_knows_a_pod_before_the_picker_names_it(serving: Declared) -> None:
    def delay(name: str) -> int:
        pod = serving.of(DEPLOYMENT)[name]["spec"]["template"]["spec"]
        probe = pod["containers"][0]["readinessProbe"]
        return int((probe.get("successThreshold", 1) - 1) * probe["periodSeconds"])

    for name in ("assistant", "assistant-canary"):
        check = serving.of(HEALTH)[name]["spec"]["default"]
        assert delay(name) > 2 * check["checkIntervalSec"] * check["healthyThreshold"]
    # Another kind of exposure has GKE's readiness gate, or none to wait for.
    assert delay("resnet") == 0


def test_pools_have_the_policy_of_their_region() -> None:
    armor = {"rate_limit": {"requests": 60}, "deny": ["198.51.100.0/24"]}
    settings = {SETTINGS: {"armor": armor}}
    servers = ({**alone(), "canary": CANARY}, {"name": "other", **alone(security_policy="own")})
    servers[1]["exposure"]["hosts"] = ["other.stage.acme.example"]
    serving = run_environment("stage", edits(*servers, **settings))["serving"]
    (policy,) = serving.of(ARMOR).values()
    assert (policy["type"], policy["region"]) == ("CLOUD_ARMOR", "europe-west4")
    actions = [rule["action"] for rule in policy["rules"]]
    assert (actions[0], actions[-2:]) == ("deny(403)", ["throttle", "allow"])
    # Prompts match the signatures of attacks.
    for rule in policy["rules"]:
        if "expr" in rule["match"]:
            (exclusion,) = rule["preconfiguredWafConfig"]["exclusions"]
            assert exclusion["requestBodies"] == [{"operator": "EQUALS_ANY"}]
    named = {
        name: one["spec"]["default"].get("securityPolicy")
        for name, one in serving.of(POLICY).items()
        if one["spec"]["targetRef"]["kind"] == "InferencePool"
    }
    own = policy["name"]
    assert named == {"assistant": own, "assistant-canary": own, "other": "own"}


def test_two_policies_for_all_models_are_refused() -> None:
    settings = {SETTINGS: {"armor": {}, "security_policy": "llm"}}
    with pytest.raises(PlatformError, match=r"security_policy: a model has one policy, .* remove"):
        read(alone(), **settings)


def test_an_objective_is_of_the_models_own_pool(serving: Declared) -> None:
    found = serving.of(OBJECTIVE)
    assert {name: one["spec"]["priority"] for name, one in found.items()} == {
        "assistant-chat": 10,
        "assistant-batch": -1,
    }
    assert all(one["spec"]["poolRef"]["name"] == "assistant" for one in found.values())
    assert set(definitions.definitions()) <= set(
        serving.of("kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition")
    )


def test_the_gateway_is_regional_and_has_an_address_of_its_region(serving: Declared) -> None:
    gateway = serving.of(GATEWAY)["inference"]["spec"]
    assert gateway["gatewayClassName"] == "gke-l7-regional-external-managed"
    address = serving.of("gcp:compute/address:Address")["inference"]
    assert gateway["addresses"] == [{"type": "NamedAddress", "value": address["name"]}]
    assert address["region"] == "europe-west4"
    https = next(one for one in gateway["listeners"] if one["protocol"] == "HTTPS")
    assert https["tls"]["options"] == {"networking.gke.io/cert-manager-certs": "llm,llm-2"}
    parents = {
        name: route["spec"]["parentRefs"][0]["sectionName"]
        for name, route in serving.of(ROUTE).items()
        if route["spec"]["parentRefs"][0]["name"] == "inference"
    }
    assert parents == {"inference-redirect": "http", "assistant": "https", "coder": "https"}


def test_the_cluster_has_a_subnet_for_the_proxies(shared: dict[str, Declared]) -> None:
    subnet = shared["cluster"].of("gcp:compute/subnetwork:Subnetwork")["proxies"]
    assert subnet["ipCidrRange"] == PROXIES
    assert (subnet["purpose"], subnet["role"]) == ("REGIONAL_MANAGED_PROXY", "ACTIVE")
    assert shared["cluster"].outputs["proxies_cidr"] == PROXIES


def test_network_policies_admit_the_proxies(serving: Declared) -> None:
    policies = serving.of("kubernetes:networking.k8s.io/v1:NetworkPolicy")
    for name in ("assistant", "assistant-canary", "coder", "coder-epp", "body-based-router"):
        peers = [
            peer.get("ipBlock", {}).get("cidr")
            for rule in policies[name]["spec"]["ingress"]
            for peer in rule["from"]
        ]
        assert PROXIES in peers, name


def test_a_picker_is_one_or_elects_a_leader(serving: Declared) -> None:
    budgets = serving.of("kubernetes:policy/v1:PodDisruptionBudget")
    for name, replicas in (("assistant-epp", 1), ("coder-epp", 2)):
        deployment = serving.of(DEPLOYMENT)[name]
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        elects = "--ha-enable-leader-election" in container["args"]
        assert deployment["spec"]["replicas"] == replicas
        assert elects == (replicas > 1)
        # A waiting replica is not ready: a surge, or a wait for all, would never end.
        strategy = deployment["spec"]["strategy"]
        assert strategy["type"] == "RollingUpdate", "replicas could not be changed in place"
        assert strategy["rollingUpdate"]["maxUnavailable"] == ("100%" if elects else 0)
        waits = deployment["metadata"].get("annotations", {}).get("pulumi.com/waitFor")
        assert waits == ("jsonpath={.status.readyReplicas}=1" if elects else None)
        assert budgets[name]["spec"]["maxUnavailable"] == replicas
        rights = serving.of("kubernetes:rbac.authorization.k8s.io/v1:Role")[name]["rules"]
        assert elects == any("leases" in rule["resources"] for rule in rights)
        probe = container["readinessProbe"]["grpc"]["service"]
        assert probe == ("readiness" if elects else "inference-extension")


def test_a_scorer_of_weight_0_is_left_out(serving: Declared) -> None:
    maps = serving.of("kubernetes:core/v1:ConfigMap")
    found = {}
    for name in ("assistant", "coder"):
        (text,) = maps[f"{name}-epp"]["data"].values()
        plugins = yaml.safe_load(text)["schedulingProfiles"][0]["plugins"]
        found[name] = {one["pluginRef"]: one["weight"] for one in plugins}
    assert found["assistant"] == {
        "queue-scorer": 2,
        "kv-cache-utilization-scorer": 2,
        "prefix-cache-scorer": 3,
    }
    assert found["coder"] == {"queue-scorer": 2, "kv-cache-utilization-scorer": 2}


def test_a_changed_weight_restarts_the_picker(serving: Declared) -> None:
    pods = [
        serving.of(DEPLOYMENT)[name]["spec"]["template"]["metadata"]["annotations"]
        for name in ("assistant-epp", "assistant-canary-epp", "coder-epp")
    ]
    assert pods[0] == pods[1] != pods[2]


def test_the_policy_pack_finds_nothing(shared: dict[str, Declared]) -> None:
    pack = pack_for("stage", root=ROOT, today=datetime.now(UTC).date())
    report = Report()
    for layer in LAYERS:
        resources = shared[layer.name].resources("stage", layer.project)
        report.add(judge(resources, pack, environment="stage", layer=layer.name))
    assert report.is_clean, render(report)


def test_images_have_the_version_of_the_definitions(serving: Declared) -> None:
    version = json.loads(definitions._FILE.read_text())["version"]
    assert f"v{version}" == ext_proc_pods.VERSION
    for name in ("assistant-epp", "body-based-router"):
        (container,) = serving.of(DEPLOYMENT)[name]["spec"]["template"]["spec"]["containers"]
        assert container["image"].endswith(f":v{version}")


def test_a_model_alone_on_its_host_needs_no_router() -> None:
    found = run_environment("stage", edits(alone()))["serving"]
    assert not found.of(EXTENSION)
    (rule,) = found.of(ROUTE)["assistant"]["spec"]["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    (model,) = [one for one in found.outputs["models"] if one["name"] == "assistant"]
    assert model["url"] == f"http://{HOST}/v1/models"


def test_each_host_has_a_certificate_that_a_record_proves() -> None:
    other = {"name": "coder", "served_name": "acme/coder", **alone(hosts=["code.acme.example"])}
    found = run_environment("stage", edits(alone(), other, **{SETTINGS: MANAGED}))
    serving, networking = found["serving"], found["networking"]
    made = serving.of("gcp:certificatemanager/certificate:Certificate")
    assert {name: one["managed"]["domains"] for name, one in made.items()} == {
        HOST: [HOST],
        "code.acme.example": ["code.acme.example"],
    }
    assert {one["location"] for one in made.values()} == {"europe-west4"}
    listener = serving.of(GATEWAY)["inference"]["spec"]["listeners"][1]
    names = listener["tls"]["options"]["networking.gke.io/cert-manager-certs"].split(",")
    assert sorted(names) == sorted(one["name"] for one in made.values())
    kinds = {
        one["type"]
        for one in serving.of("gcp:certificatemanager/dnsAuthorization:DnsAuthorization").values()
    }
    assert kinds == {"PER_PROJECT_RECORD"}
    # The zone has the host's proof; that of a host elsewhere is among the required records.
    records = networking.of("gcp:dns/recordSet:RecordSet")
    assert records["proof-inference-llm"]["type"] == "CNAME"
    required = {one["name"] for one in networking.outputs["records"]}
    assert {f"_acme-challenge.{HOST}.", "_acme-challenge.code.acme.example."} <= required


def test_more_hosts_than_certificates_are_refused() -> None:
    hosts = [f"m{number}.acme.example" for number in range(16)]
    with pytest.raises(PlatformError, match=r"16 hosts need a certificate each.*takes 15"):
        read(alone(hosts=hosts), **{SETTINGS: MANAGED})
    read(alone(hosts=hosts[:15]), **{SETTINGS: MANAGED})


def test_adapters_on_a_shared_host_are_routed_by_their_names() -> None:
    adapters = [{"name": "sql", "source": "gs://acme-ml-stage-models/sql"}]
    servers = ({**alone(), "adapters": adapters}, CODER)
    (rule,) = run_environment("stage", edits(*servers))["serving"].of(ROUTE)["assistant"]["spec"][
        "rules"
    ]
    assert [match["headers"][0]["value"] for match in rule["matches"]] == ["assistant", "sql"]
    (front,) = [one for one in path_front_ends(read(*servers)) if one.kind == INFERENCE]
    body = json.dumps({"model": "sql"}).encode()
    url = f"http://{HOST}/v1/completions"
    assert front.find(url, router_headers(INFERENCE, body)).model == "assistant"


def _adapters(count: int) -> list[dict[str, str]]:
    return [
        {"name": f"a{number}", "source": f"gs://acme-ml-stage-models/a{number}"}
        for number in range(count)
    ]


@pytest.mark.parametrize(("count", "rules"), [(63, [64]), (64, [64, 1]), (127, [64, 64])])
def test_a_rule_takes_64_names(count: int, rules: list[int]) -> None:
    servers = read({**alone(), "adapters": _adapters(count)}, CODER)
    entry = next(one for one in servers.entries if one.name == "assistant")
    assert isinstance(entry.exposure, InferenceGateway)
    made = route(entry, entry.exposure, servers.inference_gateway, namespace="m", shares_host=True)
    assert [len(one["matches"]) for one in made["rules"]] == rules


REFUSED: dict[str, tuple[list[dict[str, Any]], str]] = {
    "failure is not said": (
        [{"exposure": {"kind": "inference-gateway", "hosts": [HOST]}}],
        r'models\[8\].exposure: the key "failure" is missing',
    ),
    "no host": ([alone(hosts=[])], r"models\[8\].exposure.hosts"),
    "a host twice": ([alone(hosts=[HOST, HOST])], "hosts lists .* twice"),
    "all weights 0": (
        [alone(picker={"weights": {"queue": 0, "kv_cache": 0, "prefix": 0}})],
        r"exposure.picker.weights: queue, kv_cache and prefix are all 0",
    ),
    "a picker that elects among too many": (
        [alone(picker={"replicas": 9})],
        r"models\[8\].exposure.picker.replicas",
    ),
    "no gauges": (
        [{**alone(), "arguments": ["--disable-log-stats"]}],
        r"models\[8\].*disable-log-stats the server has no gauges",
    ),
    "a mirror": (
        [{**alone(), "canary": {**CANARY, "weights": {"stable": 100, "canary": 0}, "mirror": 5}}],
        r"models\[8\].canary.mirror: the load balancer copies no requests",
    ),
    "IAP without HTTPS": (
        [alone(require_iap=True)],
        r"models\[8\].exposure.require_iap: .*HTTPS; list certificates",
    ),
    "two models of one name on a host": (
        [alone(), {"name": "coder", "served_name": "assistant", **alone()}],
        r'models\[9\].served_name: requests to llm.* are "assistant"\'s already',
    ),
    "an adapter of the name of another's model": (
        [
            CODER,
            {
                **alone(),
                "adapters": [{"name": "acme/coder", "source": "gs://acme-ml-stage-models/x"}],
            },
        ],
        r'models\[9\].adapters\[0\].name: requests to llm.* for "acme/coder" are "coder"',
    ),
    "more adapters than a route can name": (
        [{**alone(), "adapters": _adapters(128)}, CODER],
        r"models\[8\].adapters: .* 129 in all, and an HTTPRoute takes 128",
    ),
    "a grace that is shorter than a stream": (
        [{**alone(timeout_seconds=900), "drain_seconds": 60}],
        r"models\[8\].drain_seconds: 60 is less than exposure.timeout_seconds 900",
    ),
    "the name of a picker": (
        [alone(), {"name": "assistant-epp", "exposure": {"kind": "cluster-ip"}}],
        r'models\[9\].name: "assistant-epp" is the name of the endpoint picker of "assistant"',
    ),
    "a move from an Ingress": (
        [{**alone(), "former_exposure": {"kind": "ingress", "path": "/m"}}],
        r"models\[8\].*former_exposure",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_gke_would_not_serve_is_refused(case: str) -> None:
    servers, problem = REFUSED[case]
    with pytest.raises(PlatformError, match=problem):
        read(*servers)


def test_another_server_than_vllm_is_refused() -> None:
    models = json.loads(stack_config("stage")[MODELS])
    models[0]["exposure"] = EXPOSURE
    models[0].pop("canary", None)
    values = stack_config("stage") | edits() | {MODELS: json.dumps(models)}
    with pytest.raises(PlatformError, match=r"models\[0\].exposure.kind: .* by vLLM's metrics"):
        stack_file.read(values, file=FILE)


@pytest.mark.parametrize(
    ("network", "problem"),
    [
        ({}, r"needs a proxy-only subnet, and gke-cluster:network.proxies_cidr is not set"),
        ({"proxies_cidr": "10.250.0.0/27"}, r"network: proxies_cidr .* smaller than a /26"),
        ({"proxies_cidr": "10.250.0.1/23"}, r"network.*proxies_cidr: .*host bits"),
    ],
)
def test_a_proxy_only_subnet_is_needed(network: dict[str, str], problem: str) -> None:
    given = yaml.safe_load(stack_config("stage")[NETWORK])
    del given["proxies_cidr"]
    given |= network
    with pytest.raises(PlatformError, match=problem):
        read(alone(), **{NETWORK: given})


def test_the_range_of_the_proxies_is_its_own() -> None:
    given = yaml.safe_load(stack_config("stage")[NETWORK])
    with pytest.raises(PlatformError, match="overlaps"):
        read(alone(), **{NETWORK: {**given, "proxies_cidr": given["nodes_cidr"]}})


def test_the_gateway_api_is_needed() -> None:
    cluster = {**yaml.safe_load(stack_config("stage")["gke-cluster:cluster"]), "gateway_api": False}
    values = edits(alone(), **{"gke-cluster:cluster": cluster})
    values[MODELS] = json.dumps(json.loads(values[MODELS])[-1:])
    with pytest.raises(PlatformError, match="kind: inference-gateway needs the Gateway API"):
        stack_file.read(stack_config("stage") | values, file=FILE)


def cluster(**fields: str) -> ClusterContract:
    published: dict[str, Any] = {
        "name": "main",
        "location": "europe-west4",
        "zones": ("europe-west4-a",),
        "kubeconfig": SecretText(""),
        "network": "n",
        "workload_pool": "p",
        "node_pools": (),
        "node_tag": "t",
        "instance_groups": (),
        "proxies_cidr": PROXIES,
    }
    return ClusterContract(**published | fields)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"version": "1.33.9-gke.2000000"}, "needs GKE 1.34.0-gke.1626000 or later, and cluster"),
        ({"version": "1.34.0-gke.1625999"}, "runs 1.34.0-gke.1625999; upgrade the control plane"),
        ({"version": "next"}, "runs next"),
        ({"proxies_cidr": ""}, "was deployed without one; set gke-cluster:network.proxies_cidr"),
    ],
)
def test_a_cluster_as_deployed_must_serve_pools(fields: dict[str, str], problem: str) -> None:
    servers = read(alone()).entries
    with pytest.raises(PlatformError, match=problem):
        requirements.check(servers, cluster(**fields))
    requirements.check([one for one in servers if one.name != "assistant"], cluster(**fields))


@pytest.mark.parametrize("version", ["1.34.0-gke.1626000", "1.34.1-gke.1", "1.100.0-gke.1", ""])
def test_a_new_cluster_serves_pools(version: str) -> None:
    requirements.check(read(alone()).entries, cluster(version=version))


def test_the_route_of_a_canary_waits_for_its_pods_and_its_picker(serving: Declared) -> None:
    waits = serving.dependencies[ROUTE, "assistant"]
    assert {(DEPLOYMENT, "assistant-canary"), (DEPLOYMENT, "assistant-canary-epp")} <= waits


def test_a_request_is_foretold_by_the_model_that_its_body_names() -> None:
    whole = stack_file.read(stack_config("stage") | SHARED, file=FILE)
    assert whole.serving is not None
    (front,) = [one for one in path_front_ends(whole.serving) if one.kind == INFERENCE]
    url = f"https://{HOST}/v1/chat/completions"
    body = json.dumps({"model": "acme/coder", "messages": []}).encode()
    assert front.find(url, router_headers(INFERENCE, body)).model == "coder"
    found = front.find(url, {"X-Gateway-Model-Name": "assistant"})
    assert found.shares == (("assistant", 90), ("assistant-canary", 10))
    assert (found.path, found.timeout_seconds) == ("/v1/chat/completions", 900)
    for unnamed in (b"", b"[]", b"{", b'{"model": 1}', b'{"model": "unknown"}'):
        assert front.find(url, router_headers(INFERENCE, unnamed)).code == 404
    assert front.find(f"http://{HOST}/v1/models").redirect == f"https://{HOST}/v1/models"


def test_a_model_alone_on_its_host_gets_every_request() -> None:
    (front,) = [one for one in path_front_ends(read(alone())) if one.kind == INFERENCE]
    assert front.find(f"http://{HOST}/v1/models").model == "assistant"
    assert front.find("http://other.acme.example/v1/models").code == 404


def test_the_summary_has_the_gateways_address(shared: dict[str, Declared]) -> None:
    models = {one["name"]: one for one in shared["environment"].outputs["models"]}
    assert models["coder"]["url"] == f"https://{HOST}/v1/models"
    assert models["coder"]["address"] == "203.0.113.9"
    assert models["resnet"]["address"] == ""


def test_the_zone_has_a_record_of_the_host(shared: dict[str, Declared]) -> None:
    records = shared["networking"].of("gcp:dns/recordSet:RecordSet")
    (record,) = [one for one in records.values() if one["name"] == f"{HOST}."]
    assert (record["type"], record["rrdatas"]) == ("A", ["203.0.113.9"])
    needed = shared["networking"].outputs["records"]
    assert {"name": f"{HOST}.", "type": "A", "data": "203.0.113.9"} in needed


def test_a_host_elsewhere_needs_a_record_that_others_make() -> None:
    host = "llm.acme.test"
    networking = run_environment("stage", edits(alone(hosts=[host])))["networking"]
    records = networking.of("gcp:dns/recordSet:RecordSet").values()
    assert f"{host}." not in {one["name"] for one in records}
    assert f"{host}." in {one["name"] for one in networking.outputs["records"]}


def test_a_host_of_the_http_load_balancer_is_refused() -> None:
    with pytest.raises(PlatformError, match=r'hosts\[0\]: "models.stage.acme.example" is one of'):
        read(alone(hosts=["models.stage.acme.example"]))
