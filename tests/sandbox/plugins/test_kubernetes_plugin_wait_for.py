"""`pulumi.com/waitFor`: the conditions that it understands, and those that it refuses."""

import json
from typing import Any, cast

import pytest

from sandbox.plugins.kubernetes import wait_for
from sandbox.plugins.kubernetes.client import Client
from sandbox.plugins.provider import PluginError

NOBODY = cast(Client, None)


def pending(expression: str, **live: Any) -> str | None:
    """What is still waited for of an object that the expression stands in."""
    found = {"metadata": {"annotations": {wait_for.ANNOTATION: expression}}, **live}
    check = wait_for.check(found)
    assert check is not None
    return check(NOBODY, found)


RUNNING = "jsonpath={.status.PostgresClusterStatus}=Running"


def test_a_value_is_waited_for() -> None:
    assert pending(RUNNING) == ".status.PostgresClusterStatus is not there, not Running"
    creating = {"PostgresClusterStatus": "Creating"}
    assert pending(RUNNING, status=creating) == (
        ".status.PostgresClusterStatus is Creating, not Running"
    )
    assert pending(RUNNING, status={"PostgresClusterStatus": "Running"}) is None


def test_the_existence_of_a_field_is_waited_for() -> None:
    assert pending("jsonpath={.status.uid}", status={}) == ".status.uid is not there"
    assert pending("jsonpath={.status.uid}", status={"uid": "0"}) is None


@pytest.mark.parametrize(("expression", "status"), [("Ready", "True"), ("Ready=False", "False")])
def test_a_condition_is_waited_for(expression: str, status: str) -> None:
    def conditions(value: str) -> dict[str, Any]:
        return {"conditions": [{"type": "Ready", "status": value}]}

    assert pending(f"condition={expression}") == "condition Ready is not there"
    assert pending(f"condition={expression}", status=conditions("Unknown")) == (
        "condition Ready is Unknown"
    )
    assert pending(f"condition={expression}", status=conditions(status)) is None


def test_all_conditions_of_a_list_are_waited_for() -> None:
    both = json.dumps(["jsonpath={.a}=1", "jsonpath={.b}"])
    assert pending(both, a=1) == ".b is not there"
    assert pending(both, a=1, b=2) is None


def test_without_the_annotation_there_is_no_condition() -> None:
    assert wait_for.check({"metadata": {}}) is None


def test_an_invalid_condition_is_refused() -> None:
    with pytest.raises(PluginError, match="not understood"):
        pending("jsonpath={.items[0]}=1")
