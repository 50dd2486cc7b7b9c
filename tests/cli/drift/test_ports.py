"""Ports that another client changed, put back before an update."""

from __future__ import annotations

from typing import Any

import pytest

from cli.drift import findings, ports, putting_back
from cli.errors import CliError
from cli.steps import MASKED, Refresh
from gkeplatform.layers import SERVING, Layer

SERVICE = "kubernetes:core/v1:Service"
REST = {"name": "rest", "port": 8501, "protocol": "TCP", "targetPort": "rest"}
GRPC = {"name": "grpc", "port": 8500, "protocol": "TCP", "targetPort": "grpc"}
CLASH = (
    'resnet: Preview failed: 1 error occurred:\n\t* Service "resnet" is invalid: '
    'spec.ports[1].name: Duplicate value: "rest"'
)
Json = dict[str, Any]


def _service(*given: Json) -> Json:
    metadata = {"name": "resnet", "namespace": "models"}
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [*given]}
    }  # fmt: skip


def _seen(inputs: Json, found: Json, kind: str = SERVICE) -> Refresh:
    return Refresh(
        urn="urn", type=kind, id="models/resnet", inputs=inputs, outputs=inputs, is_gone=False,
        found_inputs=found, found=found,
    )  # fmt: skip


def test_a_changed_port_is_put_back_with_its_node_port() -> None:
    live = _service(GRPC | {"nodePort": 30002}, REST | {"port": 8599, "nodePort": 30001})
    [operation] = ports.patch(_service(REST, GRPC), live)
    assert operation["path"] == "/spec/ports"
    assert operation["value"] == [REST | {"nodePort": 30001}, GRPC | {"nodePort": 30002}]


def test_a_declared_node_port_is_put_back() -> None:
    live = _service(REST | {"port": 1, "nodePort": 30001})
    [operation] = ports.patch(_service(REST | {"nodePort": 30009}), live)
    assert operation["value"][0]["nodePort"] == 30009


def test_ports_as_declared_need_no_patch() -> None:
    assert ports.patch(_service(REST, GRPC), _service(GRPC | {"nodePort": 30002}, REST)) == []
    assert ports.patch(_service(), _service(REST)) == []
    assert ports.patch(_service(REST | {"name": MASKED}), _service(REST | {"port": 1})) == []


def test_a_containers_port_is_found_by_the_containers_name() -> None:
    def pod(*containers: Json) -> Json:
        return {"spec": {"template": {"spec": {"containers": [*containers]}}}}

    mine = {"name": "server", "ports": [{"name": "rest", "containerPort": 8501}]}
    changed = {"name": "server", "ports": [{"name": "rest", "containerPort": 8599}]}
    [operation] = ports.patch(pod(mine), pod({"name": "sidecar"}, changed))
    assert operation["path"] == "/spec/template/spec/containers/1/ports"
    assert operation["value"] == mine["ports"]


def test_the_command_names_the_kind_with_its_group() -> None:
    seen = _seen({}, _service(REST))
    assert ports.command(seen)[:5] == ["--namespace", "models", "patch", "service", "resnet"]
    found = _service() | {"apiVersion": "apps/v1", "kind": "Deployment"}
    assert "deployment.v1.apps" in ports.command(_seen({}, found))


def test_drift_says_that_a_clash_is_repaired() -> None:
    seen = _seen(_service(REST), _service(REST | {"port": 8599}))
    layer = findings.found([seen], [], [CLASH, "preview failed"])
    [value] = layer.findings[0].values
    assert (value.path, value.repaired, layer.errors) == ("spec.ports[0].port", True, ())


@pytest.mark.parametrize("error", ["resnet: no such zone", f"{CLASH}\nand more"])
def test_another_error_beside_a_clash_is_told(error: str) -> None:
    seen = _seen(_service(REST), _service(REST | {"port": 8599}))
    layer = findings.found([seen], [], [error, "pool: refused"])
    assert layer.errors
    assert not layer.findings[0].values[0].repaired


def _redeployed(rounds: list[set[str]], failures: list[str]) -> list[set[str]]:
    """What was put back in each round, until the deployment fails no more."""
    put: list[set[str]] = []
    left = iter(failures)

    def deploy(_: Layer) -> None:
        if failure := next(left, ""):
            raise CliError(failure)

    def put_back(_: Layer, done: Any) -> set[str]:
        found = rounds[len(put)] - set(done) if len(put) < len(rounds) else set()
        put.append(found)
        return found

    putting_back.deploy(SERVING, deploy=deploy, error=CliError(CLASH), put_back=put_back)
    return put


def test_each_round_puts_back_what_the_one_before_did_not_meet() -> None:
    assert _redeployed([{"a"}, {"b"}], [CLASH]) == [{"a"}, {"b"}]


@pytest.mark.parametrize("rounds", [[], [{"a"}, {"a"}]])
def test_a_clash_that_stays_is_told(rounds: list[set[str]]) -> None:
    with pytest.raises(CliError, match="Duplicate value"):
        _redeployed(rounds, [CLASH, CLASH])


def test_another_failure_after_the_ports_is_told() -> None:
    with pytest.raises(CliError, match="no such zone"):
        _redeployed([{"a"}, {"b"}], ["no such zone"])


def test_what_the_engine_did_not_reach_is_restored_as_well() -> None:
    kind = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
    declared = {"spec": {"maxReplicas": 10}}
    changed = _seen(declared, {"__fieldManager": "own", "spec": {"maxReplicas": 11}}, kind)
    same = _seen(declared, {"__fieldManager": "own", **declared}, kind)
    [finding] = findings.found([changed], [], [CLASH]).findings
    assert [(one.path, one.repaired) for one in finding.values] == [("spec.maxReplicas", True)]
    assert finding.repair == "changes it back"
    assert not findings.found([same], [], [CLASH]).differs
