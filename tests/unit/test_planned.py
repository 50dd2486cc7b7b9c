"""The planned outputs of other layers, which a preview reads and an update ignores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi.runtime
import pytest
from pulumi.output import Unknown

from cli import steps
from gkeplatform import planned
from gkeplatform.contracts import (
    ClusterContract,
    InstanceGroup,
    InstanceGroupBackend,
    Route,
    SecretText,
    ServedModel,
    ServingContract,
)
from gkeplatform.engine_variables import PLANNED
from gkeplatform.errors import PlatformError
from gkeplatform.layers import CLUSTER, NETWORKING, SERVING
from infra.networking import endpoint_groups

UNKNOWN = Unknown()  # type: ignore[no-untyped-call]


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with the planned outputs of the cluster layer, in a preview."""
    file = tmp_path / "planned"
    file.write_text(json.dumps({"cluster": {"name": "new"}}))
    monkeypatch.setenv(PLANNED, str(file))
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    return file


@pytest.mark.usefixtures("given")
def test_planned_outputs_are_read_over_the_deployed_ones() -> None:
    deployed = {"name": "old", "kubeconfig": "secret"}
    assert planned.over(deployed, CLUSTER) == {"name": "new", "kubeconfig": "secret"}
    assert planned.over(None, CLUSTER) == {"name": "new"}
    assert planned.over(deployed, SERVING) == deployed
    assert planned.over(None, NETWORKING) is None
    assert planned.is_planned(CLUSTER)
    assert not planned.is_planned(SERVING)


@pytest.mark.usefixtures("given")
def test_an_update_ignores_planned_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: False)
    assert planned.over({"name": "old"}, CLUSTER) == {"name": "old"}
    assert not planned.is_planned(CLUSTER)


@pytest.mark.parametrize("text", ["", "[]", '{"cluster": 1}', "{"])
def test_a_file_that_holds_something_else_is_refused(given: Path, text: str) -> None:
    given.write_text(text)
    with pytest.raises(PlatformError, match=f"unset {PLANNED}"):
        planned.over({}, CLUSTER)


def test_a_file_that_is_gone_is_refused(given: Path) -> None:
    given.unlink()
    with pytest.raises(PlatformError, match="planned outputs"):
        planned.over({}, CLUSTER)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (UNKNOWN, planned.UNKNOWN),
        (f"http://{planned.UNKNOWN}/v1", planned.UNKNOWN),
        ({"a": [UNKNOWN, 1]}, {"a": [planned.UNKNOWN, 1]}),
        ([True, None, "x"], [True, None, "x"]),
    ],
)
def test_unknown_parts_are_marked_and_the_rest_stays(value: Any, expected: Any) -> None:
    assert planned.marked(value) == expected


def test_the_engine_and_the_command_line_know_one_mark() -> None:
    assert planned.UNKNOWN == steps.UNKNOWN


def test_a_planned_instance_group_has_no_time_of_creation_yet() -> None:
    group = InstanceGroup(pool="extra", zone="z", url=planned.UNKNOWN)
    assert endpoint_groups.group_name(group.url) == planned.UNKNOWN
    cluster = ClusterContract(
        name="c", location="z", zones=("z",), kubeconfig=SecretText(""), network="n",
        workload_pool="w", node_pools=(), node_tag="t", instance_groups=(group,),
    )  # fmt: skip

    def asked(*_: str) -> str | None:
        raise AssertionError("Google has no such group yet")

    found = endpoint_groups.creation_times(cluster, _serving(), asked)
    assert found == {group: planned.UNKNOWN}


def _serving() -> ServingContract:
    route = Route(hosts=(), paths=("/m",), verbs=(), backend=InstanceGroupBackend(node_port=30000))
    model = ServedModel(name="m", namespace="n", path="/m", exposure="http", route=route)
    return ServingContract(cluster="c", namespace="n", models_bucket="b", models=(model,))
