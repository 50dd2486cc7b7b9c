"""Persistent volumes, which grow and never shrink: what the deployed ones cannot become.

Kubernetes refuses a claim that asks for less than before. A claim's storage class cannot change:
the provider would delete the claim, which waits for the pods that use it. Zalando's operator leaves
the volumes of a cluster as they are when they should be smaller, and the cluster's status says
Running all the same (`syncVolumeClaims` of 1.15).

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#expanding-persistent-volumes-claims
"""

from collections.abc import Collection, Iterator

from facts.filestore import TIERS
from gkeplatform.contracts import Disk, ServingContract
from gkeplatform.errors import PlatformError
from infra.serving.config import ServingConfig
from infra.serving.models.files import claim
from infra.serving.models.shared_cache import SharedCache, class_of
from infra.serving.quantity import amount

_FILESTORE = frozenset(map(class_of, TIERS))
"""The platform's own classes, which an entry names by their tier."""


def refuse(config: ServingConfig, deployed: ServingContract | None, *, cluster: str) -> None:
    """`PlatformError` for a volume that would shrink or change its class.

    `deployed` is what this layer published last, `cluster` the present cluster's generation: the
    volumes of a cluster that was replaced are gone.
    """
    if deployed is None or deployed.generation != cluster:
        return
    had = {_place(one): one for one in deployed.disks}
    for key, disk in _declared(config):
        before = had.get(_place(disk))
        problem = _problem(key, before, disk) if before else None
        if problem:
            raise PlatformError(problem)


def published(
    config: ServingConfig, deployed: ServingContract | None, staying: Collection[str]
) -> list[Disk]:
    """The volumes to publish. `staying` are versions that have left the catalogue, with theirs."""
    here = [disk for _, disk in _declared(config)]
    places = {_place(disk) for disk in here}
    return [
        *here,
        *(
            one
            for one in (deployed.disks if deployed else ())
            if one.kind == "files" and one.owner in staying and _place(one) not in places
        ),
    ]


def _declared(config: ServingConfig) -> Iterator[tuple[str, Disk]]:
    """Each volume of the stack file, with the key of its settings."""
    for one in config.workloads:
        if isinstance(one.files, SharedCache):
            yield (
                f"{one.key}.files",
                Disk(
                    kind="files",
                    owner=one.name,
                    namespace=one.namespace,
                    size=one.files.size,
                    storage_class=one.files.class_name,
                ),
            )
    for index, cluster in enumerate(config.clusters):
        volume = cluster.settings.volume
        yield (
            f"gke-serving:postgres.clusters[{index}].volume",
            Disk(
                kind="postgres",
                owner=cluster.name,
                namespace=cluster.namespace,
                size=volume.size,
                storage_class=volume.storage_class,
            ),
        )


def _place(disk: Disk) -> tuple[str, str, str]:
    return disk.kind, disk.namespace, disk.owner


def _problem(key: str, before: Disk, wanted: Disk) -> str | None:
    is_smaller = amount(wanted.size) < amount(before.size)
    if wanted.kind == "postgres":
        return (
            f"{key}.size: {wanted.size} is less than the {before.size} that each volume of "
            f'Postgres cluster "{wanted.owner}" has, and volumes only grow: its operator would '
            f"leave them as they are; keep {before.size}\nhint: for smaller volumes declare a "
            "cluster of another name that starts as a copy of this one (`restore`), name it in the "
            "models, and remove this one afterwards"
            if is_smaller
            else None
        )
    where = f"volume {before.namespace}/{claim(before.owner)}"
    anew = (
        "\nhint: to have it anew deploy once with another `via`, such as gcs-fuse, which deletes "
        "the volume and the copies on it, and then with this value"
    )
    if is_smaller:
        return (
            f"{key}.size: {wanted.size} is less than the {before.size} that {where} has, and a "
            f"volume only grows; keep {before.size}{anew}"
        )
    had = before.storage_class
    if wanted.storage_class != had:
        own = "" if had in _FILESTORE else f" by storage_class: {had}"
        return (
            f"{key}: {where} has the class {had}, and the class of a volume cannot change to "
            f"{wanted.storage_class}; keep it{own}{anew}"
        )
    return None
