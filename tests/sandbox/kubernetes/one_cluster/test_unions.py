"""A volume, variable or probe of a model's pods becomes one of another kind under its name."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import msgspec
import pytest

from infra.serving.models import Model, expanded, pod
from tests.sandbox.kubernetes.conftest_kubernetes import Sandbox
from tests.unit.entries import BASE

PATH = "/apis/apps/v1/namespaces/default/deployments"
VOLUMES: dict[str, Any] = {
    "configMap": {"config_map": "settings"},
    "secret": {"secret": "settings"},
    "persistentVolumeClaim": {"claim": "settings"},
    "ephemeral": {"ephemeral": {"size": "1Gi", "storage_class": "standard-rwo"}},
    "emptyDir": {"empty_dir": "1Gi"},
}
PROBES: dict[str, Any] = {
    "httpGet": {"httpGet": {"port": 8080}},
    "grpc": {"grpc": {"port": 8080}},
    "tcpSocket": {"tcpSocket": {"port": 8080}},
    "exec": {"exec": {"command": ["true"]}},
}
HOOKS: dict[str, Any] = {
    "httpGet": {"httpGet": {"port": 8080}},
    "sleep": {"sleep": {"seconds": 5}},
    "exec": {"exec": {"command": ["true"]}},
}
VARIABLES: dict[str, Any] = {
    "value": {"value": "a"},
    "fieldRef": {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    "resourceFieldRef": {"valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
    "configMapKeyRef": {"valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}},
    "secretKeyRef": {"valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}},
}


def pairs(kinds: dict[str, Any]) -> list[tuple[str, str]]:
    return list(permutations(kinds, 2))


def applied(sandbox: Sandbox, name: str, additions: dict[str, Any]) -> Any:
    """The pod template as the API server has it after the apply."""
    entered = msgspec.convert({**BASE, "pod": additions}, Model)
    served = expanded(entered, key="models[0]", namespace="default")
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": served.selector},
            "template": pod.template(served, labels={}, account="default"),
        },
    }
    sandbox.apply(PATH, body)
    return sandbox.kube("GET", f"{PATH}/{name}")["spec"]["template"]["spec"]


def container(**fields: Any) -> dict[str, Any]:
    sizes = {"cpu": "1", "memory": "64Mi"}
    found = {"name": "side", "image": "side:1", "resources": {"requests": sizes, "limits": sizes}}
    return {"containers": [found | fields]}


@pytest.mark.parametrize(("former", "later"), pairs(VOLUMES))
def test_a_volume_changes_its_kind(sandbox: Sandbox, former: str, later: str) -> None:
    for kind in (former, later):
        volume = {"name": "extra", "mount_path": "/extra", **VOLUMES[kind]}
        spec = applied(sandbox, f"volume-{former}-{later}".lower(), {"volumes": [volume]})
        (found,) = (one for one in spec["volumes"] if one["name"] == "extra")
        assert {*found} == {"name", kind}


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
@pytest.mark.parametrize(("former", "later"), pairs(PROBES))
def test_a_probe_changes_its_kind(sandbox: Sandbox, probe: str, former: str, later: str) -> None:
    for kind in (former, later):
        name = f"{probe}-{former}-{later}".lower()
        spec = applied(sandbox, name, container(**{probe: PROBES[kind]}))
        assert {*PROBES} & {*spec["containers"][1][probe]} == {kind}


@pytest.mark.parametrize("hook", ["postStart", "preStop"])
@pytest.mark.parametrize(("former", "later"), pairs(HOOKS))
def test_a_hook_changes_its_kind(sandbox: Sandbox, hook: str, former: str, later: str) -> None:
    for kind in (former, later):
        name = f"{hook}-{former}-{later}".lower()
        spec = applied(sandbox, name, container(lifecycle={hook: HOOKS[kind]}))
        assert {*spec["containers"][1]["lifecycle"][hook]} == {kind}


@pytest.mark.parametrize(("former", "later"), pairs(VARIABLES))
def test_a_variable_changes_its_kind(sandbox: Sandbox, former: str, later: str) -> None:
    for kind in (former, later):
        name = f"variable-{former}-{later}".lower()
        spec = applied(sandbox, name, container(env=[{"name": "A", **VARIABLES[kind]}]))
        (found,) = spec["containers"][1]["env"]
        assert {*found.get("valueFrom", {"value": ""})} == {kind}
