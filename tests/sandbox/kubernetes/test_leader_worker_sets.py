"""LWS on what the platform installs, with the rights declared there: groups live and end whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from declared import declare
from gkeplatform.environment import Environment
from gkeplatform.labels import Labels
from gkeplatform.leader_worker_sets import API, KIND
from infra.serving.groups.component import LeaderWorkerSets
from infra.serving.models import Model, expanded
from infra.serving.models.disruption import disruption_budget
from infra.serving.models.group import leader_worker_set
from infra.serving.models.rollout import RollingUpdate
from sandbox import engine
from sandbox.gcp.app import create_app
from sandbox.kubernetes.api_server import ApiServerError
from sandbox.kubernetes.features import Features
from tests.sandbox.kubernetes.conftest_kubernetes import Sandbox, eventually, node, running
from tests.unit.entries import VLLM

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kubernetes")]
ENVIRONMENT = Environment(system="acme-ml", name="dev", project="p", region="europe-west4")
PODS = "/api/v1/namespaces/models/pods"
SETS = f"/apis/{API}/namespaces/models/leaderworkersets"
BUDGETS = "/apis/policy/v1/namespaces/models/poddisruptionbudgets"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "Service": "/api/v1/namespaces/{}/services",
    "Role": f"{RBAC}/namespaces/{{}}/roles",
    "RoleBinding": f"{RBAC}/namespaces/{{}}/rolebindings",
    "ClusterRole": f"{RBAC}/clusterroles",
    "ClusterRoleBinding": f"{RBAC}/clusterrolebindings",
    "MutatingWebhookConfiguration": f"{ADMISSION}/mutatingwebhookconfigurations",
    "ValidatingWebhookConfiguration": f"{ADMISSION}/validatingwebhookconfigurations",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
}
GPU = {"cloud.google.com/gke-accelerator": "nvidia-l4"}


def group() -> tuple[dict[str, Any], dict[str, Any]]:
    """A LeaderWorkerSet of two groups of two hosts, and its budget."""
    values = {**VLLM, "name": "chat", "hosts": 2, "replicas": {"min": 2, "max": 2}}
    model = msgspec.convert(values, Model)
    workload = expanded(model, key="models[0]", namespace="models")
    update = RollingUpdate(0, 1)
    spec = leader_worker_set(workload, rolling_update=update, labels={}, account="default")
    metadata = {"name": "chat", "namespace": "models"}
    return (
        {"apiVersion": API, "kind": KIND, "metadata": metadata, "spec": spec},
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": metadata,
            "spec": disruption_budget(workload),
        },
    )


def install(sandbox: Sandbox) -> None:
    """Apply what the serving layer declares for LWS."""
    found = declare(lambda: LeaderWorkerSets("lws", labels=Labels(ENVIRONMENT, "serving")))
    bodies = [
        {"apiVersion": token.split(":")[1].removeprefix("core/"), "kind": kind, **body}
        for (token, _), body in found.inputs.items()
        if (kind := token.split(":")[2]) in PATHS
    ]
    for kind, path in PATHS.items():
        for body in bodies:
            if body["kind"] == kind:
                sandbox.apply(path.format(body["metadata"].get("namespace")), body)


@pytest.fixture(scope="module")
def lws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    engine.leader_worker_sets()  # a build takes longer than the tests wait
    nodes = [
        node("a", index, labels=GPU, accelerators=1, cpu="8", allocatable_cpu="7", memory="32Gi")
        for index in range(5)
    ]
    home = tmp_path_factory.mktemp("home")
    with running(home, create_app, nodes=[node("b"), *nodes], features=Features()) as sandbox:
        install(sandbox)
        metadata = {"name": "models"}
        sandbox.apply(
            "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        )
        sets, budget = group()

        def accepted() -> bool:
            try:
                sandbox.apply(SETS, sets)
            except ApiServerError:  # the webhook has no certificate yet
                return False
            return True

        assert eventually(accepted)
        sandbox.apply(BUDGETS, budget)
        yield sandbox


def uids(sandbox: Sandbox) -> dict[str, str]:
    """The pods that are ready and stay."""
    return {
        pod["metadata"]["name"]: pod["metadata"]["uid"]
        for pod in sandbox.items(PODS)
        if "deletionTimestamp" not in pod["metadata"]
        and any(
            one["type"] == "Ready" and one["status"] == "True"
            for one in pod.get("status", {}).get("conditions", [])
        )
    }


def evict(sandbox: Sandbox, name: str) -> int:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    try:
        sandbox.kube("POST", f"{PODS}/{name}/eviction", body)
    except ApiServerError as error:
        return error.status
    return 201


def end_now(sandbox: Sandbox, name: str, uid: str) -> None:
    """Delete a pod without its grace period, if it is still this one."""
    at_once = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}}
    try:
        sandbox.kube("DELETE", f"{PODS}/{name}", at_once)
    except ApiServerError as error:
        if error.status not in {404, 409}:
            raise


def test_an_evicted_worker_takes_its_group_and_no_other(lws: Sandbox) -> None:
    every = {"chat-0", "chat-0-1", "chat-1", "chat-1-1"}
    assert eventually(lambda: set(uids(lws)) == every)
    before = uids(lws)
    worker = lws.kube("GET", f"{PODS}/chat-0-1")
    variables = {one["name"]: one.get("value") for one in worker["spec"]["containers"][0]["env"]}
    assert variables["LWS_LEADER_ADDRESS"] == "chat-0.chat-0.models"
    assert variables["LWS_WORKER_INDEX"] == "1"
    assert eventually(lambda: evict(lws, "chat-0-1") == 201)
    # One group may be disturbed at a time.
    assert evict(lws, "chat-1-1") == 429
    # Its leader ends too. It drains as a kubelet's pod does: the test does not wait for that.
    assert eventually(lambda: before["chat-0"] != uids(lws).get("chat-0"))
    end_now(lws, "chat-0", before["chat-0"])
    assert eventually(lambda: set(uids(lws)) == every)
    after = uids(lws)
    replaced = {name for name in every if before[name] != after[name]}
    assert replaced == {"chat-0", "chat-0-1"}


def test_the_webhook_refuses_what_contradicts_itself(lws: Sandbox) -> None:
    sets, _ = group()
    rollout = sets["spec"]["rolloutStrategy"]["rollingUpdateConfiguration"]
    rollout |= {"maxSurge": 0, "maxUnavailable": 0}
    with pytest.raises(ApiServerError, match="must not be 0 when `maxSurge` is 0"):
        lws.apply(SETS, sets)
