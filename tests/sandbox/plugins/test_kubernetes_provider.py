"""The Kubernetes provider through the real engine: what the platform relies on.

Each test is one or two runs of the engine; what one run can show stands in one test.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.plugins.kubernetes_project import Declared, Project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("plugins-cluster")]
Json = dict[str, Any]
Kubectl = Callable[..., str]


@pytest.fixture
def project(tmp_path: Path, kubeconfig: str) -> Project:
    return Project(tmp_path, kubeconfig)


@pytest.fixture(scope="module")
def running(kubectl: Kubectl) -> None:
    """Waits until the scheduler and KWOK have run a pod: a new control plane is slow at first."""
    kubectl("run", "first", "--image=server:1")
    kubectl("wait", "pod/first", "--for=condition=Ready", "--timeout=180s")
    kubectl("delete", "pod/first", "--wait=false")


@pytest.fixture
def space(
    kubectl: Kubectl,
    running: None,
    request: pytest.FixtureRequest,
) -> Iterator[str]:
    """A namespace for one test."""
    name = request.node.originalname.replace("_", "-")[5:60].strip("-")
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def core(kind: str, space: str, name: str, secrets: Json | None = None, **fields: Any) -> Declared:
    metadata = {"namespace": space, "name": name, **fields.pop("metadata", {})}
    body = {"apiVersion": "v1", "kind": kind, "metadata": metadata, **fields}
    return Declared(f"kubernetes:core/v1:{kind}", body, secrets or {})


def deployment(
    space: str, name: str, *, image: str = "server:1", seconds: int = 120, **container: Any
) -> Declared:
    labels = {"app": name}
    containers = [{"name": "app", "image": image, **container}]
    return Declared(
        "kubernetes:apps/v1:Deployment",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": name,
                "namespace": space,
                "annotations": {"pulumi.com/timeoutSeconds": str(seconds)},
            },
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
            },
        },
    )


def test_a_failed_rollout_is_explained_kept_and_completed(project: Project, space: str) -> None:
    absent = deployment(space, "app", image="does-not-exist:1", seconds=20)
    failed = project.up({"app": absent})
    assert failed.code
    assert "'app' timed out waiting to be Ready" in failed.reasons
    assert "ImagePullBackOff" in failed.reasons
    assert "urn:pulumi" not in failed.reasons
    assert "errors occurred" not in failed.reasons
    assert "app" in project.state()
    mended = project.up({"app": deployment(space, "app")})
    assert mended.code == 0, mended.output
    assert mended.run.changes["update"] == 1
    assert mended.run.changes["create"] == mended.run.changes["replace"] == 0


def test_immutable_fields_replace_and_a_config_map_changes_in_place(
    project: Project, space: str
) -> None:
    before = {
        "app": deployment(space, "app"),
        "settings": core("ConfigMap", space, "settings", data={"a": "b"}),
    }
    assert project.up(before).code == 0
    app = deployment(space, "app")
    labels = {"app": "app", "more": "x"}
    app.properties["spec"]["selector"]["matchLabels"] = labels
    app.properties["spec"]["template"]["metadata"]["labels"] = labels
    changed = {"app": app, "settings": core("ConfigMap", space, "settings", data={"a": "c"})}
    project.declare(changed)
    previewed = project.update("preview").run.changes
    assert (previewed["replace"], previewed["update"]) == (1, 1)
    replaced = project.up(changed)
    assert replaced.code == 0, replaced.output
    assert (replaced.run.changes["replace"], replaced.run.changes["update"]) == (1, 1)
    again = project.up(changed)
    assert again.run.changes["same"] >= 2
    assert again.run.changes["update"] == again.run.changes["replace"] == 0


def test_secrets_are_never_in_plaintext(project: Project, space: str) -> None:
    hidden, encoded = "hush-hush-hush", "aHVzaC1odXNoLWh1c2g="
    declared = {
        "s": core("Secret", space, "s", {"stringData": {"password": hidden}}),
        "note": core("ConfigMap", space, "note", {"data": {"password": hidden}}),
    }
    made = project.up(declared)
    assert made.code == 0, made.output
    refreshed = project.update("refresh", "--yes", "--skip-preview")
    assert refreshed.code == 0, refreshed.output
    state = json.dumps(project.state())
    assert state.count("ciphertext") >= 2
    for text in (state, made.output, refreshed.output):
        assert hidden not in text
        assert encoded not in text
    assert project.up(declared).run.changes["same"] >= 2


def test_ctrl_c_ends_the_wait_and_keeps_the_object(
    project: Project, space: str, kubectl: Kubectl
) -> None:
    def press() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if "app" in kubectl("get", "deployments", "-n", space, "-o", "name"):
                project.interrupt()
                return
            time.sleep(0.2)

    presser = threading.Thread(target=press)
    presser.start()
    ended = project.up({"app": deployment(space, "app", image="does-not-exist:1", seconds=300)})
    presser.join()
    assert ended.code
    assert "ancelled" in ended.output or "anceled" in ended.output
    assert "app" in project.state()
    completed = project.up({"app": deployment(space, "app")})
    assert completed.code == 0, completed.output
    assert completed.run.changes["create"] == 0


def test_an_unreachable_cluster_is_one_clear_line(project: Project, kubeconfig: str) -> None:
    document = json.loads(kubeconfig)
    document["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    project.point_to(json.dumps(document))
    failed = project.up({"settings": core("ConfigMap", "default", "settings", data={})})
    assert failed.code
    assert "cluster is unreachable" in failed.reasons
    assert "127.0.0.1:1" in failed.reasons
    assert "connection refused" in failed.reasons
    assert len(failed.reasons.splitlines()) == 1


def test_a_wait_ends_when_its_field_has_the_value(
    project: Project, space: str, kubectl: Kubectl
) -> None:
    annotations = {
        "pulumi.com/waitFor": "jsonpath={.data.state}=done",
        "pulumi.com/timeoutSeconds": "60",
    }
    job = core(
        "ConfigMap", space, "job", metadata={"annotations": annotations}, data={"state": "begun"}
    )
    change = ("patch", "configmap", "job", "-n", space, "-p", '{"data": {"state": "done"}}')

    def finish() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if "job" in kubectl("get", "configmaps", "-n", space, "-o", "name"):
                kubectl(*change)
                return
            time.sleep(0.2)

    finisher = threading.Thread(target=finish)
    finisher.start()
    made = project.up({"job": job})
    finisher.join()
    assert made.code == 0, made.output
    assert project.state()["job"]["outputs"]["data"] == {"state": "done"}


def test_a_declared_field_is_taken_back(project: Project, space: str, kubectl: Kubectl) -> None:
    labels = {"labels": {"colour": "red"}}
    declared = {"shared": core("ConfigMap", space, "shared", metadata=labels, data={"a": "b"})}
    assert project.up(declared).code == 0
    kubectl(
        "label", "configmap", "shared", "-n", space, "colour=blue",
        "--overwrite", "--field-manager=theirs",
    )  # fmt: skip
    seen = project.update("preview", "--refresh")
    assert seen.code == 0, seen.output
    assert seen.run.changes["update"] == 1
    taken = project.update("up", "--refresh", "--yes", "--skip-preview")
    assert taken.code == 0, taken.output
    shown = json.loads(kubectl("get", "configmap", "shared", "-n", space, "-o", "json"))
    assert shown["metadata"]["labels"]["colour"] == "red"


def test_an_object_that_exists_is_not_taken_over(
    project: Project, space: str, kubectl: Kubectl
) -> None:
    kubectl("create", "configmap", "theirs", "-n", space, "--from-literal=a=b")
    refused = project.up({"theirs": core("ConfigMap", space, "theirs", data={"a": "c"})})
    assert refused.code
    assert 'configmaps "theirs" already exists' in refused.reasons
    shown = json.loads(kubectl("get", "configmap", "theirs", "-n", space, "-o", "json"))
    assert shown["data"] == {"a": "b"}
