"""Compute classes: whether the cluster has those that models name, and every choice fits.

GKE creates nodes of the first choice that has capacity, and the pod is the same on each: one whose
pod fits some of the choices only would wait where capacity is found. What its server is told may
differ by the type of GPU (`models/gpu_arguments.py`). GKE knows the kind from the
version below on:
https://docs.cloud.google.com/kubernetes-engine/docs/concepts/about-custom-compute-classes
"""

import re
from collections.abc import Mapping, Sequence

from msgspec import ValidationError, structs

from facts.gpu_devices import devices
from gkeplatform.config import suggestion
from gkeplatform.contracts import ClusterContract, NodePool
from gkeplatform.errors import PlatformError
from infra.serving.models import Model, Workload
from infra.serving.models.memory import check as check_memory
from infra.serving.placement.fit import requested, shortages

OLDEST = "1.30.3-gke.1451000"
OLDEST_CREATING = "1.34.1-gke.1431000"
"""The first version that takes the boot disk of a rule for which GKE creates pools."""
_VERSION = re.compile(r"^(\d+)\.(\d+)\.(\d+)-gke\.(\d+)")


def check(
    workloads: Sequence[Workload], models: Mapping[str, Model], cluster: ClusterContract
) -> None:
    """`PlatformError` for a class that the cluster has not, or a choice that a model does not fit.

    `models` are the entries by the key of their workloads.
    """
    for workload in workloads:
        if workload.compute_class is None:
            continue
        _check_class(workload, cluster)
        _check_choices(workload, cluster.all_nodes)
        _check_arguments(workload, cluster.all_nodes)
        if model := models.get(workload.key):
            _check_memory(model, workload, cluster.all_nodes)


def _check_class(workload: Workload, cluster: ClusterContract) -> None:
    key, wanted = f"{workload.key}.compute_class", workload.compute_class or ""
    names = [one.name for one in cluster.compute_classes]
    if wanted not in names:
        near = suggestion(wanted, names) if names else "it has none"
        raise PlatformError(
            f'{key}: cluster {cluster.name} has no class "{wanted}"; {near}; classes are '
            "gke-cluster:compute_classes"
        )
    creates = any(one.created for one in cluster.compute_classes if one.name == wanted)
    oldest = OLDEST_CREATING if creates else OLDEST
    if cluster.version and _number(cluster.version) < _number(oldest):
        what = "compute classes that create pools" if creates else "compute classes"
        raise PlatformError(
            f"{key}: {what} need GKE {oldest} or later, and cluster {cluster.name} runs "
            f"{cluster.version}; upgrade the control plane, or set a release channel "
            "(gke-cluster:cluster.release_channel) that offers it"
        )


def _check_choices(workload: Workload, pools: Sequence[NodePool]) -> None:
    for pool in pools:
        if pool.compute_class != workload.compute_class:
            continue
        if short := shortages(workload, pool):
            raise PlatformError(
                f"{workload.key}.compute_class: pool {pool.name} of class "
                f"{workload.compute_class} cannot take a replica, which asks for "
                f"{requested(workload)}: {'; '.join(short)}; ask for what every pool of the class "
                "has, or take the pool out of gke-cluster:compute_classes"
            )


def _kinds(workload: Workload, pools: Sequence[NodePool]) -> dict[str, str]:
    """The types of GPUs in the workload's class, and a pool that has each."""
    return {
        pool.accelerator: pool.name
        for pool in pools
        if pool.compute_class == workload.compute_class and pool.accelerator
    }


def _check_arguments(workload: Workload, pools: Sequence[NodePool]) -> None:
    """Refuses arguments for GPUs that the class has not, or that a pod could not recognize."""
    by_gpu = workload.arguments_by_gpu
    if not by_gpu:
        return
    key, kinds, known = f"{workload.key}.arguments_by_gpu", _kinds(workload, pools), devices()
    for kind in by_gpu:
        if kind not in kinds:
            raise PlatformError(
                f"{key}.{kind}: no pool of class {workload.compute_class} has it; "
                f"{suggestion(kind, kinds)}; remove it, or add a pool to the class"
            )
    for kind, pool in kinds.items():
        if kind not in known:
            raise PlatformError(
                f"{key}: pool {pool} of class {workload.compute_class} has {kind}, whose device is "
                "not known, so a pod there would not start; take the pool out of the class, or "
                "remove arguments_by_gpu"
            )
        for other in kinds:
            is_same = known.get(other) == known[kind]
            if is_same and by_gpu.get(other) != by_gpu.get(kind):
                first, second = sorted((kind, other))
                raise PlatformError(
                    f"{key}: {first} and {second} are one device, {known[kind].name}, and a pod "
                    f"cannot tell which it has; write the same for both"
                )


def _check_memory(model: Model, workload: Workload, pools: Sequence[NodePool]) -> None:
    """A language model starts on every type of GPU of the class, with the arguments for it."""
    gpu = model.resources.gpu
    if gpu is None:
        return
    for kind, pool in sorted(_kinds(workload, pools).items()):
        told = (*model.arguments, *model.arguments_by_gpu.get(kind, ()))
        named = structs.replace(model.resources, gpu=structs.replace(gpu, type=kind))
        try:
            check_memory(
                structs.replace(
                    model,
                    resources=named,
                    arguments=told,
                    arguments_by_gpu={},
                    compute_class=None,
                )
            )
        except (ValueError, ValidationError) as error:
            raise PlatformError(
                f"{workload.key}.compute_class: pool {pool} of class {workload.compute_class}: "
                f"{error}{_for_one(model, kind)}"
            ) from None


def _for_one(model: Model, kind: str) -> str:
    """Where an argument for one type is written, for messages."""
    if not model.preset.chooses_arguments:
        return ""
    return f" (an argument for {kind} alone: arguments_by_gpu.{kind})"


def _number(version: str) -> tuple[int, ...]:
    """For comparison; an unreadable version is the oldest."""
    found = _VERSION.match(version)
    return tuple(int(part) for part in found.groups()) if found else ()
