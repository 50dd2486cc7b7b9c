"""The layers of an environment as data: their names, folders and the contracts they read.

The order of deployment follows from `needs`. This module runs nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import TopologicalSorter


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One Pulumi project. `needs` names the layers whose contracts it reads."""

    name: str
    project: str
    directory: str
    """The folder that holds its Pulumi.yaml, relative to the root of the repository."""
    main: str
    """The folder that holds its program."""
    needs: tuple[str, ...] = ()


CLUSTER = Layer(
    name="cluster",
    project="gke-cluster",
    directory="infra/cluster",
    main="infra/cluster",
)
SERVING = Layer(
    name="serving",
    project="gke-serving",
    directory="infra/serving",
    main="infra/serving",
    needs=("cluster",),
)
NETWORKING = Layer(
    name="networking",
    project="gke-networking",
    directory="infra/networking",
    main="infra/networking",
    needs=("cluster", "serving"),
)
ENVIRONMENT = Layer(
    name="environment",
    project="gke-platform",
    directory=".",
    main="infra/environment",
    needs=("cluster", "serving", "networking"),
)

LAYERS: tuple[Layer, ...] = (CLUSTER, SERVING, NETWORKING, ENVIRONMENT)


def in_order(layers: Iterable[Layer] = LAYERS) -> tuple[Layer, ...]:
    """The layers, each after all that it reads."""
    chosen = {layer.name: layer for layer in layers}
    graph = {name: [n for n in layer.needs if n in chosen] for name, layer in chosen.items()}
    return tuple(chosen[name] for name in TopologicalSorter(graph).static_order())


def named(name: str) -> Layer:
    """The layer called `name`; `KeyError` when there is none."""
    return {layer.name: layer for layer in LAYERS}[name]
