"""What drift reports, from what the engine says of a refresh and of the plan after it."""

from __future__ import annotations

from typing import Any

import pytest

from cli.drift import findings, report
from cli.drift.values import ABSENT, at, differing, parsed, same, written
from cli.steps import MASKED, Refresh, Step

OWN = "pulumi-kubernetes-1"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SPEC = {
    "replicas": 3,
    "template": {"spec": {"containers": [{"name": "m", "image": "a", "args": ["--one"]}]}},
}


def _refresh(kind: str, inputs: Any, found: Any, **others: Any) -> Refresh:
    given = {"outputs": inputs, "is_gone": False, "found_inputs": found} | others
    return Refresh(
        urn=f"urn::{kind}::one", type=kind, id="one", inputs=inputs, found=found, **given
    )


def _step(kind: str, op: str, *differs: str) -> Step:
    return Step(op=op, urn=f"urn::{kind}::one", type=kind, differs=differs)


def _live(spec: Any, manager: str, fields: Any, subresource: str = "") -> dict[str, Any]:
    entry = {"manager": manager, "time": "2026-11-27T02:00:00Z", "fieldsV1": fields}
    if subresource:
        entry["subresource"] = subresource
    return {"__fieldManager": OWN, "metadata": {"managedFields": [entry]}, "spec": spec}


def _of_container(name: str, key: str) -> dict[str, Any]:
    container: dict[str, Any] = {f'k:{{"name":"{name}"}}': {f"f:{key}": {}}}
    return {"f:spec": {"f:template": {"f:spec": {"f:containers": container}}}}


def _values(refresh: Refresh, *steps: Step) -> dict[str, tuple[Any, Any, bool]]:
    layer = findings.found([refresh], steps)
    return {
        value.path: (value.declared, value.found, value.repaired)
        for one in layer.findings
        for value in one.values
    }


def test_a_changed_field_names_its_writer() -> None:
    live = _live({**SPEC, "replicas": 4}, "kubectl", {"f:spec": {"f:replicas": {}}}, "scale")
    seen = _refresh(DEPLOYMENT, {"spec": SPEC}, live)
    layer = findings.found([seen], [_step(DEPLOYMENT, "update")])
    [value] = layer.findings[0].values
    assert (value.path, value.declared, value.found, value.repaired) == (
        "spec.replicas",
        3,
        4,
        True,
    )
    assert value.by is not None
    assert value.by.name == "kubectl"
    assert "by kubectl at 2026-11-27T02:00:00Z" in report.text("dev", {"serving": layer})


def test_an_entry_added_to_a_list_is_reported_though_the_provider_does_not_see_it() -> None:
    containers = [{"name": "m", "image": "a", "args": ["--one", "--two"]}]
    fields: dict[str, Any] = {
        "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"m"}': {"f:args": {}}}}}}
    }
    live = _live({**SPEC, "template": {"spec": {"containers": containers}}}, "kubectl-edit", fields)
    path = "spec.template.spec.containers[0].args"
    seen = _refresh(DEPLOYMENT, {"spec": SPEC}, live)
    assert _values(seen) == {path: (["--one"], ["--one", "--two"], False)}


def test_a_container_added_before_ours_is_not_taken_for_a_change_of_ours() -> None:
    ours = SPEC["template"]["spec"]["containers"][0]  # type: ignore[index]
    containers = [{"name": "spy", "image": "b"}, ours]
    fields: dict[str, Any] = {
        "f:spec": {
            "f:template": {"f:spec": {"f:containers": {'k:{"name":"spy"}': {"f:image": {}}}}}
        }
    }
    live = _live({**SPEC, "template": {"spec": {"containers": containers}}}, "kubectl-edit", fields)
    assert _values(_refresh(DEPLOYMENT, {"spec": SPEC}, live)) == {
        "spec.template.spec.containers[0].image": (ABSENT, "b", False)
    }


@pytest.mark.parametrize(
    ("manager", "fields"),
    [
        ("kube-controller-manager", {"f:spec": {"f:replicas": {}}}),
        ("keda-operator", {"f:spec": {"f:replicas": {}}}),
        ("kubectl", {"f:spec": {"f:replicas": {}}}),
        ("somebody", {"f:status": {"f:replicas": {}}}),
    ],
)
def test_what_controllers_own_is_not_reported(manager: str, fields: Any) -> None:
    declared = {"template": SPEC["template"]}
    live = _live({**declared, "replicas": 9}, manager, fields) | {"status": {"replicas": 9}}
    assert _values(_refresh(DEPLOYMENT, {"spec": declared}, live)) == {}


def test_what_was_deleted_is_created_again() -> None:
    seen = _refresh(DEPLOYMENT, {"spec": SPEC}, {}, is_gone=True)
    layer = findings.found([seen], [_step(DEPLOYMENT, "create")])
    assert "deleted; `up --refresh` creates it again" in report.text("dev", {"serving": layer})


def test_a_google_resource_counts_where_its_provider_plans_a_change() -> None:
    kind = "gcp:storage/bucket:Bucket"
    seen = _refresh(kind, {"location": "EU", "age": 1}, {"location": "eu", "age": 2})
    assert _values(seen, _step(kind, "same")) == {}
    assert _values(seen, _step(kind, "update", "age"))["age"] == (1, 2, True)


def test_what_the_server_set_at_the_deployment_is_no_drift() -> None:
    kind = "gcp:monitoring/alertPolicy:AlertPolicy"
    found = {"age": 2, "name": "c/1"}
    seen = _refresh(kind, {"age": 1}, found, outputs={"age": 1, "name": "c/1"})
    assert _values(seen, _step(kind, "update", "age")) == {"age": (1, 2, True)}


def test_an_edit_that_is_not_deployed_is_told_apart() -> None:
    kind = "gcp:storage/bucket:Bucket"
    seen = _refresh(kind, {"age": 1}, {"age": 1})
    layer = findings.found([seen], [_step(kind, "update", "age")])
    assert layer.findings == ()
    assert [one.differs for one in layer.pending] == [("age",)]


def test_what_an_update_would_only_wait_for_is_no_drift() -> None:
    kind = "kubernetes:apps/v1:Deployment"
    inputs = {"spec": {"replicas": 2}}
    seen = _refresh(kind, inputs, {"__fieldManager": OWN, **inputs})
    assert not findings.found([seen], [_step(kind, "update")]).differs
    assert findings.found([seen], [_step(kind, "update", "spec.replicas")]).differs


def test_a_plan_that_fails_hides_no_drift_and_repairs_nothing() -> None:
    kind = "gcp:storage/bucket:Bucket"
    seen = _refresh(kind, {"age": 1}, {"age": 2})
    layer = findings.found([seen], [], ["one: refused"])
    assert [value.repaired for value in layer.findings[0].values] == [False]
    assert "`up` would fail: one: refused" in report.text("dev", {"serving": layer})


def test_a_secret_is_not_shown() -> None:
    kind = "kubernetes:core/v1:Secret"
    live = {"__fieldManager": OWN, "data": {"key": MASKED}}
    seen = _refresh(kind, {"data": {"key": MASKED}}, live, differs=("data.key",))
    layer = findings.found([seen], [_step(kind, "update", "data.key")])
    assert "data.key: changed (a secret)" in report.text("dev", {"serving": layer})
    [value] = report.document("dev", {"serving": layer})["layers"]["serving"]["drift"][0]["values"]
    assert value["secret"]
    assert not {"declared", "found"} & set(value)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("500m", "0.5", True), (80, "80", True), (ABSENT, [], True), (True, "true", True),
        (True, 1, False), (0, ABSENT, False), ("a", "b", False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
    ],
)  # fmt: skip
def test_spellings_of_one_value_are_the_same(one: Any, other: Any, expected: bool) -> None:
    assert same(one, other) is expected


def test_paths_are_read_as_they_are_written() -> None:
    path = ("spec", "ports", 0, "app.kubernetes.io/name")
    assert parsed(written(path)) == path
    assert at({"a": [1]}, ("a", 1)) is ABSENT


def test_a_removed_key_differs_and_an_undeclared_one_does_not() -> None:
    assert list(differing({"a": 1, "b": 2}, {"a": 1, "c": 3})) == [(("b",), 2, ABSENT)]


def _of_pod(*keys: str) -> dict[str, Any]:
    return {"f:spec": {"f:template": {"f:spec": {f"f:{key}": {} for key in keys}}}}


ALERT = "gcp:monitoring/alertPolicy:AlertPolicy"


def _conditions(name: str, id_: str) -> dict[str, Any]:
    return {"conditions": [{"displayName": name, "name": id_}]}


def test_a_name_that_the_server_gives_anew_with_a_change_is_no_drift() -> None:
    declared = {"conditions": [{"displayName": "a"}]}
    seen = _refresh(
        ALERT, declared, _conditions("b", "policies/1/conditions/2"),
        outputs=_conditions("a", "policies/1/conditions/1"),
    )  # fmt: skip
    path = "conditions[0].displayName"
    assert _values(seen, _step(ALERT, "update", path)) == {path: ("a", "b", True)}


@pytest.mark.parametrize("planned", ["userLabels.owner", "userLabels"])
def test_a_label_that_was_added_is_drift_where_the_plan_takes_it_away(planned: str) -> None:
    found = {"userLabels": {"team": "ml", "owner": "me"}}
    seen = _refresh(ALERT, {"userLabels": {"team": "ml"}}, found)
    assert "userLabels.owner" in _values(seen, _step(ALERT, "update", planned))


def test_the_alias_of_the_service_account_is_told_as_the_account_alone() -> None:
    pod = {"serviceAccountName": "mine"}
    live = _live(
        {"template": {"spec": {"serviceAccountName": "other", "serviceAccount": "other"}}},
        "kubectl-edit",
        _of_pod("serviceAccountName", "serviceAccount"),
    )
    seen = _refresh(DEPLOYMENT, {"spec": {"template": {"spec": pod}}}, live)
    told = _values(seen, _step(DEPLOYMENT, "update"))
    assert list(told) == ["spec.template.spec.serviceAccountName"]
