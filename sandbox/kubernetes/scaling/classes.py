"""Compute classes as the cluster autoscaler reads them: which pools a pod prefers. Pure functions.

A class counts for the pools that have its label. GKE also creates pools for a class
(`nodePoolAutoCreation`), by the rules that describe nodes.
https://docs.cloud.google.com/kubernetes-engine/docs/concepts/about-custom-compute-classes
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from facts.quantity import amount
from sandbox.kubernetes.specs import ClassRule, NodeSpec, ScalingGroup, ScalingPool

Json = dict[str, Any]
LABEL = "cloud.google.com/compute-class"
_SPOT, _FLEX_START = "cloud.google.com/gke-spot", "cloud.google.com/gke-flex-start"
_GPU, _TPU = "cloud.google.com/gke-accelerator", "cloud.google.com/gke-tpu-accelerator"
_TOPOLOGY = "cloud.google.com/gke-tpu-topology"
_RESERVATION = "cloud.google.com/reservation-name"
_DEFAULT = {"machineFamily": "e2"}
"""Nodes of a class that is satisfied by any, and of a rule that says nothing else."""
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class ComputeClass:
    """A class, as far as the autoscaler reads it."""

    name: str
    rules: tuple[Json, ...]
    """The priorities, the preferred one first."""
    scales_anyway: bool
    """Whether other pools grow once no rule can be met."""
    migrates: bool
    """Whether pods return to nodes of preferred rules."""
    nodes: Json | None = None
    """The configuration of nodes whose pools GKE creates; None if it creates none."""

    @property
    def creatable(self) -> Iterator[ClassRule]:
        """The rules that pools may be created for."""
        if self.nodes is None:
            return
        anyway = (_DEFAULT,) if self.scales_anyway else ()
        for rule in (*self.rules, *anyway):
            if "nodepools" not in rule and not rule.get("podFamily"):
                yield ClassRule(class_name=self.name, rule=rule, nodes=self.nodes)

    def rank(self, pool: ScalingPool, group: ScalingGroup) -> int | None:
        """The first rule that a node of the group meets; None if it may not grow for the class."""
        if group.template.labels.get(LABEL) != self.name:
            return None
        for index, rule in enumerate(self.rules):
            if _meets(rule, pool.name, group.template):
                return index
        return len(self.rules) if self.scales_anyway else None


def read(objects: Iterable[Json]) -> dict[str, ComputeClass]:
    """The classes of a cluster by name."""
    found = {}
    for one in objects:
        name, spec = str(one["metadata"]["name"]), one.get("spec") or {}
        defaults = spec.get("priorityDefaults") or {}
        creates = (spec.get("nodePoolAutoCreation") or {}).get("enabled")
        found[name] = ComputeClass(
            name=name,
            rules=tuple(_ranked([_whole(rule, defaults) for rule in spec.get("priorities") or ()])),
            scales_anyway=spec.get("whenUnsatisfiable") == "ScaleUpAnyway",
            migrates=bool((spec.get("activeMigration") or {}).get("optimizeRulePriority")),
            nodes=(spec.get("nodePoolConfig") or {}) if creates else None,
        )
    return found


def _whole(rule: Json, defaults: Json) -> Json:
    """A rule with the defaults of all; one that names pools has none."""
    return rule if "nodepools" in rule else {**defaults, **rule}


def _ranked(rules: list[Json]) -> list[Json]:
    """In the order in which they are tried: higher scores first, where there are any."""
    return sorted(rules, key=lambda rule: -int(rule.get("priorityScore") or 0))


def of_pod(pod: Json) -> str:
    """The class that a pod selects, by node selector or required affinity; empty without one."""
    spec = pod["spec"]
    if named := (spec.get("nodeSelector") or {}).get(LABEL):
        return str(named)
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for one in term.get("matchExpressions") or ():
            if one["key"] == LABEL and one["operator"] == "In" and len(one["values"]) == 1:
                return str(one["values"][0])
    return ""


def _meets(rule: Json, pool: str, node: NodeSpec) -> bool:
    """Whether nodes of a pool are what a rule asks for.

    Nodes of a specific reservation are known by the label that created pools have.
    """
    if "nodepools" in rule:
        return pool in rule["nodepools"]
    if rule.get("podFamily"):
        return False
    labels, held = node.labels, rule.get("reservations") or {}
    if held.get("affinity") == "Specific":
        named = [one.get("name") for one in held.get("specific") or ()]
        if labels.get(_RESERVATION) not in named:
            return False
    gpu, tpu = rule.get("gpu") or {}, rule.get("tpu") or {}
    zones = (rule.get("location") or {}).get("zones")
    flex = bool((rule.get("flexStart") or {}).get("enabled"))
    return (
        rule.get("machineType", node.machine_type) == node.machine_type
        and rule.get("machineFamily", _family(node)) == _family(node)
        and bool(rule.get("spot")) == (labels.get(_SPOT) == "true")
        and flex == (labels.get(_FLEX_START) == "true")
        and amount(node.cpu) >= int(rule.get("minCores") or 0)
        and amount(node.memory) >= int(rule.get("minMemoryGb") or 0) * _GIB
        and (zones is None or node.zone in zones)
        and _has(labels, _GPU, gpu.get("type"))
        and (not gpu.get("count") or node.accelerators == gpu["count"])
        and _has(labels, _TPU, tpu.get("type"))
        and _has(labels, _TOPOLOGY, tpu.get("topology"))
    )


def _family(node: NodeSpec) -> str:
    return node.machine_type.partition("-")[0]


def _has(labels: Mapping[str, str], key: str, wanted: str | None) -> bool:
    return wanted is None or labels.get(key) == wanted
