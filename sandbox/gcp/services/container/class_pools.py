"""The node pools that GKE may create for the rules of a compute class. Pure functions.

A rule with neither machine type, series nor GPU means E2, as in the reference:
https://docs.cloud.google.com/kubernetes-engine/docs/concepts/about-custom-compute-classes. Of a
series the predefined `standard` types are offered; custom machine types and TPUs are not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from facts.machines import MachineType, catalog
from sandbox.gcp.services.container.wire_format import Json

LABEL = "cloud.google.com/compute-class"
RESERVATION = "cloud.google.com/reservation-name"
OLDEST = "1.33.3-gke.1136000"
"""From this version on a class has pools without cluster-level node auto-provisioning."""
_DEFAULT_SERIES = "e2"
_LARGEST = 32
"""Cores of the largest machine of a series that is offered."""
_GIB = 1024


def machines(rule: Json) -> Iterator[MachineType]:
    """The machine types that a rule allows."""
    gpu: Json = rule.get("gpu") or {}
    named = rule.get("machineType")
    series = rule.get("machineFamily") or (None if gpu or named else _DEFAULT_SERIES)
    for machine in catalog().machine_types.values():
        own = machine.accelerators
        if named and machine.name != named:
            continue
        if series and machine.family != series:
            continue
        if not named and machine.tpus:
            continue
        if bool(gpu) != (own is not None):
            continue
        if own and gpu.get("type", own.type) != own.type:
            continue
        if own and int(gpu.get("count") or own.count) != own.count:
            continue
        if not named and not gpu and not _is_offered(machine):
            continue
        if machine.cpus < int(rule.get("minCores") or 0):
            continue
        if machine.memory_mib < int(rule.get("minMemoryGb") or 0) * _GIB:
            continue
        yield machine


def _is_offered(machine: MachineType) -> bool:
    return "-standard-" in machine.name and machine.cpus <= _LARGEST


def name(cluster: str, class_: str, rule: Json, machine: MachineType) -> str:
    """The name of the pool, which the rule and its class determine."""
    gpus = f"-gpu{machine.accelerators.count}" if machine.accelerators else ""
    text = json.dumps([cluster, class_, rule, machine.name], sort_keys=True)
    return f"nap-{machine.name}{gpus}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def config(class_: str, rule: Json, nodes: Json) -> Json:
    """The node configuration that a rule and its class ask for, without machine type and GPUs.

    `nodes` is the class's `nodePoolConfig`.
    """
    storage: Json = rule.get("storage") or {}
    reservation = _reservation(rule)
    labels = {**(nodes.get("nodeLabels") or {}), **(rule.get("nodeLabels") or {}), LABEL: class_}
    if reservation:
        labels[RESERVATION] = reservation
    taints = [*(nodes.get("taints") or ()), *(rule.get("taints") or ())]
    found: Json = {
        "labels": labels,
        "taints": [
            *({**one, "effect": _EFFECTS.get(one.get("effect", ""), "")} for one in taints),
            {"key": LABEL, "value": class_, "effect": "NO_SCHEDULE"},
        ],
        "reservationAffinity": _affinity(rule, reservation),
        "spot": bool(rule.get("spot")),
    }
    if nodes.get("serviceAccount"):
        found["serviceAccount"] = nodes["serviceAccount"]
    if nodes.get("imageType"):
        found["imageType"] = str(nodes["imageType"]).upper()
    if is_flex_start(rule):
        found["flexStart"] = True
    if rule.get("maxRunDurationSeconds"):
        found["maxRunDuration"] = f"{rule['maxRunDurationSeconds']}s"
    given = {
        "diskType": storage.get("bootDiskType"),
        "diskSizeGb": storage.get("bootDiskSize"),
        "bootDiskKmsKey": storage.get("bootDiskKMSKey"),
    }
    if storage.get("localSSDCount"):
        given["ephemeralStorageLocalSsdConfig"] = {"localSsdCount": storage["localSSDCount"]}
    return found | {key: value for key, value in given.items() if value}


def gpus(rule: Json, machine: MachineType) -> Json:
    """The GPUs of the nodes, with the driver; nothing without GPUs."""
    own = machine.accelerators
    if own is None:
        return {}
    made: Json = {"acceleratorType": own.type, "acceleratorCount": str(own.count)}
    version = str((rule.get("gpu") or {}).get("driverVersion") or "default").upper()
    made["gpuDriverInstallationConfig"] = {"gpuDriverVersion": version}
    return {"accelerators": [made]}


def is_flex_start(rule: Json) -> bool:
    """Whether the rule asks for flex-start nodes."""
    return bool((rule.get("flexStart") or {}).get("enabled"))


def zones(rule: Json) -> list[str]:
    """The zones that a rule names; empty without any."""
    return list((rule.get("location") or {}).get("zones") or ())


_EFFECTS: dict[str, Any] = {
    "NoSchedule": "NO_SCHEDULE",
    "PreferNoSchedule": "PREFER_NO_SCHEDULE",
    "NoExecute": "NO_EXECUTE",
}


def _reservation(rule: Json) -> str:
    found: Json = rule.get("reservations") or {}
    if found.get("affinity") != "Specific":
        return ""
    specific: list[Json] = found.get("specific") or []
    return str(specific[0].get("name") or "") if specific else ""


def _affinity(rule: Json, reservation: str) -> Json:
    if reservation:
        return {
            "consumeReservationType": "SPECIFIC_RESERVATION",
            "key": "compute.googleapis.com/reservation-name",
            "values": [reservation],
        }
    kinds = {"AnyBestEffort": "ANY_RESERVATION"}
    asked = str((rule.get("reservations") or {}).get("affinity") or "")
    return {"consumeReservationType": kinds.get(asked, "NO_RESERVATION")}
