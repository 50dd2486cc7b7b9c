"""What is declared for a model with references and additions, and how policies judge it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from declared import ROOT, run_layer, stack_config
from declared.result import Declared
from gkeplatform.layers import CLUSTER, SERVING
from policies.check import judge, pack_for
from policies.reports.as_text import render
from tests.unit.test_pod_additions import PROXY, WARM

PROBE = {"tcpSocket": {"port": 8080}}
PROBES = {"readinessProbe": PROBE, "livenessProbe": PROBE | {"periodSeconds": 30}}
ADDITIONS: dict[str, Any] = {
    "containers": [PROXY | PROBES],
    "init_containers": [WARM],
    "volumes": [{"name": "rules", "config_map": "modes", "mount_path": "/etc/rules"}],
    "writable": {"/var/cache/m1": "1Gi"},
    "image_pull_secrets": ["registry"],
}
ENVIRONMENT = {
    "MODE": {"config_map": "modes", "key": "mode"},
    "HF_TOKEN": {"secret_manager": "HF_TOKEN", "version": 3},
}


def with_additions(name: str, additions: dict[str, Any]) -> dict[str, Declared]:
    config = stack_config("dev")
    models = json.loads(config["gke-serving:models"])
    (one,) = [model for model in models if model["name"] == name]
    one |= {"pod": additions, "environment": ENVIRONMENT}
    cluster = json.loads(config["gke-cluster:cluster"]) | {"secret_sync": True}
    config["gke-serving:models"] = json.dumps(models)
    config["gke-cluster:cluster"] = json.dumps(cluster)
    below = run_layer(CLUSTER, "dev", {}, config)
    serving = run_layer(SERVING, "dev", {"organization/gke-cluster/dev": below.outputs}, config)
    return {"cluster": below, "serving": serving}


def stopping(found: dict[str, Declared]) -> list[str]:
    pack = pack_for("dev", root=ROOT, today=datetime.now(UTC).date())
    resources = found["serving"].resources("dev", SERVING.project)
    report = judge(resources, pack, environment="dev", layer="serving")
    return [] if report.is_clean else [render(report)]


@pytest.fixture(scope="module")
def declared() -> dict[str, Declared]:
    return with_additions("resnet", ADDITIONS)


def test_only_a_check_that_is_new_or_changed_is_waited_for(declared: dict[str, Declared]) -> None:
    """The engine runs these hooks after a change, so an update without one waits for nothing."""
    serving = declared["serving"]
    checks = {key for key in serving.inputs if "ValidatingAdmissionPolicy" in key[0]}
    assert {kind.rpartition(":")[2] for kind, _ in checks} == {
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
    assert set(serving.hooks) == checks
    for hooks in serving.hooks.values():
        assert set(hooks) == {"after_create", "after_update"}


def test_a_refused_deployment_is_told_before_the_wait_for_an_endpoint(
    declared: dict[str, Declared],
) -> None:
    serving = declared["serving"]
    for name in serving.of("kubernetes:apps/v1:Deployment"):
        if ("kubernetes:core/v1:Service", name) not in serving.inputs:
            continue
        needed = serving.dependencies["kubernetes:core/v1:Service", name]
        waits = ("kubernetes:apps/v1:Deployment", name) in needed
        assert waits == (name == "resnet"), name


def test_a_secret_is_copied_granted_and_read_by_reference(declared: dict[str, Declared]) -> None:
    serving = declared["serving"]
    (grant,) = serving.of("gcp:secretmanager/secretIamMember:SecretIamMember").values()
    assert grant["secretId"] == "HF_TOKEN"
    assert grant["role"] == "roles/secretmanager.secretAccessor"
    ((name, sync),) = serving.of("kubernetes:secret-sync.gke.io/v1:SecretSync").items()
    assert sync["spec"]["serviceAccountName"] == "model-server"
    server = serving.inputs["kubernetes:apps/v1:Deployment", "resnet"]
    env = server["spec"]["template"]["spec"]["containers"][0]["env"]
    reference = {"secretKeyRef": {"name": name, "key": "value"}}
    assert {"name": "HF_TOKEN", "valueFrom": reference} in env
    enabled = declared["cluster"].of("gcp:container/cluster:Cluster").values()
    assert [one["secretSyncConfig"]["enabled"] for one in enabled] == [True]


def test_named_objects_are_checked_before_the_rollout(declared: dict[str, Declared]) -> None:
    kind = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding"
    names = {one["metadata"]["name"] for one in declared["serving"].of(kind).values()}
    assert names == {
        "models.resnet.needs-configmap.modes",
        "models.resnet.needs-secret.registry",
    }


def test_the_policies_pass(declared: dict[str, Declared]) -> None:
    assert stopping(declared) == []


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"securityContext": {"allowPrivilegeEscalation": True}}, "containers-cannot-gain"),
        ({"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]}, "secrets-stay-out-of-pod-specs"),
        ({"ports": [{"containerPort": 8080, "hostPort": 8080}]}, "containers-take-no-host-ports"),
    ],
)
def test_the_policies_judge_further_containers(change: dict[str, Any], rule: str) -> None:
    container = ADDITIONS["containers"][0] | change
    (report,) = stopping(with_additions("resnet", {"containers": [container]}))
    assert rule in report
