"""A name that somebody else has taken is told apart from a creation that was interrupted."""

from __future__ import annotations

from typing import Any

import pytest

from cli import ownership
from cli.errors import CliError
from tests.cli.test_settling import NETWORK, Stack, _export, _resource

OURS = {"labels": {"owner": "ml"}}
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "x"}
CLUSTER = "gcp:container/cluster:Cluster"
ADDRESS = "gcp:compute/globalAddress:GlobalAddress"
POD = "kubernetes:core/v1:Pod"


def _written(*managers: str) -> dict[str, Any]:
    return {"metadata": {"name": "n", "managedFields": [{"manager": one} for one in managers]}}


PULUMIS = _written("pulumi-kubernetes-8f3a")["metadata"]


@pytest.mark.parametrize(
    ("type_", "inputs", "outputs", "why"),
    [
        (NETWORK, {"description": "d"}, {"description": "d"}, None),
        (NETWORK, {"description": "d"}, {"description": ""}, 'its description is "", not "d"'),
        (NETWORK, {}, {"description": "theirs"}, None),
        (NETWORK, {"name": "n"}, {"name": "n"}, None),
        (ADDRESS, OURS, {"labels": {"owner": "ml", "more": "x"}}, None),
        (ADDRESS, OURS, {"labels": {"owner": "web"}}, 'its label owner is "web", not "ml"'),
        (ADDRESS, OURS, {"labels": {}}, None),  # interrupted before it got them
        (ADDRESS, OURS, {"labels": SECRET}, None),
        (ADDRESS, {"labels": SECRET}, {"labels": {"owner": "web"}}, None),
        (ADDRESS, {}, {"labels": {"owner": "web"}, "effectiveLabels": SECRET}, None),
        (CLUSTER, {"resourceLabels": {"a": "b"}}, {"resourceLabels": {"a": "b"}}, None),
        (CLUSTER, {"resourceLabels": {"a": "b"}}, {}, 'its label a is null, not "b"'),
        (POD, {}, _written("pulumi-kubernetes-8f3a", "kubelet"), None),
        (
            POD,
            {},
            _written("kubectl-create", "kubelet"),
            "it was written by kubectl-create, kubelet",
        ),
        (POD, {}, _written(), None),
        (POD, {"metadata": OURS}, {"metadata": PULUMIS | {"labels": {"owner": "ml"}}}, None),
        (POD, {"metadata": OURS}, {"metadata": PULUMIS}, 'its label owner is null, not "ml"'),
    ],
)
def test_it_is_told_by_description_labels_and_writers(
    type_: str, inputs: dict[str, Any], outputs: dict[str, Any], why: str | None
) -> None:
    assert ownership.foreign(type_, inputs, {"outputs": outputs}) == why


def test_a_patch_of_an_object_is_not_the_object() -> None:
    type_ = "kubernetes:core/v1:ServiceAccountPatch"
    assert ownership.foreign(type_, {}, {"outputs": _written("kubectl")}) is None


def test_what_somebody_else_made_is_refused_with_the_command_that_imports_it() -> None:
    theirs = _written("kubectl-create")["metadata"]
    pod = _resource(POD, inputs={"metadata": {"name": "n", "namespace": "models"}})
    stack = Stack(_export(creating=pod), metadata=theirs)
    with pytest.raises(CliError, match=r"Pod main exists, .*written by kubectl-create") as caught:
        stack.settle()
    assert f"pulumi import {POD} main models/n" in caught.value.hint
    # Nothing of theirs is in the state, and the next run does not ask again.
    assert stack.settle() == []
