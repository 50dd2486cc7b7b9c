"""What GKE says of a compute class in its status: whether it can be followed. Pure functions.

A condition is there only while it holds; of several of one type the first counts. Types, reasons
and messages are those of GKE's cluster autoscaler, as far as they concern existing node pools
(`pkg/computeclass/conditions` of k8s.io/gke-autoscaling/cluster-autoscaler).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sandbox.kubernetes.scaling.classes import LABEL, ComputeClass
from sandbox.kubernetes.specs import ScalingGroup, ScalingPool

Json = dict[str, Any]
_HEALTH, _POOL, _CLASS = "Health", "NodepoolMisconfigured", "CrdMisconfigured"
_TYPES = (_POOL, _CLASS, _HEALTH)
_HARMLESS = "NoRuleMatching"
_SAID = ("type", "status", "reason", "message")


def conditions(
    found: Json, class_: ComputeClass, pools: Sequence[ScalingPool], *, now: str
) -> list[Json] | None:
    """The conditions of a class as they are to be; None if its status has them already.

    `now` is when those that are new have changed. Conditions of other types are kept.
    """
    creates = bool((found["spec"].get("nodePoolAutoCreation") or {}).get("enabled"))
    told: dict[str, Json] = {}
    for type_, reason, message in _faults(class_, pools, creates=creates):
        told.setdefault(type_, _condition(type_, "True", reason, message))
    is_healthy = all(one["reason"] == _HARMLESS for one in told.values())
    words = "healthy" if is_healthy else "not healthy"
    told[_HEALTH] = _condition(_HEALTH, str(is_healthy), _HEALTH, f"Crd is {words}.")
    had = (found.get("status") or {}).get("conditions") or []
    former = {one["type"]: one for one in had if one["type"] in _TYPES}
    if _said(former.values()) == _said(told.values()):
        return None
    return [
        *(one for one in had if one["type"] not in _TYPES),
        *(
            former[type_]
            if type_ in former and _said([former[type_]]) == _said([one])
            else {**one, "lastTransitionTime": now}
            for type_, one in told.items()
        ),
    ]


def _faults(
    class_: ComputeClass, pools: Sequence[ScalingPool], *, creates: bool
) -> Iterator[tuple[str, str, str]]:
    """Type, reason and message of each fault, in the order in which GKE looks for them."""
    groups = {pool.name: pool.groups[0] for pool in pools if pool.groups}
    own = {name: one for name, one in groups.items() if _label(one) == class_.name}
    ranks = {pool.name: class_.rank(pool, own[pool.name]) for pool in pools if pool.name in own}
    named = [name for rule in class_.rules for name in rule.get("nodepools") or ()]
    for name, rank in ranks.items():
        if rank is None:
            message = f"Nodepool {name} has an Crd label but doesn't match any priority rule."
            yield _POOL, _HARMLESS, message
    for name in named:
        if name in groups and name not in own:
            message = f"Crd label doesn't match Crd name for the nodepool {name}."
            yield _POOL, "CrdLabelNotMatching", message
    for name, group in own.items():
        values = [one.get("value") for one in group.template.taints if one["key"] == LABEL]
        if not values:
            yield _POOL, "TaintMissing", f"Crd taint is missing for the nodepool {name}."
        elif values[0] != class_.name:
            message = f"Crd taint value doesn't match Crd name for the nodepool {name}."
            yield _POOL, "TaintValueNotMatching", message
    for name in named:
        if name not in groups:
            message = (
                f"Nodepool {name} specified by name has autoscaling disabled or doesn't exist in "
                "the cluster."
            )
            yield _CLASS, "NodePoolNotExist", message
    if not creates and all(rank is None for rank in ranks.values()):
        message = (
            "Crd with NAP disabled should have at least one matching nodepool with autoscaling "
            "enabled."
        )
        yield _CLASS, "NapDisabledAndNoMatchingNodegroups", message


def _label(group: ScalingGroup) -> str:
    return str(group.template.labels.get(LABEL) or "")


def _condition(type_: str, status: str, reason: str, message: str) -> Json:
    return {"type": type_, "status": status, "reason": reason, "message": message}


def _said(found: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """What conditions say, by type, without the times."""
    return {one["type"]: [one.get(key) for key in _SAID] for one in found}
