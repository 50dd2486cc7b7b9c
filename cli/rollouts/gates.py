"""Pods whose containers are ready, and that a readiness gate keeps from being ready. Pure.

The Kubernetes provider names the gate at most. GKE puts one into the pods behind a network endpoint
group, and opens it when the load balancer's health check finds the pod healthy.
https://cloud.google.com/kubernetes-engine/docs/concepts/container-native-load-balancing
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cli import workloads

Json = dict[str, Any]
NEG = "cloud.google.com/load-balancer-neg-ready"
_WAITED = "failed to fully initialize"
_NAMED = re.compile(r'"([^"/\s]+)/([^"/\s]+)"')
_GROUPS = re.compile(r"NEG\(s\): \[([^\]]*)\]")
_POD = re.compile(r"^\s*(?:\* )?\[Pod ([^/\s]+/[^\]\s]+)\]:")


@dataclass(frozen=True, slots=True, order=True)
class Held:
    """A pod that waits for a gate."""

    pod: str
    """`namespace/name`."""
    gate: str
    groups: str = ""
    """The endpoint groups in one of which the load balancer must find it healthy."""

    def __str__(self) -> str:
        head = f"[Pod {self.pod}]: its containers are ready, and it waits for the readiness gate"
        if self.gate != NEG:
            return f"{head} {self.gate}"
        where = f" in {self.groups}" if self.groups else ""
        return f"{head} {NEG}: no health check of the load balancer finds it healthy{where}"


def failed(errors: Iterable[str]) -> list[tuple[str, str]]:
    """Namespace and name of the objects that the engine has waited for in vain."""
    found = [
        (match[1], match[2])
        for error in errors
        if _WAITED in error and (match := _NAMED.search(error))
    ]
    return list(dict.fromkeys(found))


def held(objects: Sequence[Json], name: str) -> list[Held]:
    """The pods of a workload that wait for gates; `objects` are of its namespace."""
    workload = next(
        (o for o in objects if o["kind"] in workloads.KINDS and o["metadata"]["name"] == name), None
    )
    if workload is None:
        return []
    wanted = workloads.selector(workload)
    return sorted(
        one
        for pod in objects
        if pod["kind"] == "Pod"
        and wanted
        and wanted.items() <= (pod["metadata"].get("labels") or {}).items()
        and "deletionTimestamp" not in pod["metadata"]
        for one in _held(pod)
    )


def _held(pod: Json) -> Iterable[Held]:
    conditions = {one["type"]: one for one in (pod.get("status") or {}).get("conditions") or ()}
    if (conditions.get("ContainersReady") or {}).get("status") != "True":
        return
    where = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    for gate in pod["spec"].get("readinessGates") or ():
        kind = str(gate["conditionType"])
        found = conditions.get(kind) or {}
        if found.get("status") != "True":
            groups = _GROUPS.search(str(found.get("message") or ""))
            yield Held(where, kind, ", ".join(groups[1].split()) if groups else "")


def told(error: str, waiting: Sequence[Held]) -> str:
    """An error of the engine with what these pods wait for in place of the provider's lines."""
    pods = {one.pod for one in waiting}
    lines = [
        line
        for line in error.splitlines()
        if not ((match := _POD.match(line)) and match[1] in pods)
    ]
    return "\n".join([*lines, *(f"  {one}" for one in waiting)])


def hint(waiting: Sequence[Held]) -> str:
    """What to do about them; empty where none waits for the load balancer."""
    if not any(one.gate == NEG for one in waiting):
        return ""
    return (
        "the former pods serve on; ask such a pod for the path and port of the health check, and "
        "look for a firewall rule that admits 130.211.0.0/22 and 35.191.0.0/16; deploy the former "
        "version again before these pods are ten minutes old: GKE then opens the gate in any "
        "case; "
    )
