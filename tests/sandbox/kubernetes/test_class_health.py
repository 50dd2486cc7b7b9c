"""The conditions in a compute class's status, without a cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sandbox.kubernetes.scaling import class_health, classes
from sandbox.kubernetes.specs import ScalingPool
from tests.sandbox.kubernetes.test_class_plans import _pool

Json = dict[str, Any]
NOW, BEFORE = "2026-11-27T10:00:00Z", "2026-11-27T09:00:00Z"
HEALTHY = {
    "type": "Health",
    "status": "True",
    "reason": "Health",
    "message": "Crd is healthy.",
    "lastTransitionTime": NOW,
}
FIRST, SECOND = _pool("first"), _pool("second")


def _class(*had: Json, name: str = "cheap", **spec: Any) -> Json:
    rules = {"priorities": [{"nodepools": ["first"]}, {"nodepools": ["second"]}]}
    return {"metadata": {"name": name}, "spec": rules | spec, "status": {"conditions": list(had)}}


def _told(found: Json, *pools: ScalingPool) -> list[Json] | None:
    [known] = classes.read([found]).values()
    return class_health.conditions(found, known, pools, now=NOW)


def _other(pool: ScalingPool, **changes: Any) -> ScalingPool:
    groups = (replace(one, template=replace(one.template, **changes)) for one in pool.groups)
    return replace(pool, groups=tuple(groups))


def test_a_class_whose_pools_exist_is_healthy() -> None:
    assert _told(_class(), FIRST, SECOND) == [HEALTHY]


def test_what_the_status_says_already_is_not_written_again() -> None:
    assert _told(_class({**HEALTHY, "lastTransitionTime": BEFORE}), FIRST, SECOND) is None


@pytest.mark.parametrize(
    ("pools", "type_", "reason", "said"),
    [
        ((FIRST,), "CrdMisconfigured", "NodePoolNotExist", "Nodepool second specified by name"),
        (
            (FIRST, _other(SECOND, labels={})),
            "NodepoolMisconfigured",
            "CrdLabelNotMatching",
            "for the nodepool second.",
        ),
        (
            (FIRST, _other(SECOND, taints=())),
            "NodepoolMisconfigured",
            "TaintMissing",
            "Crd taint is missing for the nodepool second.",
        ),
    ],
)
def test_a_class_that_cannot_be_followed_is_not_healthy(
    pools: tuple[ScalingPool, ...], type_: str, reason: str, said: str
) -> None:
    [fault, health] = _told(_class(), *pools) or []
    assert (fault["type"], fault["status"], fault["reason"]) == (type_, "True", reason)
    assert said in fault["message"]
    assert (health["status"], health["message"]) == ("False", "Crd is not healthy.")


def test_a_pool_that_no_rule_names_is_told_and_harms_nothing() -> None:
    [fault, health] = _told(_class(), FIRST, SECOND, _pool("third")) or []
    assert (fault["reason"], health["status"]) == ("NoRuleMatching", "True")


def test_a_class_without_any_pool_says_so_first_of_the_pools_that_are_missing() -> None:
    [fault, _] = _told(_class()) or []
    assert fault["reason"] == "NodePoolNotExist"
    [fault, _] = _told(_class(priorities=[{"machineFamily": "n2"}])) or []
    assert fault["reason"] == "NapDisabledAndNoMatchingNodegroups"
    creating = _class(priorities=[{"machineFamily": "n2"}], nodePoolAutoCreation={"enabled": True})
    assert _told(creating) == [HEALTHY]


def test_a_fault_that_is_mended_goes_and_conditions_of_others_stay() -> None:
    other = {"type": "ProvisioningSuspended", "status": "True", "lastTransitionTime": BEFORE}
    fault = {**HEALTHY, "type": "CrdMisconfigured", "reason": "NodePoolNotExist"}
    unhealthy = {**HEALTHY, "status": "False", "message": "Crd is not healthy."}
    assert _told(_class(other, fault, unhealthy), FIRST, SECOND) == [other, HEALTHY]
