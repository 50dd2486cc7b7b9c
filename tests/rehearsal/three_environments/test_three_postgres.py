"""Postgres clusters of models, run by the operator, in the environments that have them.

What the operator does with a cluster is in tests/sandbox/kubernetes/test_postgres_operator.py.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest

from declared import stack_config
from tests.rehearsal.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("environments")]
WITH_POSTGRES = ["stage", "prod"]
SPILO = ("-l", "application=spilo", "-n", "postgres")


def instances(three: Workspace, environment: str) -> list[Any]:
    return list(three.kubernetes_of(environment, "pods", *SPILO)["items"])


@pytest.mark.parametrize(("environment", "count"), [("stage", 2), ("prod", 3)])
def test_a_cluster_is_running_when_the_rehearsal_ends(
    three: Workspace, environment: str, count: int
) -> None:
    [cluster] = three.kubernetes_of(environment, "postgresqls", "-n", "postgres")["items"]
    assert cluster["status"]["PostgresClusterStatus"] == "Running"
    found = instances(three, environment)
    roles = sorted(pod["metadata"]["labels"]["spilo-role"] for pod in found)
    assert roles == ["master"] + ["replica"] * (count - 1)
    # One in each zone, each with a disk of its own.
    nodes = three.kubernetes_of(environment, "nodes")["items"]
    zones = {
        node["metadata"]["name"]: node["metadata"]["labels"]["topology.kubernetes.io/zone"]
        for node in nodes
    }
    assert len({zones[pod["spec"]["nodeName"]] for pod in found}) == count
    claims = three.kubernetes_of(environment, "persistentvolumeclaims", *SPILO)["items"]
    assert [claim["status"]["phase"] for claim in claims] == ["Bound"] * count


@pytest.mark.parametrize("environment", WITH_POSTGRES)
def test_a_model_gets_its_connection_from_the_operators_secret(
    three: Workspace, environment: str
) -> None:
    model = ("-n", "models", "-l", "app.kubernetes.io/name=recommender")
    for pod in three.kubernetes_of(environment, "pods", *model)["items"]:
        told = {one["name"]: one for one in pod["spec"]["containers"][0]["env"]}
        host, _, namespace = told["PGHOST"]["value"].removesuffix(".svc").partition(".")
        service = three.kubernetes_of(environment, "service", host, "-n", namespace)
        assert str(service["spec"]["ports"][0]["port"]) == told["PGPORT"]["value"]
        for name, length in (("PGUSER", 10), ("PGPASSWORD", 30)):
            reference = told[name]["valueFrom"]["secretKeyRef"]
            secret = three.kubernetes_of(environment, "secret", reference["name"], "-n", "models")
            assert len(base64.b64decode(secret["data"][reference["key"]])) > length
            assert "value" not in told[name]


@pytest.mark.parametrize("environment", WITH_POSTGRES)
def test_no_password_leaves_the_cluster(three: Workspace, environment: str) -> None:
    secrets = [
        secret
        for namespace in ("models", "postgres")
        for secret in three.kubernetes_of(environment, "secrets", "-n", namespace)["items"]
        if secret["metadata"]["name"].endswith(".credentials.postgresql.acid.zalan.do")
    ]
    assert len(secrets) == 3
    state = str(three.state("serving", environment))
    logs = [path.read_text(errors="replace") for path in three.home.rglob("*.log")]
    for secret in secrets:
        sealed = secret["data"]["password"]
        for text in (sealed, base64.b64decode(sealed).decode()):
            assert text not in state
            assert not [log for log in logs if text in log]


@pytest.mark.parametrize("environment", WITH_POSTGRES)
def test_backups_go_to_a_bucket_that_only_the_instances_may_write(
    three: Workspace, environment: str
) -> None:
    project = stack_config(environment)["gcp:project"]
    [pod, *_] = instances(three, environment)
    told = {one["name"]: one.get("value") for one in pod["spec"]["containers"][0]["env"]}
    assert told["USE_WALG_BACKUP"] == "true"
    # The folder is named by the cluster's uid: a recreated cluster gets another.
    [cluster] = three.kubernetes_of(environment, "postgresqls", "-n", "postgres")["items"]
    assert told["WAL_BUCKET_SCOPE_SUFFIX"] == f"/{cluster['metadata']['uid']}"
    bucket = told["WAL_GS_BUCKET"]
    [grant] = [
        one
        for one in three.google("storage", f"b/{bucket}/iam")["bindings"]
        if one["role"] == "roles/storage.objectUser"
    ]
    account = f"{project}-postgres@{project}.iam.gserviceaccount.com"
    assert grant["members"] == [f"serviceAccount:{account}"]
    policy = three.google(
        "iam", f"projects/{project}/serviceAccounts/{account}:getIamPolicy", "POST", json={}
    )
    [acting] = policy["bindings"]
    assert acting["role"] == "roles/iam.workloadIdentityUser"
    name = pod["spec"]["serviceAccountName"]
    assert acting["members"] == [f"serviceAccount:{project}.svc.id.goog[postgres/{name}]"]
    found = three.kubernetes_of(environment, "serviceaccount", name, "-n", "postgres")
    assert found["metadata"]["annotations"]["iam.gke.io/gcp-service-account"] == account


def test_a_drain_in_prod_evicts_a_replica_and_not_the_primary(three: Workspace) -> None:
    context = "gke_acme-ml-prod_europe-west4_acme-ml-prod-cluster"
    three.kubectl("config", "use-context", context)
    roles = {
        pod["metadata"]["labels"]["spilo-role"]: pod["metadata"]["name"]
        for pod in instances(three, "prod")
    }
    assert "disruption budget" in three.evict("postgres", roles["master"])
    assert '"status":"Success"' in three.evict("postgres", roles["replica"]).replace(" ", "")
