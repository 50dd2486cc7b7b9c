"""GKE's secret synchronization: Secrets appear for accounts that may read them, and only then."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from sandbox.kubernetes.features import Features
from tests.sandbox.kubernetes.conftest_kubernetes import CLUSTER, NETWORK, Sandbox, eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kubernetes")]
PROJECT = CLUSTER.project
ACCOUNT = f"models@{PROJECT}.iam.gserviceaccount.com"
SYNCS = "/apis/secret-sync.gke.io/v1/namespaces/default/secretsyncs"
CLASSES = "/apis/secrets-store.csi.x-k8s.io/v1/namespaces/default/secretproviderclasses"


@pytest.fixture(scope="module")
def syncing(sandbox: Sandbox) -> Sandbox:
    """The cluster with the feature, a secret with one version, and an account without rights."""
    sandbox.loop.run(
        sandbox.planes.start_controllers(
            CLUSTER,
            network=NETWORK,
            subnetwork="",
            features=Features(gateway_api=True, secret_sync=True),
        )
    )
    # A cluster of the API brings the project's identity pool; the fixture's has none.
    pool = {"workloadPool": f"{PROJECT}.svc.id.goog"}
    cluster = {"name": "pool", "initialNodeCount": 1, "workloadIdentityConfig": pool}
    clusters = f"container/v1/projects/{PROJECT}/locations/us-central1-a/clusters"
    google(sandbox, "POST", clusters, {"cluster": cluster})
    assert eventually(lambda: google(sandbox, "GET", f"{clusters}/pool")["status"] == "RUNNING")
    google(sandbox, "POST", f"iam/v1/projects/{PROJECT}/serviceAccounts", {"accountId": "models"})
    secrets = f"secretmanager/v1/projects/{PROJECT}/secrets"
    google(sandbox, "POST", f"{secrets}?secretId=token", {"replication": {"automatic": {}}})
    data = base64.b64encode(b"hf_123").decode()
    google(sandbox, "POST", f"{secrets}/token:addVersion", {"payload": {"data": data}})
    annotations = {"iam.gke.io/gcp-service-account": ACCOUNT}
    sandbox.kube(
        "POST",
        "/api/v1/namespaces/default/serviceaccounts",
        {"metadata": {"name": "model-server", "annotations": annotations}},
    )
    return sandbox


def google(sandbox: Sandbox, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": "Bearer any"}
    answer = httpx.request(method, f"{sandbox.api}/{path}", json=body, headers=headers, timeout=30)
    assert answer.is_success, answer.text
    return answer.json()


def grant(sandbox: Sandbox, path: str, role: str, member: str) -> None:
    policy = {"bindings": [{"role": role, "members": [member]}]}
    google(sandbox, "POST", f"{path}:setIamPolicy", {"policy": policy})


def synchronize(sandbox: Sandbox, name: str, version: str) -> None:
    resource = f"projects/{PROJECT}/secrets/token/versions/{version}"
    listed = f'[{{"resourceName": "{resource}", "path": "value"}}]'
    spec: dict[str, Any] = {"provider": "gke", "parameters": {"secrets": listed}}
    kind = {"apiVersion": "secrets-store.csi.x-k8s.io/v1", "kind": "SecretProviderClass"}
    sandbox.kube("POST", CLASSES, {**kind, "metadata": {"name": name}, "spec": spec})
    spec = {
        "serviceAccountName": "model-server",
        "secretProviderClassName": name,
        "secretObject": {
            "type": "Opaque",
            "data": [{"sourcePath": "value", "targetKey": "value"}],
        },
    }
    kind = {"apiVersion": "secret-sync.gke.io/v1", "kind": "SecretSync"}
    sandbox.kube("POST", SYNCS, {**kind, "metadata": {"name": name}, "spec": spec})


def condition(sandbox: Sandbox, name: str) -> dict[str, Any]:
    status = sandbox.kube("GET", f"{SYNCS}/{name}").get("status") or {}
    return dict((status.get("conditions") or [{}])[0])


def secret(sandbox: Sandbox, name: str) -> dict[str, Any]:
    found = {one["metadata"]["name"]: one for one in sandbox.items("/api/v1/secrets")}
    return dict(found.get(name, {}))


def test_a_secret_appears_when_the_account_may_read_it(syncing: Sandbox) -> None:
    synchronize(syncing, "m1-token-1", "1")
    assert "may not act as" in eventually(lambda: condition(syncing, "m1-token-1"))["message"]
    pool = f"serviceAccount:{PROJECT}.svc.id.goog[default/model-server]"
    account = f"iam/v1/projects/{PROJECT}/serviceAccounts/{ACCOUNT}"
    grant(syncing, account, "roles/iam.workloadIdentityUser", pool)
    denied = "secretmanager.versions.access"
    assert eventually(lambda: denied in condition(syncing, "m1-token-1")["message"])
    assert not secret(syncing, "m1-token-1")
    path = f"secretmanager/v1/projects/{PROJECT}/secrets/token"
    member = f"serviceAccount:{ACCOUNT}"
    grant(syncing, path, "roles/secretmanager.secretAccessor", member)
    found = eventually(lambda: secret(syncing, "m1-token-1"))
    assert base64.b64decode(found["data"]["value"]) == b"hf_123"
    assert eventually(lambda: condition(syncing, "m1-token-1")["status"] == "True")
    assert syncing.kube("GET", f"{SYNCS}/m1-token-1")["status"]["lastSuccessfulSyncTime"]


def test_a_missing_version_is_reported(syncing: Sandbox) -> None:
    synchronize(syncing, "m1-token-7", "7")
    assert "not found" in eventually(lambda: condition(syncing, "m1-token-7"))["message"]
    assert not secret(syncing, "m1-token-7")
