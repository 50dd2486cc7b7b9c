"""Taints that Kubernetes Engine adds to a node pool of its own accord. Pure functions.

Spot and preemptible nodes get labels and no taint.
"""

from __future__ import annotations

from collections.abc import Iterator

from facts.machines import machine_type
from sandbox.gcp.services.container.wire_format import Json

GVISOR_KEY = "sandbox.gke.io/runtime"


def _taint(key: str, value: str) -> Json:
    return {"key": key, "value": value, "effect": "NO_SCHEDULE"}


# https://docs.cloud.google.com/kubernetes-engine/docs/how-to/gpus
_GPU = _taint("nvidia.com/gpu", "present")
# https://docs.cloud.google.com/kubernetes-engine/docs/how-to/tpus
_TPU = _taint("google.com/tpu", "present")
# https://docs.cloud.google.com/kubernetes-engine/docs/how-to/prepare-arm-workloads-for-deployment
_ARM = _taint("kubernetes.io/arch", "arm64")
# https://docs.cloud.google.com/kubernetes-engine/docs/how-to/sandbox-pods
_GVISOR = _taint(GVISOR_KEY, "gvisor")
# https://docs.cloud.google.com/kubernetes-engine/docs/how-to/provisioningrequest
_QUEUED = _taint("cloud.google.com/gke-queued", "true")
_ALL = (_GPU, _TPU, _ARM, _GVISOR, _QUEUED)


def settle(config: Json, *, has_gpus: bool, is_queued: bool) -> None:
    """Set the taints of a node configuration: those asked for, and the ones that GKE adds.

    A taint that is asked for replaces GKE's of the same key.
    """
    asked = [taint for taint in config.get("taints") or [] if taint not in _ALL]
    keys = {taint.get("key") for taint in asked}
    added = _added(config, has_gpus=has_gpus, is_queued=is_queued)
    taints = [*asked, *(dict(taint) for taint in added if taint["key"] not in keys)]
    if taints:
        config["taints"] = taints
    else:
        config.pop("taints", None)


def is_gvisor(config: Json) -> bool:
    """Whether the pool's pods run in GKE Sandbox."""
    return str((config.get("sandboxConfig") or {}).get("type") or "").upper() == "GVISOR"


def _added(config: Json, *, has_gpus: bool, is_queued: bool) -> Iterator[Json]:
    machine = machine_type(config["machineType"])
    if has_gpus:
        yield _GPU
    if machine is not None and machine.tpus:
        yield _TPU
    behavior = (config.get("taintConfig") or {}).get("architectureTaintBehavior")
    if machine is not None and machine.architecture == "arm64" and behavior != "NONE":
        yield _ARM
    if is_gvisor(config):
        yield _GVISOR
    if is_queued:
        yield _QUEUED
