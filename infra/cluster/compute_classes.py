"""Settings: compute classes, which order node pools by preference, and what GKE needs of the pools.

A pool belongs to a class by a label and a taint of its nodes. The class itself is an object of the
cluster, which the serving layer creates from the contract:
https://docs.cloud.google.com/kubernetes-engine/docs/concepts/about-custom-compute-classes
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated

from msgspec import Meta, structs

from gkeplatform.config import Settings, suggestion
from gkeplatform.contracts import COMPUTE_CLASS, ComputeClass
from infra.cluster.pool_settings import NodePoolArgs, Taint

_BUILT_IN = ("autopilot", "autopilot-arm", "autopilot-spot", "default")
"""Classes that GKE defines, and the name of the class of pods that select none."""


class Priority(Settings):
    """One choice of a class. Pools in one list are equal: the one that fits best grows."""

    node_pools: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="Names of node pools that are equally good."),
    ]


class ComputeClassArgs(Settings):
    """A compute class: node pools for the same models, in the order of preference."""

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
        if self.name in _BUILT_IN:
            raise ValueError(f'name: "{self.name}" is a name that GKE gives; choose another')
        if twice := [name for name, times in Counter(self.pools).items() if times > 1]:
            raise ValueError(f'priorities: pool "{twice[0]}" is listed twice; remove one of them')


def check(classes: Sequence[ComputeClassArgs], pools: Sequence[NodePoolArgs]) -> None:
    """`ValueError` for the first class whose pools cannot be its own."""
    for problem in _problems(classes, pools):
        raise ValueError(problem)


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
    return tuple(
        structs.replace(
            pool,
            labels={**pool.labels, COMPUTE_CLASS: owner[pool.name]},
            taints=(*pool.taints, Taint(key=COMPUTE_CLASS, value=owner[pool.name])),
        )
        if pool.name in owner
        else pool
        for pool in pools
    )


def published(classes: Sequence[ComputeClassArgs]) -> tuple[ComputeClass, ...]:
    """The classes as the contract publishes them."""
    return tuple(
        ComputeClass(
            name=one.name,
            priorities=tuple(priority.node_pools for priority in one.priorities),
            active_migration=one.active_migration,
        )
        for one in classes
    )
