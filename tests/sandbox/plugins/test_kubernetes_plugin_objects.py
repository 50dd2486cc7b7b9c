"""The kubernetes plugin against a real API server: create, update, refresh, import, delete."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.plugins.provider import UNKNOWN, PartialFailure, PluginError, Secret
from tests.sandbox.plugins.kubernetes_plugin_harness import Engine, Resource, token_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("plugins-cluster")]
Json = dict[str, Any]
Kubectl = Callable[..., str]
NAMESPACE = token_of("v1", "Namespace")
CONFIG_MAP = token_of("v1", "ConfigMap")
SECRET = token_of("v1", "Secret")
SERVICE = token_of("v1", "Service")
DEPLOYMENT = token_of("apps/v1", "Deployment")
JOB = token_of("batch/v1", "Job")


@pytest.fixture(scope="module")
def engines(kubeconfig: str) -> Iterator[Callable[..., Engine]]:
    """Makes engines with settings of their own."""
    made: list[Engine] = []

    def make(**settings: Any) -> Engine:
        made.append(Engine(Secret(kubeconfig), **settings))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


@pytest.fixture(scope="module")
def engine(engines: Callable[..., Engine]) -> Engine:
    return engines()


@pytest.fixture
def space(engine: Engine) -> Iterator[str]:
    """A namespace for one test."""
    # Nobody waits for it to be gone: that takes Kubernetes some seconds.
    skip = {"annotations": {"pulumi.com/skipAwait": "true"}}
    made = engine.create(NAMESPACE, "space", {"metadata": skip})
    yield made.id
    engine.delete(made)


def deployment(space: str, *, image: str = "server:1", name: str = "app", **spec: Any) -> Json:
    pod = {"labels": {"app": name}}
    if annotations := spec.pop("pod_annotations", None):
        pod["annotations"] = annotations
    container = {"name": "app", "image": image, "ports": [{"containerPort": 8501}]}
    container |= spec.pop("container", {})
    return {
        "metadata": {"name": name, "namespace": space},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": pod,
                "spec": {"containers": [container]},
            },
            **spec,
        },
    }


def live(kubectl: Kubectl, kind: str, resource_id: str) -> Json:
    namespace, _, name = resource_id.rpartition("/")
    where = ["-n", namespace] if namespace else []
    found: Json = json.loads(
        kubectl("get", kind, name, *where, "-o", "json", "--show-managed-fields")
    )
    return found


def test_an_object_without_a_name_gets_a_generated_one(engine: Engine, space: str) -> None:
    made = engine.create(CONFIG_MAP, "settings", {"metadata": {"namespace": space}})
    name = made.plain["metadata"]["name"]
    assert made.id == f"{space}/{name}"
    prefix, _, suffix = name.rpartition("-")
    assert prefix == "settings"
    assert len(suffix) == 8
    int(suffix, 16)
    kept = engine.checked(CONFIG_MAP, "settings", {"metadata": {"namespace": space}}, made.inputs)
    assert kept["metadata"]["name"] == name


def test_the_default_namespace_is_the_providers(engines: Callable[..., Engine]) -> None:
    engine = engines(namespace="elsewhere")
    assert engine.checked(CONFIG_MAP, "a", {})["metadata"]["namespace"] == "elsewhere"
    assert "namespace" not in engine.checked(NAMESPACE, "a", {})["metadata"]


def test_outputs_are_the_live_object(engine: Engine, space: str, kubectl: Kubectl) -> None:
    made = engine.create(DEPLOYMENT, "app", deployment(space, replicas=2))
    seen = live(kubectl, "deployment", made.id)
    assert made.plain["metadata"]["uid"] == seen["metadata"]["uid"]
    assert made.plain["spec"] == seen["spec"]
    assert made.plain["status"]["availableReplicas"] == 2


def test_the_same_inputs_have_no_diff(engine: Engine, space: str) -> None:
    news = deployment(space, container={"resources": {"requests": {"cpu": "1000m"}}})
    made = engine.create(DEPLOYMENT, "app", news)
    assert not engine.diff(made, news).changes
    seen = engine.refresh(made)
    assert seen is not None
    assert seen.inputs == made.inputs
    assert not engine.diff(seen, news).changes


def test_a_preview_shows_the_servers_defaults(engine: Engine, space: str) -> None:
    shown = engine.preview(DEPLOYMENT, "app", deployment(space))
    assert shown["spec"]["replicas"] == 1
    assert shown["status"] is UNKNOWN
    assert shown["metadata"]["uid"] is UNKNOWN
    service = {
        "metadata": {"name": "s", "namespace": space},
        "spec": {"type": "NodePort", "ports": [{"port": 80}]},
    }
    engine.said.clear()
    shown = engine.preview(SERVICE, "s", service)
    assert engine.said == []
    assert shown["spec"]["clusterIP"] is UNKNOWN
    assert shown["spec"]["ports"][0]["nodePort"] is UNKNOWN
    assert shown["spec"]["ports"][0]["port"] == 80


def test_a_preview_in_a_future_namespace_is_accepted(engine: Engine) -> None:
    shown = engine.preview(CONFIG_MAP, "a", {"metadata": {"namespace": "to-come"}})
    assert shown["metadata"]["namespace"] == "to-come"


def test_a_preview_of_a_future_kind_is_accepted_with_a_message(engine: Engine) -> None:
    token = token_of("example.com/v1", "Widget")
    news = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}
    assert engine.preview(token, "w", news)["metadata"]["name"] == "w"
    assert any("no kind Widget" in text for text in engine.said)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"replicas": "many"}, "replicas"),
        ({"replics": 2}, ".spec.replics: field not declared"),
        ({"replicas": -1}, "spec.replicas"),
    ],
)
def test_server_errors_are_shown_in_the_preview(
    engine: Engine, space: str, change: Json, words: str
) -> None:
    news = deployment(space, **change)
    with pytest.raises(PluginError) as caught:
        engine.preview(DEPLOYMENT, "app", news)
    assert words in str(caught.value)
    assert str(caught.value).startswith("Deployment app: ")
    assert "\n" not in str(caught.value)


def test_labels_that_are_not_strings_are_named(engine: Engine) -> None:
    result = engine.check(CONFIG_MAP, "a", {"metadata": {"labels": {"a.b/c": 1}}})
    assert [failure.property for failure in result.failures] == ['metadata.labels["a.b/c"]']


def test_an_existing_object_is_not_overwritten(
    engine: Engine, space: str, kubectl: Kubectl
) -> None:
    kubectl("create", "configmap", "theirs", "-n", space, "--from-literal=a=b")
    news = {"metadata": {"name": "theirs", "namespace": space}, "data": {"a": "c"}}
    engine.said.clear()
    engine.preview(CONFIG_MAP, "theirs", news)
    assert any("exists already" in text for text in engine.said)
    with pytest.raises(PluginError, match=r"exists already.*pulumi import"):
        engine.create(CONFIG_MAP, "theirs", news)
    assert live(kubectl, "configmap", f"{space}/theirs")["data"] == {"a": "b"}
    kubectl("delete", "configmap", "theirs", "-n", space)


def test_an_interrupted_create_is_completed(engine: Engine, space: str) -> None:
    news = {"metadata": {"name": "mine", "namespace": space}, "data": {"a": "b"}}
    first = engine.create(CONFIG_MAP, "mine", news)  # and its state was lost
    again = engine.create(CONFIG_MAP, "mine", news)
    assert again.plain["metadata"]["uid"] == first.plain["metadata"]["uid"]


def test_an_update_removes_fields_that_are_no_longer_declared(
    engine: Engine, space: str, kubectl: Kubectl
) -> None:
    news = deployment(space)
    news["metadata"]["labels"] = {"team": "vision", "tier": "gold"}
    made = engine.create(DEPLOYMENT, "app", news)
    news["metadata"]["labels"] = {"team": "vision"}
    diff = engine.diff(made, news)
    assert diff.detailed == {"metadata.labels.tier": "delete"}
    assert not diff.replaces
    engine.update(made, news)
    assert live(kubectl, "deployment", made.id)["metadata"]["labels"] == {"team": "vision"}


def test_drift_is_found_and_reverted(engine: Engine, space: str, kubectl: Kubectl) -> None:
    news = deployment(space)
    made = engine.create(DEPLOYMENT, "app", news)
    kubectl("set", "image", "deployment/app", "app=other:2", "-n", space)
    kubectl("label", "deployment", "app", "colour=blue", "-n", space)
    seen = engine.refresh(made)
    assert seen is not None
    image = "spec.template.spec.containers[0].image"
    assert engine.diff(seen, news).detailed == {image: "update"}
    previewed = engine.update(seen, news, preview=True)
    assert previewed.plain["spec"]["template"]["spec"]["containers"][0]["image"] == "server:1"
    engine.update(seen, news)
    now = live(kubectl, "deployment", made.id)
    assert now["spec"]["template"]["spec"]["containers"][0]["image"] == "server:1"
    assert now["metadata"]["labels"] == {"colour": "blue"}


def test_a_conflicting_field_manager_is_reported(
    engine: Engine, space: str, kubectl: Kubectl
) -> None:
    made = engine.create(DEPLOYMENT, "app", deployment(space))
    kubectl("label", "deployment", "app", "colour=blue", "-n", space)
    news = deployment(space)
    news["metadata"]["labels"] = {"colour": "red"}
    theirs = r"\.metadata\.labels\.colour belongs to kubectl-label.*patchForce"
    for preview in (True, False):
        with pytest.raises(PluginError, match=theirs):
            engine.update(made, news, preview=preview)
    news["metadata"]["annotations"] = {"pulumi.com/patchForce": "true"}
    engine.update(made, news)
    assert live(kubectl, "deployment", made.id)["metadata"]["labels"] == {"colour": "red"}


def test_undeclared_replicas_are_left_to_the_autoscaler(
    engine: Engine, space: str, kubectl: Kubectl
) -> None:
    made = engine.create(DEPLOYMENT, "app", deployment(space))
    kubectl("scale", "deployment", "app", "--replicas=3", "-n", space)
    seen = engine.refresh(made)
    assert seen is not None
    changed = deployment(space, image="server:2")
    assert list(engine.diff(seen, changed).detailed) == ["spec.template.spec.containers[0].image"]
    engine.update(seen, changed)
    assert live(kubectl, "deployment", made.id)["spec"]["replicas"] == 3


def test_ignored_fields_are_left_to_other_managers(
    engine: Engine, space: str, kubectl: Kubectl
) -> None:
    made = engine.create(DEPLOYMENT, "app", deployment(space, replicas=1))
    kubectl("scale", "deployment", "app", "--replicas=2", "-n", space)
    changed = deployment(space, replicas=1, image="server:2")
    engine.update(made, changed, ignored=["spec.replicas"])
    assert live(kubectl, "deployment", made.id)["spec"]["replicas"] == 2


def test_a_changed_selector_replaces(engine: Engine, space: str) -> None:
    made = engine.create(DEPLOYMENT, "app", deployment(space))
    changed = deployment(space)
    changed["spec"]["selector"]["matchLabels"] = {"app": "app", "more": "x"}
    changed["spec"]["template"]["metadata"]["labels"] = {"app": "app", "more": "x"}
    diff = engine.diff(made, changed)
    assert diff.replaces == ["spec.selector.matchLabels.more"]
    assert diff.delete_before_replace
    # The engine previews the replacement while the old object is still there.
    assert engine.preview(DEPLOYMENT, "app", changed)["spec"]["selector"]["matchLabels"]["more"]


def test_fields_that_the_server_reports_as_immutable_replace(engine: Engine, space: str) -> None:
    token = token_of("v1", "PersistentVolumeClaim")
    news: Json = {
        "metadata": {"name": "c", "namespace": space,
                     "annotations": {"pulumi.com/skipAwait": "true"}},
        "spec": {"accessModes": ["ReadWriteOnce"],
                 "resources": {"requests": {"storage": "2Gi"}}},
    }  # fmt: skip
    made = engine.create(token, "c", news)
    news["spec"]["dataSource"] = {"kind": "PersistentVolumeClaim", "name": "other"}
    diff = engine.diff(made, news)
    assert diff.replaces
    assert diff.delete_before_replace


def test_changed_config_map_data_replaces_by_default(
    engine: Engine, space: str, engines: Callable[..., Engine]
) -> None:
    news = {"metadata": {"namespace": space}, "data": {"a": "b"}}
    made = engine.create(CONFIG_MAP, "settings", news)
    diff = engine.diff(made, {**news, "data": {"a": "c"}})
    assert diff.replaces == ["data.a"]
    assert not diff.delete_before_replace
    mutable = engines(enableConfigMapMutable="true")
    assert not mutable.diff(made, {**news, "data": {"a": "c"}}).replaces


def test_secrets_stay_secret(engine: Engine, space: str) -> None:
    hidden = "hush-hush-hush"
    made = engine.create(
        SECRET,
        "s",
        {
            "metadata": {"namespace": space, "annotations": {"note": f"it is {hidden}"}},
            "stringData": {"password": Secret(hidden)},
        },
    )
    encoded = base64.b64encode(hidden.encode()).decode()
    assert made.plain["data"]["password"] == encoded
    for document in (made.outputs, made.inputs):
        shown = repr(document)
        assert encoded not in shown
    assert hidden not in repr(made.outputs)
    seen = engine.refresh(made)
    assert seen is not None
    assert hidden not in repr(seen)
    assert encoded not in repr(seen)
    assert not engine.diff(seen, {
        "metadata": {"namespace": space, "annotations": {"note": f"it is {hidden}"}},
        "stringData": {"password": Secret(hidden)},
    }).changes  # fmt: skip


def test_a_secret_in_a_pods_environment_stays_secret(engine: Engine, space: str) -> None:
    variable = {"name": "KEY", "value": Secret("hush-hush-hush")}
    made = engine.create(DEPLOYMENT, "app", deployment(space, container={"env": [variable]}))
    assert "hush-hush-hush" not in repr(made.outputs)
    environment = made.plain["spec"]["template"]["spec"]["containers"][0]["env"]
    assert environment == [{"name": "KEY", "value": "hush-hush-hush"}]


def test_a_refusal_does_not_repeat_secrets(engine: Engine, space: str) -> None:
    news = {"metadata": {"namespace": space, "labels": {"l": Secret("hush hush hush!")}}}
    with pytest.raises(PluginError) as caught:
        engine.preview(CONFIG_MAP, "c", news)
    assert "hush" not in str(caught.value)
    assert "[secret]" in str(caught.value)


def test_a_refresh_finds_a_deleted_object(engine: Engine, space: str, kubectl: Kubectl) -> None:
    made = engine.create(CONFIG_MAP, "a", {"metadata": {"namespace": space}})
    kubectl("delete", "configmap", made.id.partition("/")[2], "-n", space)
    assert engine.refresh(made) is None
    engine.delete(made)


def test_an_import_reads_the_last_applied_configuration(
    engine: Engine, space: str, kubectl: Kubectl
) -> None:
    given = {"apiVersion": "apps/v1", "kind": "Deployment", **deployment(space, replicas=1)}
    kubectl("apply", "-f", "-", given=given)
    found = engine.imported(DEPLOYMENT, "app", f"{space}/app")
    assert found is not None
    assert found.inputs == given
    changed = deployment(space, replicas=1, image="server:2")
    assert not engine.diff(found, deployment(space, replicas=1)).changes
    engine.update(found, changed)
    spec = live(kubectl, "deployment", found.id)["spec"]["template"]["spec"]
    assert spec["containers"][0]["image"] == "server:2"


def test_an_import_reads_the_fields_of_a_server_side_apply(
    engine: Engine, space: str, kubectl: Kubectl
) -> None:
    given = {"apiVersion": "apps/v1", "kind": "Deployment", **deployment(space, replicas=1)}
    given["metadata"]["labels"] = {"a.b/c": "d"}
    kubectl("apply", "--server-side", "-f", "-", given=given)
    found = engine.imported(DEPLOYMENT, "app", f"{space}/app")
    assert found is not None
    assert not engine.diff(found, given).changes


def test_a_patch_sets_and_releases_its_fields(engine: Engine, space: str, kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "theirs", "-n", space, "--from-literal=a=b")
    patch = engine.create(
        "kubernetes:core/v1:ConfigMapPatch",
        "patch",
        {"apiVersion": "v1", "kind": "ConfigMap",
         "metadata": {"name": "theirs", "namespace": space}, "data": {"c": "d"}},
    )  # fmt: skip
    assert live(kubectl, "configmap", patch.id)["data"] == {"a": "b", "c": "d"}
    engine.delete(patch)
    assert live(kubectl, "configmap", patch.id)["data"] == {"a": "b"}


def test_a_custom_resource_follows_its_definition(engine: Engine, kubectl: Kubectl) -> None:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    definition = engine.create(
        token_of("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        "gadgets",
        {
            "metadata": {"name": "gadgets.example.com"},
            "spec": {
                "group": "example.com",
                "scope": "Cluster",
                "names": {"kind": "Gadget", "plural": "gadgets"},
                "versions": [
                    {"name": "v1", "served": True, "storage": True,
                     "schema": {"openAPIV3Schema": schema}}
                ],
            },
        },
    )  # fmt: skip
    token = token_of("example.com/v1", "Gadget")
    gadget = engine.create(token, "g", {"metadata": {"name": "g"}, "spec": {"size": 3}})
    assert gadget.id == "g"
    assert gadget.plain["spec"] == {"size": 3}
    engine.delete(definition)
    assert engine.refresh(gadget) is None
    engine.delete(gadget)


def test_wait_for_is_respected(engine: Engine, kubectl: Kubectl, space: str) -> None:
    annotations = {"pulumi.com/waitFor": "jsonpath={.data.state}=done"}
    news = {
        "metadata": {"name": "job", "namespace": space, "annotations": annotations},
        "data": {"state": "begun"},
    }
    change = ("patch", "configmap", "job", "-n", space, "-p", '{"data": {"state": "done"}}')
    timer = threading.Timer(1.0, kubectl, change)
    timer.start()
    made = engine.create(CONFIG_MAP, "job", news)
    timer.join()
    assert live(kubectl, "configmap", made.id)["data"] == {"state": "done"}


def test_a_generated_name_is_kept(engine: Engine, space: str) -> None:
    news = {"metadata": {"generateName": "g-", "namespace": space}, "data": {"a": "b"}}
    made = engine.create(CONFIG_MAP, "g", news)
    assert made.id.startswith(f"{space}/g-")
    news["metadata"]["labels"] = {"x": "y"}  # type: ignore[assignment]
    changed = engine.update(made, news)
    assert changed.plain["metadata"]["name"] == made.plain["metadata"]["name"]


def test_a_preview_with_unknowns_keeps_server_values(engine: Engine, space: str) -> None:
    news = {
        "metadata": {"name": "s", "namespace": space},
        "spec": {"ports": [{"port": 80}]},
    }
    made = engine.create(SERVICE, "s", news)
    shown = engine.update(made, {**news, "spec": {"ports": [{"port": UNKNOWN}]}}, preview=True)
    assert shown.plain["spec"]["clusterIP"] == made.plain["spec"]["clusterIP"]
    assert shown.plain["spec"]["ports"] == [{"port": UNKNOWN}]
    assert shown.plain["metadata"]["uid"] == made.plain["metadata"]["uid"]


# Waiting.


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"image": "registry.example/does-not-exist:1"}, "ImagePullBackOff"),
        ({"pod_annotations": {"kwok.x-k8s.io/failure": "crash-loop"}}, "CrashLoopBackOff"),
        ({"container": {"resources": {"requests": {"cpu": "99"}}}}, "Insufficient cpu"),
    ],
)
def test_a_failed_rollout_is_explained_and_kept(
    engine: Engine, space: str, spec: Json, words: str
) -> None:
    with pytest.raises(PartialFailure) as caught:
        engine.create(DEPLOYMENT, "app", deployment(space, **spec), timeout=3)
    assert caught.value.id == f"{space}/app"
    assert caught.value.outputs["metadata"]["uid"]
    assert any(words in reason for reason in caught.value.reasons), caught.value.reasons


def test_the_wait_ends_at_the_deadline(engine: Engine, space: str) -> None:
    news = deployment(space, image="does-not-exist", progressDeadlineSeconds=2)
    with pytest.raises(PartialFailure, match="progress"):
        engine.create(DEPLOYMENT, "app", news, timeout=60)


def test_an_exhausted_quota_is_named(engine: Engine, space: str) -> None:
    quota = {"metadata": {"namespace": space}, "spec": {"hard": {"pods": "1"}}}
    engine.create(token_of("v1", "ResourceQuota"), "q", quota)
    with pytest.raises(PartialFailure, match="exceeded quota"):
        engine.create(DEPLOYMENT, "app", deployment(space, replicas=3), timeout=4)


def test_the_next_update_completes_a_failed_one(
    engine: Engine, space: str, kubectl: Kubectl
) -> None:
    bad = deployment(space, image="does-not-exist", progressDeadlineSeconds=2)
    with pytest.raises(PartialFailure) as caught:
        engine.create(DEPLOYMENT, "app", bad, timeout=60)
    inputs = engine.checked(DEPLOYMENT, "app", bad)
    kept = Resource(DEPLOYMENT, "app", caught.value.id, inputs, caught.value.outputs)
    made = engine.update(kept, deployment(space))
    assert made.plain["status"]["availableReplicas"] == 1


def test_a_cancel_ends_the_wait_at_once(engines: Callable[..., Engine], space: str) -> None:
    engine = engines()
    timer = threading.Timer(1, engine.provider.cancelled.set)
    timer.start()
    begun = time.monotonic()
    with pytest.raises(PartialFailure, match="cancelled"):
        engine.create(DEPLOYMENT, "app", deployment(space, image="does-not-exist"), timeout=60)
    assert time.monotonic() - begun < 3
    timer.join()


def test_skip_await_is_respected(engine: Engine, space: str) -> None:
    news = deployment(space, image="does-not-exist")
    news["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
    begun = time.monotonic()
    engine.create(DEPLOYMENT, "app", news)
    assert time.monotonic() - begun < 3


def test_a_service_is_awaited_until_it_has_ready_pods(engine: Engine, space: str) -> None:
    news = {
        "metadata": {"name": "s", "namespace": space},
        "spec": {"selector": {"app": "app"}, "ports": [{"port": 80}]},
    }
    with pytest.raises(PartialFailure, match="no ready pod has the labels app=app"):
        engine.create(SERVICE, "s", news, timeout=1)
    engine.create(DEPLOYMENT, "app", deployment(space))
    made = engine.create(SERVICE, "s", news)
    assert made.plain["spec"]["clusterIP"]


def test_a_load_balancer_is_awaited_until_it_has_an_address(engine: Engine, space: str) -> None:
    news = {
        "metadata": {"name": "s", "namespace": space},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    }
    with pytest.raises(PartialFailure, match="no address yet"):
        engine.create(SERVICE, "s", news, timeout=1)


def test_a_job_is_awaited_to_its_end(engine: Engine, space: str) -> None:
    def job(name: str, annotations: Json) -> Json:
        pod = {"restartPolicy": "Never", "containers": [{"name": "j", "image": "j"}]}
        return {
            "metadata": {"name": name, "namespace": space},
            "spec": {
                "backoffLimit": 0,
                "template": {"metadata": {"annotations": annotations}, "spec": pod},
            },
        }

    made = engine.create(JOB, "good", job("good", {}))
    assert made.plain["status"]["succeeded"] == 1
    with pytest.raises(PartialFailure, match="backoff limit"):
        engine.create(JOB, "bad", job("bad", {"kwok.x-k8s.io/failure": "job"}))


def test_a_blocked_delete_names_the_finalizers(
    engine: Engine, space: str, kubectl: Kubectl
) -> None:
    news = {"metadata": {"name": "held", "namespace": space, "finalizers": ["example.com/hold"]}}
    made = engine.create(CONFIG_MAP, "held", news)
    with pytest.raises(PluginError, match=r"ConfigMap held: not gone after 1 s.*example\.com/hold"):
        engine.delete(made, timeout=1)
    kubectl(
        "patch", "configmap", "held", "-n", space, "--type=merge",
        "-p", '{"metadata":{"finalizers":null}}',
    )  # fmt: skip
    engine.delete(made)


def test_deleting_a_deployment_deletes_its_pods(
    engine: Engine, space: str, kubectl: Kubectl
) -> None:
    made = engine.create(DEPLOYMENT, "app", deployment(space, replicas=2))
    engine.delete(made)
    assert json.loads(kubectl("get", "pods", "-n", space, "-o", "json"))["items"] == []
