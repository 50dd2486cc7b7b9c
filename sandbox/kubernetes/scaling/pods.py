"""A pod's scheduling requirements that adding a node can satisfy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from facts.quantity import amount

Json = dict[str, Any]
Amounts = Mapping[str, Fraction]


def requests(pod: Json) -> Counter[str]:
    """Return a pod's total requests as the scheduler counts them, including `pods: 1`.

    Containers and sidecars are summed; an init container counts only if it requests more.
    """
    spec = pod["spec"]
    total = _sum(spec.get("containers") or ())
    sidecars: Counter[str] = Counter()
    peak: Counter[str] = Counter()
    for container in spec.get("initContainers") or ():
        requested = _sum([container])
        if container.get("restartPolicy") == "Always":
            sidecars.update(requested)
            requested = Counter(sidecars)
        else:
            requested.update(sidecars)
        peak |= requested
    total.update(sidecars)
    total |= peak
    total.update(_amounts(spec.get("overhead") or {}))
    total["pods"] = 1
    return total


def _sum(containers: Iterable[Json]) -> Counter[str]:
    total: Counter[str] = Counter()
    for container in containers:
        total.update(_amounts((container.get("resources") or {}).get("requests") or {}))
    return total


def _amounts(quantities: Mapping[str, str]) -> Counter[str]:
    # Counter for its arithmetic; the values are fractions.
    return Counter({name: amount(value) for name, value in quantities.items()})


def amounts(quantities: Mapping[str, str]) -> Counter[str]:
    """Return a node's allocatable resources as numbers."""
    return _amounts(quantities)


def is_unschedulable(pod: Json) -> bool:
    """Whether the scheduler found no node for the pod."""
    if pod["metadata"].get("deletionTimestamp") or pod["spec"].get("nodeName"):
        return False
    return any(
        condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable"
        for condition in (pod.get("status") or {}).get("conditions") or ()
    )


def tolerates(pod: Json, taints: Iterable[Mapping[str, str]]) -> Mapping[str, str] | None:
    """Return the first taint that the pod does not tolerate, or None."""
    tolerations = pod["spec"].get("tolerations") or ()
    for taint in taints:
        if taint["effect"] == "PreferNoSchedule":
            continue
        if not any(_covers(toleration, taint) for toleration in tolerations):
            return taint
    return None


def _covers(toleration: Json, taint: Mapping[str, str]) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    return toleration.get("key") == taint["key"] and (toleration.get("value") or "") == (
        taint.get("value") or ""
    )


def selects(pod: Json, labels: Mapping[str, str]) -> bool:
    """Whether the pod's node selector and required node affinity match these labels."""
    spec = pod["spec"]
    wanted: Mapping[str, str] = spec.get("nodeSelector") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(
        all(matches(term, labels) for term in one.get("matchExpressions") or ())
        for one in required["nodeSelectorTerms"]
    )


def matches(expression: Json, labels: Mapping[str, str]) -> bool:
    """Whether labels match one expression of a selector."""
    key, operator = expression["key"], expression["operator"]
    values, present = expression.get("values") or [], expression["key"] in labels
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return labels.get(key) not in values
    if operator == "Exists":
        return present
    if operator == "DoesNotExist":
        return not present
    if not present or not labels[key].lstrip("-").isdigit():
        return False
    number_ = int(labels[key])
    return number_ > int(values[0]) if operator == "Gt" else number_ < int(values[0])


def is_selected_by(selector: Json | None, pod: Json) -> bool:
    """Whether a label selector matches a pod. A missing selector matches none."""
    if selector is None:
        return False
    labels = pod["metadata"].get("labels") or {}
    exact: Mapping[str, str] = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in exact.items()) and all(
        matches(expression, labels) for expression in selector.get("matchExpressions") or ()
    )


def spreads(pod: Json, zone: str, placed: Iterable[tuple[Json, str]], zones: set[str]) -> bool:
    """Whether placing the pod in `zone` satisfies its mandatory zone spread constraints.

    `placed` are the scheduled pods with their zones, `zones` those that the pod is spread over.
    """
    for constraint in pod["spec"].get("topologySpreadConstraints") or ():
        if constraint["whenUnsatisfiable"] != "DoNotSchedule":
            continue
        if constraint["topologyKey"] != "topology.kubernetes.io/zone":
            continue
        counts = Counter(dict.fromkeys(zones, 0))
        for other, where in placed:
            same = other["metadata"].get("namespace") == pod["metadata"].get("namespace")
            if same and where in zones and is_selected_by(constraint.get("labelSelector"), other):
                counts[where] += 1
        if counts[zone] + 1 - min(counts.values()) > constraint["maxSkew"]:
            return False
    return True
