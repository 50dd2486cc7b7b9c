"""The kubernetes plugin's pure parts: differences, paths, conflicts, drift, secrets, imports."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sandbox.plugins.kubernetes import conflicts, immutable, names, ownership, paths, shape
from sandbox.plugins.kubernetes.client import ApiError
from sandbox.plugins.values import Secret, reveal

Json = dict[str, Any]
VALUES = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(VALUES)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    assert list(shape.differences(value, value)) == []


@given(st.dictionaries(st.text(max_size=3), VALUES), st.dictionaries(st.text(max_size=3), VALUES))
def test_different_values_differ(old: Json, new: Json) -> None:
    assert bool(list(shape.differences(old, new))) == (old != new)


@given(st.lists(st.text(max_size=5) | st.integers(0, 9), min_size=1, max_size=4))
@example(["]"])
@example(['"\\'])
def test_paths_are_parsed_as_they_are_written(steps: list[str | int]) -> None:
    steps = ["spec", *steps]
    text = ""
    for step in steps:
        text = f"{text}[{step}]" if isinstance(step, int) else shape.below(text, step)
    assert paths.parsed(text) == steps


def test_a_path_is_removed() -> None:
    document = {"spec": {"a": [{"x": 1, "y": 2}, {"x": 3}], "b": 1}}
    assert paths.removed(document, ["spec", "b"]) == {"spec": {"a": document["spec"]["a"]}}
    assert paths.removed(document, ["spec", "a", 0, "x"])["spec"]["a"] == [{"y": 2}, {"x": 3}]
    assert paths.removed(document, ["spec", "a", "*", "x"])["spec"]["a"] == [{"y": 2}, {}]
    assert paths.removed(document, ["spec", "absent", "c"]) is document


# Drift.


def test_normalized_values_are_no_drift() -> None:
    inputs = {"cpu": "1000m", "list": ["a"]}
    before = {"cpu": "1", "list": ["a"], "default": 3}
    assert shape.refreshed(inputs, before, {**before, "default": 4}) == inputs


def test_drift_is_written_to_the_inputs_that_drifted() -> None:
    inputs = {"cpu": "1000m", "image": "a", "gone": 1}
    before = {"cpu": "1", "image": "a", "gone": 1}
    now = {"cpu": "1", "image": "b", "more": 2}
    assert shape.refreshed(inputs, before, now) == {"cpu": "1000m", "image": "b"}


def test_write_only_values_are_kept() -> None:
    inputs = {"stringData": {"a": "b"}}
    assert shape.refreshed(inputs, {"data": {"a": "Yg=="}}, {"data": {"a": "Yg=="}}) == inputs


def test_drift_of_a_secret_stays_secret() -> None:
    inputs = {"env": [{"name": "A", "value": Secret("hush-hush")}]}
    before = reveal(inputs)
    now = {"env": [{"name": "B", "value": "x"}, {"name": "A", "value": "hush-hush"}]}
    seen = shape.refreshed(inputs, before, now)
    assert reveal(seen) == now
    assert "hush-hush" not in repr(seen)


@given(st.text(alphabet="abcdefgh", min_size=5), st.text(), st.text())
def test_a_secret_is_marked_wherever_it_appears(secret: str, before: str, after: str) -> None:
    live = {"data": {"a": secret}, "metadata": {"annotations": {"x": before + secret + after}}}
    sealed = shape.sealed({"data": {"a": Secret(secret)}}, live)
    assert reveal(sealed) == live
    assert isinstance(sealed["data"]["a"], Secret)
    assert isinstance(sealed["metadata"]["annotations"]["x"], Secret)


def test_a_message_is_masked() -> None:
    text = shape.masked('invalid value "hush-hush"', {"a": [Secret({"b": "hush-hush"})]})
    assert text == 'invalid value "[secret]"'


# Conflicts.


def conflict(field: str, owner: str) -> ApiError:
    cause = {"field": field, "message": f'conflict with "{owner}" using apps/v1'}
    return ApiError(409, {"reason": "Conflict", "details": {"causes": [cause]}})


BEFORE = {
    "metadata": {"labels": {"app.kubernetes.io/name": "a"}},
    "spec": {
        "replicas": 2,
        "template": {"spec": {"containers": [{"name": "app", "ports": [{"containerPort": 80}]}]}},
    },
}


@pytest.mark.parametrize(
    ("field", "owner", "ours"),
    [
        (".spec.replicas", "kubectl", True),
        (".spec.replicas", "kube-controller-manager", False),
        (".spec.paused", "kubectl", False),
        (".metadata.labels.app.kubernetes.io/name", "kubectl-label", True),
        (".metadata.labels.app", "kubectl-label", False),
        ('.spec.template.spec.containers[name="app"].name', "kubectl", True),
        ('.spec.template.spec.containers[name="app"].image', "kubectl", False),
        ('.spec.template.spec.containers[name="other"].name', "kubectl", False),
        (
            '.spec.template.spec.containers[name="app"].ports'
            '[containerPort=80,protocol="TCP"].containerPort',
            "kubectl",
            True,
        ),
    ],
)
def test_only_previously_declared_fields_are_removed(field: str, owner: str, ours: bool) -> None:
    found = conflicts.of(conflict(field, owner))
    assert [(c.field, c.owner) for c in found] == [(field, owner)]
    assert conflicts.are_ours(found, BEFORE) == ours


def test_fields_of_an_autoscaler_are_not_reverted() -> None:
    found = conflicts.of(conflict(".spec.replicas", "kube-controller-manager"))
    assert "ignoreChanges" in conflicts.advice(found)


def test_other_errors_are_no_conflicts() -> None:
    assert conflicts.of(ApiError(409, {"reason": "AlreadyExists"})) == []
    assert not conflicts.are_ours([], BEFORE)


# Replacement.


@pytest.mark.parametrize(
    ("api_version", "kind", "path", "replaced"),
    [
        ("v1", "Namespace", "metadata.name", True),
        ("v1", "Namespace", "metadata.labels.a", False),
        ("apps/v1", "Deployment", "spec.selector.matchLabels.app", True),
        ("apps/v1", "Deployment", "spec.template.metadata.labels.app", False),
        ("apps/v1", "StatefulSet", "spec.volumeClaimTemplates[0].spec", True),
        ("apps/v1", "StatefulSet", "spec.replicas", False),
        ("batch/v1", "Job", "spec.template.spec.containers[0].image", True),
        ("batch/v1", "CronJob", "spec.schedule", False),
        ("v1", "Pod", "spec.containers[0].image", False),
        ("v1", "Pod", "spec.containers[0].args[0]", True),
        ("v1", "Service", "spec.clusterIP", True),
        ("v1", "Service", "spec.type", False),
        ("v1", "Secret", "type", True),
        ("v1", "Secret", "data.a", True),
        ("v1", "ConfigMap", "data", True),
        ("v1", "PersistentVolumeClaim", "spec.storageClassName", True),
        ("v1", "PersistentVolumeClaim", "spec.resources.requests.storage", False),
        ("rbac.authorization.k8s.io/v1", "RoleBinding", "roleRef.name", True),
        ("rbac.authorization.k8s.io/v1", "RoleBinding", "subjects[0].name", False),
        ("storage.k8s.io/v1", "StorageClass", "provisioner", True),
        ("policy/v1", "PodDisruptionBudget", "spec.maxUnavailable", False),
    ],
)
def test_the_fields_that_replace_are_those_of_the_official_provider(
    api_version: str, kind: str, path: str, replaced: bool
) -> None:
    inputs = {"apiVersion": api_version, "kind": kind}
    assert immutable.replaces(inputs, path) == replaced


@pytest.mark.parametrize("message", [
    "Invalid value: \"x\": field is immutable",
    "Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden",
    "Forbidden: pod updates may not change fields other than `spec.containers[*].image`",
    "Forbidden: spec is immutable after creation except resources.requests",
])  # fmt: skip
def test_the_servers_messages_about_immutable_fields_are_recognized(message: str) -> None:
    details = {"causes": [{"field": "spec.x", "message": message}]}
    assert immutable.refused_fields(422, details) == ["spec.x"]
    assert immutable.refused_fields(400, details) == []
    other = {"causes": [{"field": "spec.x", "message": "must be greater than 0"}]}
    assert immutable.refused_fields(422, other) == []


# Names.


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("kubernetes:core/v1:Namespace", ("v1", "Namespace")),
        ("kubernetes:apps/v1:Deployment", ("apps/v1", "Deployment")),
        ("kubernetes:networking.k8s.io/v1:Ingress", ("networking.k8s.io/v1", "Ingress")),
    ],
)
def test_tokens_name_their_kind(token: str, kind: tuple[str, str]) -> None:
    assert names.kind_of(token) == kind


def test_a_generated_name_is_deterministic_in_a_plan() -> None:
    urn = "urn:pulumi:dev::p::kubernetes:core/v1:ConfigMap::settings"
    first = names.with_name({}, None, urn, b"seed")
    assert names.with_name({}, None, urn, b"seed") == first
    assert names.with_name({}, None, urn, b"")["name"] != first["name"]


# Imports.


def test_an_import_reads_fields_set_by_kubectl() -> None:
    live = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "a",
            "namespace": "n",
            "uid": "u",
            "labels": {"x": "y"},
            "annotations": {"deployment.kubernetes.io/revision": "1"},
            "managedFields": [
                {
                    "manager": "kubectl-client-side-apply",
                    "fieldsV1": {
                        "f:metadata": {"f:labels": {".": {}, "f:x": {}}},
                        "f:spec": {
                            "f:template": {
                                "f:containers": {'k:{"name":"app"}': {".": {}, "f:name": {}}},
                                "f:finalizers": {'v:"keep"': {}},
                            }
                        },
                    },
                },
                {"manager": "kube-controller-manager", "fieldsV1": {"f:spec": {"f:drawn": {}}}},
                {"manager": "hpa", "subresource": "scale", "fieldsV1": {"f:spec": {"f:r": {}}}},
            ],
        },
        "spec": {
            "drawn": 1,
            "r": 2,
            "template": {
                "containers": [{"name": "app", "policy": "Always"}, {"name": "injected"}],
                "finalizers": ["keep", "theirs"],
            },
        },
        "status": {"ready": True},
    }
    assert ownership.imported(live) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "n", "labels": {"x": "y"}},
        "spec": {"template": {"containers": [{"name": "app"}], "finalizers": ["keep"]}},
    }


def test_an_import_without_managed_fields_omits_server_fields() -> None:
    live = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "uid": "u", "resourceVersion": "1"},
        "data": {"a": "b"},
    }
    assert ownership.imported(live) == {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "b"},
    }  # fmt: skip
