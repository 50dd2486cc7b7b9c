"""Zalando's operator with the objects and roles that the stage environment declares."""

import base64
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import psutil
import pytest

from declared import run_environment
from sandbox import engine
from sandbox.kubernetes import processes
from sandbox.kubernetes.api_server import ApiServerError
from tests.sandbox.kubernetes.conftest_kubernetes import NETWORK, Sandbox, eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kubernetes")]
MERGE = "application/merge-patch+json"
INSIDE = "/api/v1/namespaces/postgres"
CR = "/apis/acid.zalan.do/v1/namespaces/postgres/postgresqls/features"
SECRET = "models.recommender.features.credentials.postgresql.acid.zalan.do"
ALL = ("Namespace", "CustomResourceDefinition")
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "ResourceQuota": "/api/v1/namespaces/{}/resourcequotas",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "OperatorConfiguration": "/apis/acid.zalan.do/v1/namespaces/{}/operatorconfigurations",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "postgresql": "/apis/acid.zalan.do/v1/namespaces/{}/postgresqls",
}


def apply(sandbox: Sandbox, kind: str, body: dict[str, Any]) -> None:
    sandbox.apply(PATHS[kind].format(body["metadata"].get("namespace")), body)


def declared() -> Iterator[tuple[str, dict[str, Any]]]:
    """What stage declares around its databases, in the order in which it may be made."""
    inputs = run_environment("stage")["serving"].inputs
    for kind in PATHS:
        for (token, _), body in inputs.items():
            _, api, name = token.split(":")
            metadata = body.get("metadata") or {}
            said = f"{metadata.get('namespace')} {metadata.get('name')}"
            # The models' namespaces, too: their pods' logins go there.
            if name == kind and ("postgres" in said or kind in ALL):
                yield kind, {"apiVersion": api.removeprefix("core/"), "kind": kind, **body}


def is_served(sandbox: Sandbox, path: str) -> bool:
    try:
        return bool(sandbox.kube("GET", path))
    except ApiServerError:
        return False


def pods(sandbox: Sandbox) -> dict[str, Any]:
    listed = sandbox.items(f"{INSIDE}/pods?labelSelector=application%3Dspilo")
    return {pod["metadata"]["name"]: pod for pod in listed}


def roles(sandbox: Sandbox) -> dict[str, str]:
    return {
        name: pod["metadata"]["labels"].get("spilo-role", "")
        for name, pod in pods(sandbox).items()
        if "deletionTimestamp" not in pod["metadata"]
    }


def status(sandbox: Sandbox) -> str:
    found = sandbox.kube("GET", CR).get("status") or {}
    return str(found.get("PostgresClusterStatus"))


def evict(sandbox: Sandbox, pod: str) -> None:
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": "postgres"},
    }
    sandbox.kube("POST", f"{INSIDE}/pods/{pod}/eviction", body)


@pytest.fixture(scope="module")
def databases(sandbox: Sandbox) -> Sandbox:
    engine.postgres_operator()  # a build takes longer than the tests wait
    for kind, body in declared():
        if kind in ("OperatorConfiguration", "postgresql"):
            path = PATHS[kind].format("postgres")
            assert eventually(partial(is_served, sandbox, path))
        apply(sandbox, kind, body)
    assert eventually(lambda: status(sandbox) == "Running"), (
        status(sandbox),
        sandbox.folder.log("postgres-operator").read_text()[-5000:],
    )
    return sandbox


def claims(sandbox: Sandbox) -> dict[str, Any]:
    found = sandbox.items(f"{INSIDE}/persistentvolumeclaims")
    return {one["metadata"]["name"]: one for one in found}


def named(sandbox: Sandbox, role: str) -> str:
    [name] = [name for name, found in roles(sandbox).items() if found == role]
    return name


def may(sandbox: Sandbox, account: str, verb: str, **resource: str) -> bool:
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:postgres:{account}",
            "resourceAttributes": {"verb": verb, **resource},
        },
    }
    answer = sandbox.kube("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
    return bool(answer["status"]["allowed"])


def cordon(sandbox: Sandbox, node: str, *, is_closed: bool) -> None:
    body = {"spec": {"unschedulable": is_closed}}
    sandbox.kube("PATCH", f"/api/v1/nodes/{node}", body, content_type=MERGE)


def change(sandbox: Sandbox, **spec: Any) -> None:
    sandbox.kube("PATCH", CR, {"spec": spec}, content_type=MERGE)


def has_grown(sandbox: Sandbox, size: str) -> bool:
    """Whether disks are as large as asked, and the operator has done with it."""
    sets = sandbox.items("/apis/apps/v1/namespaces/postgres/statefulsets")
    templates = [one for found in sets for one in found["spec"]["volumeClaimTemplates"]]
    asked = [one["spec"]["resources"]["requests"]["storage"] for one in templates]
    given = {claim["status"]["capacity"]["storage"] for claim in claims(sandbox).values()}
    return asked == [size] and given == {size} and status(sandbox) == "Running"


def has_both(sandbox: Sandbox) -> bool:
    return sorted(roles(sandbox).values()) == ["master", "replica"]


def test_a_cluster_runs_with_a_primary_and_a_replica_in_another_zone(databases: Sandbox) -> None:
    assert eventually(lambda: has_both(databases))
    zones = {pod["spec"]["nodeName"].split("-")[3] for pod in pods(databases).values()}
    assert zones == {"a", "b"}


def test_each_instance_has_a_disk_in_its_own_zone(databases: Sandbox) -> None:
    found = claims(databases)
    assert set(found) == {"pgdata-features-0", "pgdata-features-1"}
    for name, claim in found.items():
        assert claim["status"]["phase"] == "Bound"
        volume = databases.kube("GET", f"/api/v1/persistentvolumes/{claim['spec']['volumeName']}")
        [term] = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
        node = pods(databases)[name.removeprefix("pgdata-")]["spec"]["nodeName"]
        assert term["matchExpressions"][0]["values"] == [f"europe-west4-{node.split('-')[3]}"]


def test_a_models_login_is_in_its_namespace_and_not_logged(databases: Sandbox) -> None:
    data = databases.kube("GET", f"/api/v1/namespaces/models/secrets/{SECRET}")["data"]
    assert base64.b64decode(data["username"]) == b"models.recommender"
    password = base64.b64decode(data["password"]).decode()
    assert len(password) > 30
    assert password not in databases.folder.log("postgres-operator").read_text()


def test_the_service_selects_the_primary(databases: Sandbox) -> None:
    def address() -> str:
        [subset] = databases.kube("GET", f"{INSIDE}/endpoints/features")["subsets"]
        [found] = subset["addresses"]
        return str(found["targetRef"]["name"])

    assert address() == named(databases, "master")


def test_the_operator_has_the_rights_that_it_needs_and_no_more(databases: Sandbox) -> None:
    log = databases.folder.log("postgres-operator").read_text()
    assert "forbidden" not in log
    assert may(
        databases, "postgres-operator", "get", resource="secrets", namespace="models", name=SECRET
    )
    for verb in ("list", "get", "delete"):
        asked = {"resource": "secrets", "namespace": "models"}
        assert not may(databases, "postgres-operator", verb, **asked)
    assert not may(databases, "postgres-operator", "list", resource="pods", namespace="models")
    assert not may(databases, "postgres-pod", "get", resource="secrets", namespace="postgres")


def test_a_drain_evicts_the_replica_and_never_the_primary(databases: Sandbox) -> None:
    assert eventually(lambda: has_both(databases))
    primary, replica = named(databases, "master"), named(databases, "replica")
    before = pods(databases)[replica]["metadata"]["uid"]
    with pytest.raises(ApiServerError, match="disruption budget") as refused:
        evict(databases, primary)
    assert refused.value.status == 429
    evict(databases, replica)
    assert eventually(
        lambda: (
            pods(databases).get(replica, {}).get("metadata", {}).get("uid") not in (None, before)
            and has_both(databases)
        )
    )
    assert named(databases, "master") == primary


def test_the_operator_moves_the_primary_off_a_drained_node(databases: Sandbox) -> None:
    assert eventually(lambda: has_both(databases))
    old, new = named(databases, "master"), named(databases, "replica")
    node = pods(databases)[old]["spec"]["nodeName"]
    cordon(databases, node, is_closed=True)
    try:
        assert eventually(lambda: roles(databases).get(new) == "master")
        evict(databases, old)
    finally:
        cordon(databases, node, is_closed=False)
    assert eventually(lambda: has_both(databases))
    assert named(databases, "master") == new


def test_disks_grow_with_their_cluster(databases: Sandbox) -> None:
    change(databases, volume={"size": "30Gi"})
    assert eventually(lambda: has_grown(databases, "30Gi"))


def test_a_synchronous_cluster_fails_over_to_the_synchronous_replica(
    databases: Sandbox,
) -> None:
    assert eventually(lambda: has_both(databases))
    change(databases, patroni={"synchronous_mode": True})

    def is_agreed() -> bool:
        path = f"{INSIDE}/endpoints/features-config"
        if not is_served(databases, path):
            return False
        told = databases.kube("GET", path)["metadata"]["annotations"]["config"]
        return bool(json.loads(told).get("synchronous_mode"))

    assert eventually(is_agreed)
    assert eventually(lambda: status(databases) == "Running")
    old, new = named(databases, "master"), named(databases, "replica")
    node = pods(databases)[old]["spec"]["nodeName"]
    cordon(databases, node, is_closed=True)
    try:
        assert eventually(lambda: roles(databases).get(new) == "master")
    finally:
        cordon(databases, node, is_closed=False)


def test_a_cluster_shrinks_to_its_primary_and_grows_again(databases: Sandbox) -> None:
    assert eventually(lambda: has_both(databases))
    change(databases, numberOfInstances=1)
    # Whoever is left leads, be it the primary or not until now.
    assert eventually(lambda: roles(databases) == {"features-0": "master"})
    assert eventually(lambda: status(databases) == "Running")
    assert set(claims(databases)) == {"pgdata-features-0", "pgdata-features-1"}
    change(databases, numberOfInstances=2)
    assert eventually(lambda: has_both(databases))
    assert named(databases, "master") == "features-0"
    assert eventually(lambda: status(databases) == "Running")


def test_an_invalid_postgresql_object_is_reported(databases: Sandbox) -> None:
    spec = databases.kube("GET", CR)["spec"] | {"clone": {"cluster": "No_Such_Name"}}
    metadata = {"name": "broken", "namespace": "postgres"}
    body = {"apiVersion": "acid.zalan.do/v1", "kind": "postgresql", "metadata": metadata}
    path = CR.replace("features", "broken")
    apply(databases, "postgresql", {**body, "spec": spec})

    def answer() -> str:
        found = databases.kube("GET", path).get("status") or {}
        return str(found.get("PostgresClusterStatus"))

    assert eventually(lambda: answer() == "CreateFailed")
    databases.kube("DELETE", path)


def operators(sandbox: Sandbox) -> list[psutil.Process]:
    found = processes.below(sandbox.folder.path)
    return [process for process, name in found.items() if name == "postgres-operator"]


def grows_to(sandbox: Sandbox, size: str) -> bool:
    change(sandbox, volume={"size": size})
    return eventually(lambda: has_grown(sandbox, size))


def test_a_dead_operator_is_restarted(databases: Sandbox) -> None:
    [died] = operators(databases)
    died.kill()
    assert eventually(lambda: operators(databases) and died not in operators(databases))
    [revived] = operators(databases)
    # An operator that has just begun may miss a change until its next synchronization.
    assert any(grows_to(databases, size) for size in ("31Gi", "31800Mi", "31900Mi"))
    assert operators(databases) == [revived]


def test_the_operator_stops_and_starts_with_the_controllers(databases: Sandbox) -> None:
    databases.loop.run(databases.planes.stop_controllers(databases.cluster))
    assert operators(databases) == []
    begin = databases.planes.start_controllers(databases.cluster, network=NETWORK, subnetwork="")
    databases.loop.run(begin)
    assert eventually(lambda: len(operators(databases)) == 1)
    assert eventually(lambda: has_both(databases))


def test_the_definition_refuses_an_unknown_postgres_version(databases: Sandbox) -> None:
    with pytest.raises(ApiServerError, match="Unsupported value"):
        change(databases, postgresql={"version": "11"})


def test_deleting_a_cluster_keeps_its_disks(databases: Sandbox) -> None:
    # An operator that has just begun forgets where a cluster is when that is deleted meanwhile.
    change(databases, volume={"size": "32Gi"})
    assert eventually(lambda: has_grown(databases, "32Gi"))
    databases.kube("DELETE", CR)
    assert eventually(lambda: not pods(databases))
    assert eventually(lambda: not is_served(databases, CR))
    secret = f"/api/v1/namespaces/models/secrets/{SECRET}"
    assert eventually(lambda: not is_served(databases, secret))
    assert all(claim["status"]["phase"] == "Bound" for claim in claims(databases).values())
    assert len(claims(databases)) == 2
    log = databases.folder.log("postgres-operator").read_text()
    assert [line for line in log.splitlines() if "forbidden" in line] == []
