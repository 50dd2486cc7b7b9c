"""Teams: what they may ask for together, and who may speak to their models."""

from typing import Any

import msgspec
import pytest

from declared import Declared
from gkeplatform.errors import PlatformError
from infra.serving.config import ServingConfig
from infra.serving.models import pod
from infra.serving.placement import demand
from infra.serving.tenancy import network_policies, quota, teams
from infra.serving.tenancy.teams import Team
from tests.environment_runs import environment_run

QUOTA: dict[str, Any] = {"cpu": "8", "memory": "32Gi", "gpus": 4, "pods": 10}
ENTRY: dict[str, Any] = {
    "name": "words",
    "server": "triton",
    "team": "vision",
    "source": "gs://acme-ml-dev-models/words",
    "files": {"via": "download", "size": "5Gi"},
    "replicas": {"min": 3, "max": 3},
    "resources": {
        "requests": {"cpu": "2", "memory": "4Gi"},
        "limits": {"cpu": "2", "memory": "4Gi"},
        "gpu": {"type": "nvidia-l4"},
    },
    "exposure": {"kind": "cluster-ip"},
}


LIMITS = {"cpu": "4", "memory": "8Gi"}


def team(**changes: Any) -> dict[str, Any]:
    return {"name": "vision", "quota": QUOTA} | changes


def config(*entries: dict[str, Any], **changes: Any) -> ServingConfig:
    given = {"teams": [team()], "models": [ENTRY | entry for entry in entries or ({},)]} | changes
    return msgspec.convert(given, ServingConfig)


def test_models_that_just_fit_with_their_surge_are_taken() -> None:
    fits = config()
    quota.check(fits.teams, fits.workloads, {"words": 1})


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        ({"cpu": "7500m"}, "quota.cpu: the models of team vision request 8 cores at most"),
        ({"memory": "15Gi"}, "quota.memory: the models of team vision request 16 GiB at most"),
        ({"gpus": 3}, r"quota.gpus: the models of team vision request 4 GPUs .*\(words 4 x 1 GPU"),
        ({"pods": 3}, "quota.pods: the models of team vision request 4 pods at most"),
    ],
)
def test_models_beyond_the_quota_are_refused_with_the_arithmetic(
    allowed: dict[str, Any], said: str
) -> None:
    asked = config(teams=[team(quota=QUOTA | allowed)])
    with pytest.raises(PlatformError, match=rf"gke-serving:teams\[0\]\.{said}"):
        quota.check(asked.teams, asked.workloads, {"words": 1})


SLICE = {"type": "tpu-v6e-slice", "topology": "2x2"}
TPU: dict[str, Any] = {
    "server": "custom",
    "image": "registry.example/words:1",
    "custom": {"rest_port": 8080, "path": "/v1", "ready": "/ready"},
    "resources": {
        "requests": {"cpu": "2", "memory": "4Gi"},
        "limits": {"cpu": "2", "memory": "4Gi"},
        "tpu": SLICE,
    },
}


def test_tpus_count_as_gpus_do() -> None:
    asked = config(TPU, teams=[team(quota=QUOTA | {"tpus": 16})])
    quota.check(asked.teams, asked.workloads, {"words": 1})
    for allowed in (0, 15):
        asked = config(TPU, teams=[team(quota=QUOTA | {"tpus": allowed})])
        with pytest.raises(PlatformError) as raised:
            quota.check(asked.teams, asked.workloads, {"words": 1})
        assert str(raised.value).startswith(
            "gke-serving:teams[0].quota.tpus: the models of team vision request 16 TPUs at most "
            "(words 4 x 4 TPUs; surge of a rollout included), and the quota is "
            f"{allowed}; raise it"
        )


def test_a_quota_names_both_kinds_of_accelerators() -> None:
    (one,) = config(teams=[team(quota=QUOTA | {"tpus": 8})]).teams
    hard = teams.resource_quota(one)["hard"]
    assert hard["requests.nvidia.com/gpu"] == "4"
    assert hard["requests.google.com/tpu"] == "8"
    (none,) = config().teams
    assert teams.resource_quota(none)["hard"]["requests.google.com/tpu"] == "0"


def test_the_containers_put_beside_a_server_count() -> None:
    mounted, copied = config({"files": {"via": "gcs-fuse"}}).workloads[0], config().workloads[0]
    assert demand.of_pod(copied).cpu_millis == 2000
    assert demand.of_pod(mounted).cpu_millis == 2250
    assert demand.of_pod(mounted).times(2).pods == 2


def test_a_model_lives_in_its_team_s_namespace() -> None:
    both = config({}, {"name": "other", "team": None})
    assert [one.namespace for one in both.workloads] == ["vision", "models"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"models": [ENTRY | {"team": "visoin"}]}, 'no team "visoin"; did you mean "vision"'),
        ({"teams": [team(), team()]}, r'teams\[1\].name: "vision" is a namespace already'),
        ({"namespace": "vision"}, "is a namespace already"),
        ({"teams": [team(name="kube-vision")]}, "is reserved for the cluster"),
        (
            {"teams": [team(max_container_limits={"cpu": "1", "memory": "8Gi"})]},
            r"models\[0\].resources.limits.cpu: 2 exceeds max_container_limits.cpu 1",
        ),
        (
            {"teams": [team(container_most={"cpu": "1", "memory": "8Gi"})]},
            r"models\[0\].resources.limits.cpu: 2 exceeds max_container_limits.cpu 1",
        ),
        (
            {"teams": [team(container_most=LIMITS, max_container_limits=LIMITS)]},
            "container_most is the old name of max_container_limits; remove container_most",
        ),
    ],
)
def test_a_team_that_makes_no_sense_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        config(**changes)


def test_containers_that_state_nothing_get_a_default() -> None:
    made = msgspec.convert(team(max_container_limits=LIMITS), Team)
    (limits,) = teams.limit_range(made)["limits"]
    assert limits["defaultRequest"] == {"cpu": "250m", "memory": "256Mi"}
    # A default limit of CPU would be below the requests of models that limit memory only.
    assert limits["default"] == {"memory": "256Mi"}
    assert limits["max"] == LIMITS


def test_the_old_name_of_the_largest_limits_is_reported() -> None:
    made = msgspec.convert([team(), team(container_most=LIMITS)], tuple[Team, ...])
    assert teams.limit_range(made[1])["limits"][0]["max"] == LIMITS
    (warning,) = teams.deprecations(made)
    assert warning.startswith("gke-serving:teams[1].container_most is now called max_container_li")


def test_what_a_team_does_not_name_may_not_call_it() -> None:
    made = msgspec.convert(team(callers=["shop"]), Team)
    walls = network_policies.isolation(made)
    assert walls["podSelector"] == {}
    assert walls["policyTypes"] == ["Ingress", "Egress"]
    named = [
        source["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for source in walls["ingress"][0]["from"]
        if "namespaceSelector" in source
    ]
    assert named == ["shop", *network_policies.SCRAPERS]
    (far,) = [to["ipBlock"] for rule in walls["egress"] for to in rule["to"] if "except" in str(to)]
    assert set(far["except"]) >= {"10.0.0.0/8", "192.168.0.0/16"}


def test_pods_with_an_address_of_their_own_are_open_on_their_rest_port() -> None:
    gate = network_policies.open_ports()
    assert gate["ingress"] == [{"ports": [{"port": "rest", "protocol": "TCP"}]}]
    open_one = config({"exposure": {"kind": "load-balancer"}}).workloads[0]
    labels = pod.template(open_one, labels={}, account="a")["metadata"]["labels"]
    assert labels.items() >= gate["podSelector"]["matchLabels"].items()
    assert pod.OPEN not in pod.template(config().workloads[0], labels={}, account="a")["metadata"]


@pytest.fixture(scope="module")
def stage() -> Declared:
    return environment_run("stage")["serving"]


@pytest.mark.parametrize(
    ("kind", "namespaces"),
    [
        ("core/v1:ResourceQuota", {"vision", "postgres"}),
        ("core/v1:LimitRange", {"vision"}),
        ("networking.k8s.io/v1:NetworkPolicy", {"vision", "models", "postgres", "keda"}),
    ],
)
def test_namespaces_are_walled_in(kind: str, namespaces: set[str], stage: Declared) -> None:
    walls = stage.of(f"kubernetes:{kind}")
    assert {wall["metadata"]["namespace"] for wall in walls.values()} == namespaces


def test_the_shared_namespace_closes_model_servers_to_the_outside_alone() -> None:
    walls = network_policies.isolation(None)
    assert walls["podSelector"] == {"matchLabels": {"app.kubernetes.io/component": "model-server"}}
    assert {"namespaceSelector": {}} in walls["ingress"][0]["from"]
    assert walls["egress"] == network_policies.isolation(msgspec.convert(team(), Team))["egress"]


def test_a_team_s_models_have_accounts_of_the_team_s_own(stage: Declared) -> None:
    account = stage.inputs["kubernetes:core/v1:ServiceAccount", "vision"]
    assert account["metadata"]["namespace"] == "vision"
    email = account["metadata"]["annotations"]["iam.gke.io/gcp-service-account"]
    assert email.startswith("acme-ml-stage-vision-models@")
    assert "vision" in stage.of("gcp:storage/bucketIAMMember:BucketIAMMember")
    assert (
        stage.inputs["kubernetes:apps/v1:Deployment", "segmenter"]["metadata"]["namespace"]
        == "vision"
    )
