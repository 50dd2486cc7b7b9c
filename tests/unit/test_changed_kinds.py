"""Which parts of a model's pods a preview leaves unknown because their kind changes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gkeplatform import planned
from infra.serving import changed_kinds
from infra.serving.models import Model, Workload, expanded, pod
from tests.unit.entries import BASE

SIDE: dict[str, Any] = {
    "name": "side",
    "image": "side:1",
    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
}


def served(**additions: Any) -> Workload:
    entered = msgspec.convert({**BASE, "pod": additions}, Model)
    return expanded(entered, key="models[0]", namespace="default")


def volume(**source: Any) -> Workload:
    return served(volumes=[{"name": "extra", "mount_path": "/extra", **source}])


def side(**fields: Any) -> Workload:
    return served(containers=[{**SIDE, **fields}])


def hidden(former: Workload, later: Workload) -> dict[str, Any]:
    before = {("default", former.name): changed_kinds.kinds(former)}
    spec = pod.template(later, labels={}, account="a")
    places = changed_kinds.changed(later, before)
    found: dict[str, Any] = changed_kinds.hidden(spec, places, server=later.name)["spec"]
    return found


SOURCES: list[dict[str, Any]] = [
    {"config_map": "settings"},
    {"secret": "settings"},
    {"claim": "settings"},
    {"ephemeral": {"size": "1Gi", "storage_class": "standard-rwo"}},
    {"empty_dir": "1Gi"},
]


@pytest.mark.parametrize("later", SOURCES)
@pytest.mark.parametrize("former", SOURCES)
def test_a_volume_from_elsewhere_is_unknown(former: dict[str, Any], later: dict[str, Any]) -> None:
    spec = hidden(volume(**former), volume(**later))
    (extra,) = (one for one in spec["volumes"] if one["name"] == "extra")
    assert (planned.UNKNOWN in str(extra)) == (former != later)
    assert planned.UNKNOWN not in str({**spec, "volumes": None})


PARTS: list[tuple[str, Any, Any]] = [
    ("readinessProbe", {"httpGet": {"port": 80}}, {"grpc": {"port": 80}}),
    ("livenessProbe", {"tcpSocket": {"port": 80}}, {"exec": {"command": ["true"]}}),
    (
        "lifecycle",
        {"preStop": {"sleep": {"seconds": 5}}},
        {"preStop": {"exec": {"command": ["true"]}}},
    ),
    (
        "env",
        [{"name": "A", "value": "a"}],
        [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    ),
]


@pytest.mark.parametrize(("key", "former", "later"), PARTS)
def test_a_part_of_a_container_of_another_kind_is_unknown(
    key: str, former: Any, later: Any
) -> None:
    for before, after in ((former, later), (later, former)):
        spec = hidden(side(**{key: before}), side(**{key: after}))
        beside = spec["containers"][1]
        assert planned.UNKNOWN in str(beside[key])
        assert planned.UNKNOWN not in str({**beside, key: None})
        same = hidden(side(**{key: after}), side(**{key: after}))
        assert planned.UNKNOWN not in str(same)


def test_another_value_of_the_same_kind_is_known() -> None:
    spec = hidden(volume(config_map="one"), volume(config_map="two"))
    assert planned.UNKNOWN not in str(spec)


def test_without_knowing_the_former_kinds_all_is_known() -> None:
    assert changed_kinds.changed(volume(config_map="one"), {}) == frozenset()


def test_the_usual_kinds_are_not_published() -> None:
    assert changed_kinds.kinds(served()) == {"server/livenessProbe": "tcpSocket"}
