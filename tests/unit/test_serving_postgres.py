"""Postgres: what an entry may say, what the operator is told, and what a model is told."""

from typing import Any

import msgspec
import pytest

from declared import Declared
from gkeplatform.contracts import NodePool
from gkeplatform.errors import PlatformError
from infra.serving.config import ServingConfig
from infra.serving.models import database
from infra.serving.postgres import fit, manifests, operator_pod, roles
from tests.environment_runs import environment_run

AMOUNTS = {"cpu": "500m", "memory": "2Gi"}
CLUSTER: dict[str, Any] = {
    "name": "features",
    "instances": 2,
    "volume": {"size": "20Gi"},
    "resources": {"requests": AMOUNTS, "limits": AMOUNTS},
    "users": {"recommender": []},
    "databases": {"features": "recommender"},
}
MODEL: dict[str, Any] = {
    "name": "resnet",
    "server": "tensorflow-serving",
    "source": "gs://acme-ml-dev-models/resnet",
    "replicas": {"min": 2, "max": 2},
    "resources": {"requests": AMOUNTS, "limits": AMOUNTS},
    "exposure": {"kind": "cluster-ip"},
    "postgres": {"cluster": "features"},
}
TWO = {
    "users": {"reader": [], "writer": ["createdb"]},
    "databases": {"features": "writer", "labels": "writer", "notes": "reader"},
}
VISION = {"name": "vision", "quota": {"cpu": "8", "memory": "32Gi"}}


def config(
    *clusters: dict[str, Any], model: dict[str, Any] | None = None, **changes: Any
) -> ServingConfig:
    entries = [CLUSTER | cluster for cluster in clusters or ({},)]
    given = {"models": [MODEL | (model or {})], "postgres": {"clusters": entries}}
    return msgspec.convert(given | changes, ServingConfig)


def connected(**asked: str) -> dict[str, Any]:
    return {"postgres": {"cluster": "features", **asked}}


def variables(found: ServingConfig) -> dict[str, Any]:
    connection = found.workloads[0].connection
    assert connection is not None
    return {
        one["name"]: one.get("value", one.get("valueFrom"))
        for one in database.environment(connection)
    }


def test_a_model_is_told_where_its_database_is_and_its_login_by_the_secret_alone() -> None:
    told = variables(config())
    name = "models.recommender.features.credentials.postgresql.acid.zalan.do"
    assert told == {
        "PGHOST": "features.postgres.svc",
        "PGPORT": "5432",
        "PGDATABASE": "features",
        "PGSSLMODE": "require",
        "PGUSER": {"secretKeyRef": {"name": name, "key": "username"}},
        "PGPASSWORD": {"secretKeyRef": {"name": name, "key": "password"}},
    }


def test_of_several_users_and_databases_a_model_names_its_own() -> None:
    told = variables(config(TWO, model=connected(user="writer", database="labels")))
    assert told["PGDATABASE"] == "labels"
    assert told["PGUSER"]["secretKeyRef"]["name"].startswith("models.writer.features.")
    # Of the databases, the one that the user owns is meant.
    assert variables(config(TWO, model=connected(user="reader")))["PGDATABASE"] == "notes"


def test_a_team_s_cluster_puts_its_logins_into_the_team_s_namespace() -> None:
    teamed = config({"team": "vision"}, model={"team": "vision"}, teams=[VISION])
    told = variables(teamed)
    assert told["PGUSER"]["secretKeyRef"]["name"].startswith("vision.recommender.features.")
    written = manifests.postgresql(teamed.clusters[0], bucket="b")
    assert written["users"] == {"vision.recommender": []}
    assert written["databases"] == {"features": "vision.recommender"}


@pytest.mark.parametrize(
    ("cluster", "model", "more", "message"),
    [
        ({}, connected(cluster="featurs"), {}, 'did you mean "features"?'),
        ({}, connected(user="recomender"), {}, 'did you mean "recommender"?'),
        ({}, connected(database="feature"), {}, 'did you mean "features"?'),
        (
            TWO,
            connected(),
            {},
            "postgres.user: not set, and features has reader, writer",
        ),
        (TWO, connected(user="writer"), {}, "models[0].postgres.database: not set"),
        ({}, {"environment": {"PGHOST": "x"}}, {}, "environment.PGHOST: postgres sets it already"),
        (
            {},
            {"team": "vision"},
            {"teams": [VISION]},
            "features is for models of no team, and resnet is of team vision",
        ),
        ({"team": "vison"}, {}, {"teams": [VISION]}, 'did you mean "vision"?'),
        ({"databases": {"features": "recomender"}}, {}, {}, 'did you mean "recommender"?'),
        ({"users": {"postgres": []}}, {}, {}, '"postgres" is reserved by Postgres'),
        ({"instances": 1, "synchronous": True}, {}, {}, "no replica to wait for"),
        ({}, {}, {"namespace": "postgres"}, '"postgres" holds models'),
        ({}, {}, {"postgres": None}, "declare it in gke-serving:postgres"),
    ],
)
def test_what_cannot_be_is_refused_with_the_nearest_that_can(
    cluster: dict[str, Any], model: dict[str, Any], more: dict[str, Any], message: str
) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        config(cluster, model=model, **more)
    assert message in str(refused.value)


def test_two_clusters_of_one_name_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"clusters\[1\].name"):
        config({}, {})


def test_a_cluster_archives_into_the_bucket_as_often_as_it_is_told() -> None:
    found = config({"backups": {"schedule": "5 2 * * *", "retain": 9}})
    written = manifests.postgresql(found.clusters[0], bucket="acme-backups")
    told = {one["name"]: one["value"] for one in written["env"]}
    assert told["WAL_GS_BUCKET"] == "acme-backups"
    assert (told["USE_WALG_BACKUP"], told["USE_WALG_RESTORE"]) == ("true", "true")
    assert (told["BACKUP_SCHEDULE"], told["BACKUP_NUM_TO_RETAIN"]) == ("5 2 * * *", "9")


def test_a_cluster_without_backups_takes_the_operator_s_bucket_away() -> None:
    assert manifests.environment(None, bucket="b") == [{"name": "WAL_GS_BUCKET", "value": ""}]


def test_a_cluster_begins_as_another_was() -> None:
    restore = {"cluster": "old", "uid": "0f1e", "at": "2026-11-21T09:00:00+00:00"}
    found = config({"restore": restore})
    written = manifests.postgresql(found.clusters[0], bucket="b")
    assert written["clone"] == {
        "cluster": "old",
        "uid": "0f1e",
        "timestamp": "2026-11-21T09:00:00+00:00",
    }


def pool(name: str, **changes: Any) -> NodePool:
    given: dict[str, Any] = {
        "name": name,
        "zones": ["a", "b", "c"],
        "machine_type": "n2-standard-4",
        "min_nodes": 1,
        "max_nodes": 3,
        "cpu_millis": 3920,
        "memory_bytes": 13 * 2**30,
    }
    return msgspec.convert(given | changes, NodePool)


TAINTED = pool("gpu", accelerator="nvidia-l4", cpu_millis=31_000, memory_bytes=120 * 2**30, gpus=1)


@pytest.mark.parametrize(("instances", "is_wish"), [(3, False), (4, True)])
def test_instances_are_kept_apart_by_zones_as_far_as_there_are_zones(
    instances: int, is_wish: bool
) -> None:
    found = config({"instances": instances})
    pools = [pool("general"), pool("elsewhere", zones=["d"], cpu_millis=100)]
    assert fit.must_share_zones(found.clusters, pools) is is_wish
    told = manifests.configuration(
        namespace="postgres",
        bucket="b",
        may_share_zones=fit.must_share_zones(found.clusters, pools),
    )["kubernetes"]
    assert told["enable_pod_antiaffinity"]
    assert told["pod_antiaffinity_preferred_during_scheduling"] is is_wish


def test_an_instance_that_no_node_can_take_is_refused_with_the_nearest_pool() -> None:
    amounts = {"cpu": "2", "memory": "64Gi"}
    found = config({"resources": {"requests": amounts, "limits": amounts}})
    pools = [pool("general"), pool("serving", memory_bytes=28 * 2**30), TAINTED]
    with pytest.raises(PlatformError) as refused:
        fit.check(found.clusters, pools)
    said = str(refused.value)
    assert said.startswith("gke-serving:postgres.clusters[0].resources: an instance requests 2")
    assert "a node of serving, the nearest pool, has 3.92 cores and 28 GiB for pods" in said
    with pytest.raises(PlatformError, match="every node pool has accelerators or taints"):
        fit.check(found.clusters, [TAINTED])
    fit.check(config().clusters, pools)


def test_the_quota_has_room_for_every_instance_and_one_more_of_each_cluster() -> None:
    hard = operator_pod.quota(config({}, {"name": "more", "instances": 1}).clusters)["hard"]
    # (2 + 1) + (1 + 1) instances, and the operator.
    assert hard["requests.cpu"] == "2600m"
    assert hard["requests.memory"] == f"{5 * 2048 + 256}Mi"
    assert hard["pods"] == "7"


def test_the_operator_may_touch_no_secrets_but_those_that_it_makes() -> None:
    clusters = config().clusters
    for rules in (
        roles.operator(clusters),
        *(roles.secrets(names) for names in roles.credentials(clusters).values()),
    ):
        for rule in rules:
            if "secrets" in rule["resources"] and rule["verbs"] != ["create"]:
                assert rule["resourceNames"]
    assert list(roles.credentials(clusters)) == ["models"]


@pytest.fixture(scope="module")
def stage() -> Declared:
    return environment_run("stage")["serving"]


def test_no_operator_where_no_cluster_is_asked_for(stage: Declared) -> None:
    made = environment_run("dev")["serving"].inputs
    assert not [key for key in made if "acid.zalan.do" in key[0] or "postgres" in key[1]]
    assert stage.of("kubernetes:acid.zalan.do/v1:postgresql")


def test_models_are_let_out_to_postgres_and_postgres_lets_them_in(stage: Declared) -> None:
    policies = stage.of("kubernetes:networking.k8s.io/v1:NetworkPolicy")
    [way] = [
        rule
        for rule in policies["models"]["spec"]["egress"]
        if {"port": 5432, "protocol": "TCP"} in rule.get("ports", [])
    ]
    to = way["to"][0]
    assert to["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "postgres"}
    assert to["podSelector"]["matchLabels"] == {"application": "spilo"}
    entrances = policies["postgres"]["spec"]["ingress"]
    assert [rule.get("ports") for rule in entrances] == [None, [{"port": 5432, "protocol": "TCP"}]]
