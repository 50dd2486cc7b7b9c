"""Which versions get a backend service under another name, and who waits for what it finds."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from declared import Declared, run_layer
from gkeplatform.contracts import InstanceGroupBackend, NegBackend, RoutedVersion
from gkeplatform.environment import Environment
from gkeplatform.layers import NETWORKING
from gkeplatform.naming import Naming
from infra.networking.moved_backends import role, way
from tests.environment_runs import environment_run

SERVICE = "gcp:compute/backendService:BackendService"
NAMING = Naming(Environment(name="dev", project="acme-ml-dev", region="europe-west4", system="ml"))
GROUPS = NegBackend(name="ml-dev-bert-00000001", zones=("europe-west4-a",), port=8501)
NODES = InstanceGroupBackend(node_port=30001)


def live(backend: Any, service: str = "ml-dev-bert") -> RoutedVersion:
    return RoutedVersion(name="bert", namespace="models", backend=backend, service=service)


def named(backend: Any, before: RoutedVersion | None) -> str:
    is_moved = before is not None and way(before.backend) != way(backend)
    return role("bert", backend, before, NAMING, is_moved=is_moved)


def test_what_is_not_live_has_the_version_s_name() -> None:
    assert named(GROUPS, None) == named(NODES, None) == "bert"


def test_what_is_reached_as_before_keeps_its_name() -> None:
    more_zones = NegBackend(name=GROUPS.name, zones=("europe-west4-a", "europe-west4-b"), port=8501)
    for service in ("ml-dev-bert", "ml-dev-bert-0a0a0a0a"):
        assert named(more_zones, live(GROUPS, service)) == service.removeprefix("ml-dev-")
    assert named(GROUPS, live(GROUPS, service="")) == "bert"


def test_what_is_reached_otherwise_has_another_name_and_returns_to_its_own() -> None:
    moved = named(NODES, live(GROUPS))
    assert moved.startswith("bert-")
    assert named(NODES, live(NODES, f"ml-dev-{moved}")) == moved
    assert named(GROUPS, live(NODES, f"ml-dev-{moved}")) == "bert"
    other_port = InstanceGroupBackend(node_port=30003)
    assert named(other_port, live(NODES)) not in {"bert", moved}


def test_a_long_name_is_cut() -> None:
    name = "m" * (63 - len(NAMING.prefix))
    found = role(name, NODES, live(GROUPS, f"{NAMING.prefix}{name}"), NAMING, is_moved=True)
    assert found != name
    assert len(NAMING.of(found)) == 63


def after(
    environment: str, model: str, backend: dict[str, Any] | None = None, *, is_kept: bool = True
) -> Declared:
    """Networking, where the model was reached by `backend` at its last update, and still is."""
    outputs = {name: made.outputs for name, made in environment_run(environment).items()}
    before = json.loads(json.dumps(outputs["networking"]))
    for one in before["models"]:
        for version in one["versions"]:
            if version["name"] == model and backend:
                version["backend"] = backend
    upstream = {
        f"organization/gke-{name}/{environment}": copy.deepcopy(outputs[name])
        for name in ("cluster", "serving")
    }
    if is_kept:
        upstream[f"organization/gke-serving/{environment}"]["kept"] = [model]
    own = f"organization/gke-networking/{environment}"
    return run_layer(NETWORKING, environment, upstream | {own: before})


BEFORE = {"kind": "instance-groups", "node_port": 30009}


def test_the_load_balancer_waits_for_a_moved_version_alone() -> None:
    declared = after("dev", "resnet", BEFORE)
    assert set(declared.hooks) == {(SERVICE, "resnet")}
    services = declared.of(SERVICE)
    assert services["resnet"]["name"] != "acme-ml-dev-resnet"
    assert services["fraud"]["name"] == "acme-ml-dev-fraud"
    check = declared.of("gcp:compute/healthCheck:HealthCheck")["resnet"]
    assert check["name"] == services["resnet"]["name"]
    (model,) = (one for one in declared.outputs["models"] if one["name"] == "resnet")
    (version,) = (one for one in model["versions"] if one["name"] == "resnet")
    assert model["backend_service"] == version["service"] == services["resnet"]["name"]


def test_what_nothing_keeps_is_changed_at_once() -> None:
    declared = after("dev", "resnet", BEFORE, is_kept=False)
    assert declared.hooks == {}
    assert declared.of(SERVICE)["resnet"]["name"] == "acme-ml-dev-resnet"


def test_named_ports_of_both_exist_side_by_side() -> None:
    declared = after("dev", "fraud", BEFORE)
    service = declared.of(SERVICE)["fraud"]
    ports = declared.of("gcp:compute/instanceGroupNamedPort:InstanceGroupNamedPort")
    assert {port["name"] for port in ports.values()} == {service["portName"]}
    assert service["portName"] != "fraud"
    assert not any(name.startswith("fraud-serving") for name in ports)


@pytest.mark.parametrize("environment", ["dev", "stage"])
def test_an_update_without_a_change_moves_nothing(environment: str) -> None:
    declared = after(environment, "resnet")
    assert declared.hooks == {}
    assert declared.inputs == environment_run(environment)["networking"].inputs
