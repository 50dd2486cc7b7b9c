"""What a preview says of models whose compute class changes its choices."""

from __future__ import annotations

from typing import Any

import pytest

from cli.capacity.class_rules import COMPUTE_CLASS
from tests.cli.test_impact import BUDGET, DEPLOYMENT, budget, deployment, losses, step

PLACED = {"nodeSelector": {"cloud.google.com/compute-class": "gpus"}}


def class_(*, migrates: bool = True) -> dict[str, Any]:
    return {
        "metadata": {"name": "gpus"},
        "spec": {"activeMigration": {"optimizeRulePriority": migrates}},
    }


def told(
    path: str = "spec.priorities[0].machineType",
    *,
    migrates: bool = True,
    pod: dict[str, Any] | None = None,
    **allowed: Any,
) -> list[tuple[str, str]]:
    changed = step(COMPUTE_CLASS, "gpus", "update", new=class_(migrates=migrates), differs=(path,))
    served = deployment("a", replicas=3, pod=PLACED if pod is None else pod)
    guard = step(BUDGET, "a", new=budget("a", **(allowed or {"maxUnavailable": 1})))
    return losses(changed, step(DEPLOYMENT, "a", new=served), guard)


@pytest.mark.parametrize(
    ("allowed", "length", "effect"),
    [
        ({"maxUnavailable": 1}, "no interruption", "2 of 3 serve"),
        ({"maxUnavailable": 3}, "at most 10 min", "no replica may be left"),
    ],
)
def test_pods_move_to_what_their_class_prefers_now(
    allowed: dict[str, Any], length: str, effect: str
) -> None:
    assert told(**allowed) == [
        (length, f"may move to nodes that class gpus prefers now; {effect}"),
    ]


def test_pods_stay_where_nothing_lets_them_move() -> None:
    assert told(maxUnavailable=0) == []
    assert told(migrates=False) == []
    assert told("metadata.labels.environment") == []
    assert told(pod={}) == []
