"""A model's pods with additions on the real API server: admission, and what must exist before."""

from __future__ import annotations

from typing import Any

import pytest

from infra.serving.models import pod
from infra.serving.models.reference_checks import Reference, binding, labels, policy, references
from sandbox.kubernetes.api_server import ApiServerError
from tests.sandbox.kubernetes.conftest_kubernetes import Sandbox, eventually
from tests.unit.test_pod_additions import PROXY, WARM, model

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kubernetes")]
NAMESPACE = "models"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
ADDITIONS: dict[str, Any] = {
    "containers": [PROXY],
    "init_containers": [WARM, PROXY | {"name": "agent", "restartPolicy": "Always", "ports": []}],
    "volumes": [{"name": "rules", "config_map": "modes", "mount_path": "/etc/rules"}],
    "writable": {"/var/cache/m1": "1Gi"},
    "labels": {"cost-center": "ml"},
}
ENVIRONMENT = {
    "MODE": {"config_map": "modes", "key": "mode"},
    "HF_TOKEN": {"secret": "hugging-face", "key": "token"},
}


@pytest.fixture(scope="module")
def models(sandbox: Sandbox) -> Sandbox:
    """A restricted namespace, as the serving layer makes it, and the checks of one model."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    sandbox.kube("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE, "labels": labels}})
    account = {"metadata": {"name": "model-server"}}
    sandbox.kube("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", account)
    for kind in ("Secret", "ConfigMap"):
        body = {"metadata": {"name": f"models.{kind.lower()}s-exist"}, "spec": policy(kind)}
        sandbox.kube("POST", f"{ADMISSION}/validatingadmissionpolicies", body)
    for one in references(model(ADDITIONS, environment=ENVIRONMENT)):
        bind(sandbox, one)
    return sandbox


def bind(sandbox: Sandbox, one: Reference) -> None:
    checked_by = f"models.{one.kind.lower()}s-exist"
    spec = binding(one, policy=checked_by, namespace=NAMESPACE, workload="m1")
    body = {"metadata": {"name": one.binding(NAMESPACE, "m1")}, "spec": spec}
    sandbox.kube("POST", f"{ADMISSION}/validatingadmissionpolicybindings", body)


def deployment(**changes: Any) -> dict[str, Any]:
    served = model({**ADDITIONS, **changes}, environment=ENVIRONMENT)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "m1",
            "labels": {"app.kubernetes.io/name": "m1", **labels(served)},
        },
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": served.selector},
            "template": pod.template(served, labels={}, account="model-server"),
        },
    }


def refusal(models: Sandbox, method: str = "POST", at: str = "", **changes: Any) -> str:
    try:
        models.kube(method, f"{DEPLOYMENTS}{at}?dryRun=All", deployment(**changes))
    except ApiServerError as error:
        return str(error)
    return ""


def test_what_is_missing_is_reported_before_the_rollout(models: Sandbox) -> None:
    # The API server needs a moment to load the policies.
    assert eventually(lambda: "models.m1.needs-" in refusal(models)), refusal(models)
    inside = f"/api/v1/namespaces/{NAMESPACE}"
    body: dict[str, Any] = {"metadata": {"name": "modes"}, "data": {"mode": "a"}}
    models.kube("POST", f"{inside}/configmaps", body)
    assert eventually(lambda: "models.m1.needs-secret.hugging-face" in refusal(models))
    body = {"metadata": {"name": "hugging-face"}, "stringData": {"wrong": "x"}}
    models.kube("POST", f"{inside}/secrets", body)
    missing = 'has no key "token", for HF_TOKEN'
    assert eventually(lambda: missing in refusal(models).replace("\\", "")), refusal(models)
    body = {"metadata": {"name": "hugging-face"}, "stringData": {"token": "hf_123"}}
    models.kube("PUT", f"{inside}/secrets/hugging-face", body)
    assert eventually(lambda: not refusal(models)), refusal(models)


def test_the_pods_are_admitted_and_run(models: Sandbox) -> None:
    models.kube("POST", DEPLOYMENTS, deployment())

    def running() -> list[Any]:
        found = models.items(f"/api/v1/namespaces/{NAMESPACE}/pods")
        return [one for one in found if one["status"].get("phase") == "Running"]

    (started,) = eventually(running)
    assert [one["name"] for one in started["spec"]["containers"]] == ["m1", "proxy"]
    assert [one["name"] for one in started["spec"]["initContainers"]] == ["warm", "agent"]


def test_a_wrong_name_is_corrected_while_its_check_is_still_there(models: Sandbox) -> None:
    wrong = {"image_pull_secrets": ["registri"]}
    bind(models, Reference("Secret", "registri"))
    needed = "models.m1.needs-secret.registri"
    assert eventually(lambda: needed in refusal(models, "PUT", "/m1", **wrong))
    # The engine removes the binding after the update of the Deployment.
    assert refusal(models, "PUT", "/m1", annotations={"acme.example/corrected": "yes"}) == ""
