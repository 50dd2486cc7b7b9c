"""A second version of a model: its objects, its share of the requests, and who counts it in."""

import json
from typing import Any

import msgspec
import pytest

from declared import Declared, run_environment, stack_config
from gkeplatform.contracts import NodePool
from gkeplatform.environment import Environment
from gkeplatform.errors import PlatformError
from gkeplatform.naming import Naming
from infra.serving.catalog import placements
from infra.serving.config import ServingConfig
from infra.serving.exposures.endpoint_groups import GroupNames
from infra.serving.models import Model, Workload, expanded, pod
from infra.serving.models.disruption import disruption_budget
from tests.environment_runs import environment_run

URL_MAP = "gcp:compute/uRLMap:URLMap"
SOURCE = "gs://acme-ml-dev-models/next/words"

GENERAL = NodePool(name="general", zones=("a",), machine_type="any", min_nodes=0, max_nodes=3)


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "name": "words",
        "server": "tensorflow-serving",
        "source": "gs://acme-ml-dev-models/words",
        "replicas": {"min": 2, "max": 4},
        "autoscaling": {"cpu_utilization": 50},
        "resources": {
            "requests": {"cpu": "1", "memory": "4Gi"},
            "limits": {"cpu": "1", "memory": "4Gi"},
        },
        "exposure": {"kind": "http-load-balancer", "paths": ["/v1/models/words"]},
        "canary": {"weights": {"stable": 90, "canary": 10}, "source": SOURCE},
    } | changes


NAMING = Naming(
    Environment(system="acme-ml", name="dev", project="acme-ml-dev", region="europe-west4")
)
NAMES = GroupNames(naming=NAMING, cluster="c1")


def canary(**changes: Any) -> Workload:
    model = msgspec.convert(entry(**changes), Model)
    found = expanded(model, key="models[0]", namespace="models").canary
    assert found is not None
    return found


def container(model: Workload) -> dict[str, Any]:
    (found,) = pod.template(model, labels={}, account="a")["spec"]["containers"]
    return dict(found)


def test_a_canary_answers_to_the_model_s_name_and_has_objects_of_its_own() -> None:
    made = canary()
    said = container(made)
    assert "--model_name=words" in said["args"]
    assert f"--model_base_path={SOURCE}" in said["args"]
    assert said["readinessProbe"]["httpGet"]["path"] == "/v1/models/words"
    assert said["name"] == "words-canary"
    assert made.exposure.service(made)["selector"]["app.kubernetes.io/name"] == "words-canary"
    (group,) = made.exposure.endpoint_groups(made, NAMES).values()
    assert group.startswith("acme-ml-dev-words-canary-")


def test_triton_finds_the_canary_s_files_under_the_model_s_name() -> None:
    made = canary(
        server="triton",
        files={"via": "cache", "size": "1Ti"},
        exposure={"kind": "http-load-balancer", "paths": ["/v2/models/words"]},
    )
    template = pod.template(made, labels={}, account="a")["spec"]
    (server,) = template["containers"]
    assert "--load-model=words" in server["args"]
    mounted = {m["mountPath"] for m in server["volumeMounts"]}
    assert "/models/words" in mounted
    claims = [v["persistentVolumeClaim"] for v in template["volumes"] if v["name"] == "files"]
    assert claims == [{"claimName": "words-canary-files"}]


def test_a_canary_of_one_replica_has_no_autoscaler_and_lets_its_node_be_drained() -> None:
    small = {**entry()["canary"], "replicas": {"min": 1, "max": 1}}
    made = canary(disruption={"min_available": 1}, canary=small)
    assert made.autoscaling is None
    assert disruption_budget(made)["maxUnavailable"] == 1


def test_a_canary_that_says_no_replicas_may_take_over() -> None:
    assert (canary().replicas.min, canary().replicas.max) == (2, 4)


def config(**changes: Any) -> ServingConfig:
    return msgspec.convert({"models": [entry(**changes)]}, ServingConfig)


def test_the_pools_must_hold_both_versions() -> None:
    gpu = {
        "server": "triton",
        "files": {"via": "download", "size": "5Gi"},
        "resources": {**entry()["resources"], "gpu": {"type": "nvidia-l4", "count": 1}},
        "exposure": {"kind": "http-load-balancer", "paths": ["/v2/models/words"]},
        "replicas": {"min": 2, "max": 2},
        "autoscaling": None,
    }
    pool = NodePool(
        name="gpu", zones=("a",), machine_type="any", min_nodes=0, max_nodes=3,
        accelerator="nvidia-l4", gpus=1,
    )  # fmt: skip
    with pytest.raises(PlatformError) as raised:
        placements(config(**gpu), [pool])
    assert "the models need 4 nvidia-l4 (words 2 x 1 + words-canary 2 x 1)" in str(raised.value)
    alone = config(**gpu, canary=None)
    assert set(placements(alone, [pool])) == {"words"}


def test_a_team_s_quota_must_hold_both_versions() -> None:
    team = {"name": "vision", "quota": {"cpu": "9", "memory": "100Gi"}}
    given = {"models": [entry(team="vision")], "teams": [team]}
    with pytest.raises(PlatformError, match="words 5 x 1 cores, words-canary 5 x 1 cores"):
        placements(msgspec.convert(given, ServingConfig), [GENERAL])


def test_what_is_said_of_a_canary_names_its_key() -> None:
    assert [workload.key for workload in config().workloads] == [
        "gke-serving:models[0]",
        "gke-serving:models[0].canary",
    ]


@pytest.fixture(scope="module")
def stage() -> dict[str, Declared]:
    return environment_run("stage")


def test_the_url_map_shares_the_requests_out(stage: dict[str, Declared]) -> None:
    url_map = stage["networking"].of(URL_MAP)["models"]
    services = stage["networking"].of("gcp:compute/backendService:BackendService")
    assert {"resnet", "resnet-canary"} <= set(services)
    rules = [
        rule
        for matcher in url_map["pathMatchers"]
        for rule in matcher["pathRules"]
        if "/v1/models/resnet" in rule["paths"]
    ]
    assert len(rules) == 2  # every host, and the one that a model has of its own
    for rule in rules:
        split = rule["routeAction"]["weightedBackendServices"]
        assert [one["weight"] for one in split] == [95, 5]
        assert "service" not in rule
    for name in ("resnet", "resnet-canary"):
        group = services[name]["backends"][0]["group"].rpartition("/")[2]
        assert group.rpartition("-")[0] == f"acme-ml-stage-{name}"


def reweighted(stable: int) -> dict[str, Declared]:
    models = json.loads(stack_config("stage")["gke-serving:models"])
    models[0]["canary"]["weights"] = {"stable": stable, "canary": 100 - stable}
    return run_environment("stage", {"gke-serving:models": json.dumps(models)})


@pytest.mark.parametrize("stable", [100, 50, 0])
def test_other_weights_change_the_url_map_alone(stage: dict[str, Declared], stable: int) -> None:
    after = reweighted(stable)
    changed = {
        (layer, key)
        for layer, declared in after.items()
        for key in declared.inputs.keys() | stage[layer].inputs.keys()
        if declared.inputs.get(key) != stage[layer].inputs.get(key)
    }
    assert changed == {("networking", (URL_MAP, "models"))}


def test_the_test_of_a_split_names_the_version_that_gets_most() -> None:
    for stable, expected in ((95, "resnet"), (0, "resnet-canary")):
        after = reweighted(stable)
        url_map = after["networking"].of(URL_MAP)["models"]
        (said,) = {
            test["service"].rpartition("/")[2]
            for test in url_map["tests"]
            if test["path"] == "/v1/models/resnet"
        }
        assert said == f"acme-ml-stage-{expected}"


def test_what_is_promised_of_a_model_holds_for_both_versions(stage: dict[str, Declared]) -> None:
    slo = stage["environment"].of("gcp:monitoring/slo:Slo")["resnet-availability"]
    asked = slo["requestBasedSli"]["goodTotalRatio"]["totalServiceFilter"]
    assert 'one_of("acme-ml-stage-resnet", "acme-ml-stage-resnet-canary")' in asked
    assert "resnet-canary" not in stage["environment"].of(
        "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig"
    )
