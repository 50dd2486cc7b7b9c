"""A zone that has no more virtual machines: new pods wait, and what serves serves on.

The nodes that are there are cordoned, as if they were full, so that a rollout's first new pod needs
a node of its own. A model with a compute class loses its first choice only (`fallback.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from cli.drills import fallback
from cli.drills.cluster import Json
from cli.drills.fallback import Choice
from cli.drills.nodes import set_schedulable, zone_of
from cli.drills.rollouts import change_template, roll_back
from cli.drills.scene import Scene

_TYPE = "node.kubernetes.io/instance-type"
_FAILED = "FailedScaleUp"


@dataclass(frozen=True, slots=True)
class Found:
    """What the drill takes away."""

    nodes: tuple[str, ...]
    """Those that take pods."""
    stock: frozenset[tuple[str, str]]
    """Zones, and the machine types that they have none left of."""
    pods: frozenset[str]
    """The model's pods before, by uid: a group's new pods have the names of the former."""


def stock(scene: Scene) -> Found | Choice:
    """The nodes of the cluster, and what they are made of; with a class, of its first choice."""
    if taken := fallback.first_choice(scene):
        return taken
    return found(scene.cluster.nodes(), scene.ready_pods())


def found(nodes: list[Json], pods: list[Json]) -> Found:
    """The same of nodes and pods. Every machine type has run out in every zone."""
    zones = {zone_of(node) for node in nodes}
    types = {str(node["metadata"]["labels"].get(_TYPE, "")) for node in nodes}
    return Found(
        nodes=tuple(
            sorted(
                node["metadata"]["name"] for node in nodes if not node["spec"].get("unschedulable")
            )
        ),
        stock=frozenset((zone, machine) for zone in zones for machine in types),
        pods=frozenset(pod["metadata"]["uid"] for pod in pods),
    )


def run_out(scene: Scene, taken: Found | Choice) -> None:
    """Roll the model out where no node has room and no zone has another one."""
    if isinstance(taken, Choice):
        fallback.run_out(scene, taken)
        return
    for zone, machine in sorted(taken.stock):
        scene.control.set_stock(zone, machine, exhausted=True)
    for node in taken.nodes:
        set_schedulable(scene, node, schedulable=False)
    scene.timeline.note("the nodes are full, and no zone has another one")
    change_template(scene)
    said: list[str] = []

    def told() -> bool:
        waiting = {
            pod["metadata"]["name"]
            for pod in scene.pods()
            if pod["metadata"]["uid"] not in taken.pods and not pod["spec"].get("nodeName")
        }
        events = scene.cluster.items(f"/api/v1/namespaces/{scene.namespace}/events")
        said[:] = [
            str(one["message"])
            for one in events
            if one.get("reason") == _FAILED and one["involvedObject"]["name"] in waiting
        ]
        return bool(said)

    scene.wait("a new pod waits for a node", told, patience=60)
    scene.timeline.note(f"{_FAILED}: {said[0]}")
    scene.timeline.sleep(scene.seconds)


def restock(scene: Scene, taken: Found | Choice) -> None:
    """Let zones have virtual machines and nodes take pods again, and undo the rollout."""
    if isinstance(taken, Choice):
        fallback.restock(scene, taken)
        return
    for zone, machine in sorted(taken.stock):
        scene.control.set_stock(zone, machine, exhausted=False)
    for node in taken.nodes:
        set_schedulable(scene, node, schedulable=True)
    scene.timeline.note("there are virtual machines again")
    roll_back(scene)
