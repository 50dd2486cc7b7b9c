"""Compute classes: whether the cluster has those that models name, and every choice fits.

GKE creates nodes of the first choice that has capacity, and the pod is the same on each: one whose
pod fits some of the choices only would wait where capacity is found. GKE knows the kind from the
version below on:
https://docs.cloud.google.com/kubernetes-engine/docs/concepts/about-custom-compute-classes
"""

import re
from collections.abc import Mapping, Sequence

from msgspec import ValidationError, structs

from gkeplatform.config import suggestion
from gkeplatform.contracts import ClusterContract, NodePool
from gkeplatform.errors import PlatformError
from infra.serving.models import Model, Workload
from infra.serving.models.memory import check as check_memory
from infra.serving.placement.fit import requested, shortages

OLDEST = "1.30.3-gke.1451000"
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
        _check_choices(workload, cluster.node_pools)
        if model := models.get(workload.key):
            _check_memory(model, workload, cluster.node_pools)


def _check_class(workload: Workload, cluster: ClusterContract) -> None:
    key, wanted = f"{workload.key}.compute_class", workload.compute_class or ""
    names = [one.name for one in cluster.compute_classes]
    if wanted not in names:
        near = suggestion(wanted, names) if names else "it has none"
        raise PlatformError(
            f'{key}: cluster {cluster.name} has no class "{wanted}"; {near}; classes are '
            "gke-cluster:compute_classes"
        )
    if cluster.version and _number(cluster.version) < _number(OLDEST):
        raise PlatformError(
            f"{key}: compute classes need GKE {OLDEST} or later, and cluster {cluster.name} runs "
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


def _check_memory(model: Model, workload: Workload, pools: Sequence[NodePool]) -> None:
    """A language model starts on every type of GPU of the class, with the same arguments."""
    gpu = model.resources.gpu
    if gpu is None:
        return
    kinds = {
        pool.accelerator: pool.name
        for pool in pools
        if pool.compute_class == workload.compute_class and pool.accelerator
    }
    for kind, pool in sorted(kinds.items()):
        named = structs.replace(model.resources, gpu=structs.replace(gpu, type=kind))
        try:
            check_memory(structs.replace(model, resources=named, compute_class=None))
        except (ValueError, ValidationError) as error:
            raise PlatformError(
                f"{workload.key}.compute_class: pool {pool} of class {workload.compute_class}: "
                f"{error}"
            ) from None


def _number(version: str) -> tuple[int, ...]:
    """For comparison; an unreadable version is the oldest."""
    found = _VERSION.match(version)
    return tuple(int(part) for part in found.groups()) if found else ()
