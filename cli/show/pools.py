"""Node pools of a picture: those of the contract, and those that the cluster made by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypedDict

from cli.show.cluster import Amounts, Node
from cli.show.google_console import GoogleConsole
from cli.show.picture import Pool
from gkeplatform.contracts import NodePool


def of_cluster(
    published: Iterable[NodePool],
    nodes: Iterable[Node],
    *,
    place: Callable[[str], str],
    console: GoogleConsole,
) -> Iterator[Pool]:
    """The pools with their nodes. `place` says where the stack file declares a pool."""
    by_pool: dict[str, list[Node]] = {}
    for node in nodes:
        by_pool.setdefault(node.pool, []).append(node)
    for pool in published:
        yield Pool(
            name=pool.name,
            place=place(pool.name),
            machine_type=pool.machine_type,
            accelerator=pool.accelerator or pool.tpu,
            zones=pool.zones,
            least=pool.min_nodes * len(pool.zones),
            most=pool.max_nodes * len(pool.zones) if pool.max_total is None else pool.max_total,
            spot=pool.spot,
            compute_class=pool.compute_class,
            compact=pool.compact,
            console=console.node_pool(pool.name),
            **_use(by_pool.pop(pool.name, [])),
        )
    for name in sorted(by_pool):
        yield _made(by_pool[name], console)


def _made(nodes: Sequence[Node], console: GoogleConsole) -> Pool:
    """A pool that the cluster made: what its nodes say of it."""
    one = nodes[0]
    return Pool(
        name=one.pool,
        place="",
        machine_type=one.machine_type,
        accelerator=one.accelerator,
        zones=tuple(sorted({node.zone for node in nodes})),
        least=0,
        most=None,
        spot=one.spot,
        compute_class=one.compute_class,
        console=console.node_pool(one.pool),
        **_use(nodes),
    )


class _Use(TypedDict):
    """A pool's nodes, and what they add up to."""

    nodes: tuple[Node, ...]
    allocatable: Amounts
    requested: Amounts


def _use(nodes: Sequence[Node]) -> _Use:
    return {
        "nodes": tuple(nodes),
        "allocatable": sum((node.allocatable for node in nodes), Amounts()),
        "requested": sum((node.requested for node in nodes), Amounts()),
    }
