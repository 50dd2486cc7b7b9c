"""Settings: compute classes, which order nodes by preference, and what GKE needs of their pools.

A pool belongs to a class by a label and a taint of its nodes; pools that GKE creates for a class
get both from GKE. The class itself is an object of the cluster, which the serving layer creates
from the contract:
https://docs.cloud.google.com/kubernetes-engine/docs/concepts/about-custom-compute-classes
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated

from msgspec import Meta, structs

from gkeplatform.config import Settings, suggestion
from gkeplatform.contracts import COMPUTE_CLASS
from infra.cluster import created_pools
from infra.cluster.cluster_settings import ClusterArgs
from infra.cluster.created_pools import CreatedPoolArgs
from infra.cluster.pool_settings import NodePoolArgs, Taint

_TAKEN = ("autopilot", "gke")
"""How names of classes do not begin, on GKE."""
_DEFAULT = "default"
"""The name of the class of pods that select none."""


class Priority(Settings):
    """One choice of a class: node pools, or nodes that GKE creates pools for.

    Pools in one list are equal: the one that fits best grows.
    """

    node_pools: Annotated[
        tuple[str, ...],
        Meta(description="Names of node pools that are equally good."),
    ] = ()
    create: Annotated[
        CreatedPoolArgs | None,
        Meta(description="Nodes for which GKE creates pools, in place of `node_pools`."),
    ] = None

    def __post_init__(self) -> None:
        if bool(self.node_pools) == (self.create is not None):
            raise ValueError(
                "a choice has either node_pools or create; GKE takes no rule with both: make two "
                "choices of it"
                if self.node_pools
                else "a choice has either node_pools or create; set one of them"
            )


class ComputeClassArgs(Settings):
    """A compute class: nodes for the same models, in the order of preference."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$",
            description="Name of the class. Another name replaces the class.",
        ),
    ]
    priorities: Annotated[
        tuple[Priority, ...],
        Meta(min_length=1, description="Choices, the preferred one first."),
    ]
    active_migration: Annotated[
        bool,
        Meta(
            description="Pods return to a preferred choice once it has nodes again, as far as "
            "their disruption budgets allow."
        ),
    ] = True

    @property
    def pools(self) -> tuple[str, ...]:
        """The names of its pools, the preferred ones first."""
        return tuple(name for one in self.priorities for name in one.node_pools)

    def __post_init__(self) -> None:
        if self.name == _DEFAULT or self.name.startswith(_TAKEN):
            raise ValueError(
                f'name: "{self.name}" is a name that GKE gives, as are all that begin with '
                f"{' or '.join(_TAKEN)}; choose another"
            )
        if twice := [name for name, times in Counter(self.pools).items() if times > 1]:
            raise ValueError(f'priorities: pool "{twice[0]}" is listed twice; remove one of them')


def check(
    classes: Sequence[ComputeClassArgs], pools: Sequence[NodePoolArgs], cluster: ClusterArgs
) -> None:
    """`ValueError` for the first class whose pools cannot be its own, or cannot be created."""
    for problem in _problems(classes, pools):
        raise ValueError(problem)
    for key, args in created(classes):
        for problem in created_pools.problems(
            key, args, cluster.auto_provisioning, pools, cluster.zones
        ):
            raise ValueError(problem)


def created(classes: Sequence[ComputeClassArgs]) -> Iterator[tuple[str, CreatedPoolArgs]]:
    """The choices that GKE creates pools for, by their keys."""
    for index, one in enumerate(classes):
        for place, priority in enumerate(one.priorities):
            if priority.create:
                yield f"compute_classes[{index}].priorities[{place}].create", priority.create


def _problems(classes: Sequence[ComputeClassArgs], pools: Sequence[NodePoolArgs]) -> Iterator[str]:
    names = {pool.name: pool for pool in pools}
    owner: dict[str, str] = {}
    for index, one in enumerate(classes):
        key = f"compute_classes[{index}]"
        if one.name in [other.name for other in classes[:index]]:
            yield f'{key}.name: two classes are named "{one.name}"; rename one'
        for place, priority in enumerate(one.priorities):
            for position, name in enumerate(priority.node_pools):
                at = f"{key}.priorities[{place}].node_pools[{position}]"
                if name not in names:
                    yield f'{at}: there is no pool "{name}"; {suggestion(name, names)}'
                elif name in owner:
                    yield (
                        f'{at}: pool "{name}" is in class {owner[name]} already, and a node has '
                        "one class; add a pool for this one"
                    )
                elif names[name].queued:
                    yield (
                        f'{at}: nodes of "{name}" are created for a ProvisioningRequest only '
                        "(queued); set flex_start without queued, or leave the pool out"
                    )
                owner[name] = one.name
    for index, pool in enumerate(pools):
        for kind, found in (("labels", pool.labels), ("taints", [t.key for t in pool.taints])):
            if COMPUTE_CLASS in found:
                yield (
                    f"node_pools[{index}].{kind}: {COMPUTE_CLASS} is set for the pools of "
                    "compute_classes; remove it, and name the pool in a class"
                )
    if owner and all(name in owner for name in names):
        yield (
            "compute_classes: every node pool is in a class, so that no node takes the pods that "
            "select none, such as those of GKE itself; add a pool outside of the classes"
        )


def bound(
    pools: Sequence[NodePoolArgs], classes: Sequence[ComputeClassArgs]
) -> tuple[NodePoolArgs, ...]:
    """The pools with the label and the taint of their classes."""
    owner = {name: one.name for one in classes for name in one.pools}
    return tuple(of_class(pool, owner[pool.name]) if pool.name in owner else pool for pool in pools)


def of_class(pool: NodePoolArgs, name: str) -> NodePoolArgs:
    """The pool with the label and the taint of a class."""
    return structs.replace(
        pool,
        labels={**pool.labels, COMPUTE_CLASS: name},
        taints=(*pool.taints, Taint(key=COMPUTE_CLASS, value=name)),
    )
