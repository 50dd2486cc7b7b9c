"""The first choice of a compute class runs out: the next one serves, and pods return afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from cli.drills.cluster import Json, is_ready
from cli.drills.nodes import POOL, set_schedulable, zone_of
from cli.drills.rollouts import change_template, roll_back
from cli.drills.scene import Scene
from cli.errors import CliError
from cli.workloads import template_of

_CLASSES = "/apis/cloud.google.com/v1/computeclasses"
_LABEL = "cloud.google.com/compute-class"
_TYPE, _WAY = "node.kubernetes.io/instance-type", "cloud.google.com/gke-provisioning"
_FLEX = "flex-start"


@dataclass(frozen=True, slots=True)
class Choice:
    """What the drill takes away: the first choice of the model's class."""

    class_name: str
    pools: frozenset[str]
    nodes: tuple[str, ...]
    """Those of its nodes that take pods."""
    stock: frozenset[tuple[str, str, str]]
    """Zones, the machine types that they have none left of, and the way in which they are had."""
    returns: bool
    """Whether pods return to it."""


def class_of(workload: Json) -> str:
    """The compute class of a model; empty without one."""
    spec = template_of(workload)["spec"]
    return str((spec.get("nodeSelector") or {}).get(_LABEL, ""))


def first_choice(scene: Scene) -> Choice | None:
    """What is taken away from a model with a class; None for one without. Raises CliError."""
    name = class_of(scene.workload())
    if not name:
        return None
    found = scene.cluster.get(f"{_CLASSES}/{name}")
    if found is None:
        raise CliError(f"{scene.model}: there is no ComputeClass {name}", "kubectl get cc")
    taken = choice(found, scene.cluster.nodes())
    if any(str(pod["spec"]["nodeName"]) not in taken.nodes for pod in scene.ready_pods()):
        raise CliError(
            f"{scene.model} does not run on the first choice of class {name} alone",
            "wait until its pods have returned: kubectl get pods -o wide",
        )
    return taken


def choice(found: Json, nodes: list[Json]) -> Choice:
    """The same of a ComputeClass and the nodes. Raises CliError if the class has no second one."""
    name, rules = str(found["metadata"]["name"]), found["spec"].get("priorities") or []
    if len(rules) < 2:
        raise CliError(
            f"class {name} has no second choice to fall back to",
            "list another one in gke-cluster:compute_classes[].priorities",
        )
    pools = _first_pools(name, rules, nodes)
    own = [node for node in nodes if node["metadata"]["labels"].get(POOL) in pools]
    kinds = {
        (node["metadata"]["labels"].get(_TYPE, ""), node["metadata"]["labels"].get(_WAY, ""))
        for node in own
    }
    return Choice(
        class_name=name,
        pools=pools,
        nodes=tuple(
            sorted(n["metadata"]["name"] for n in own if not n["spec"].get("unschedulable"))
        ),
        stock=frozenset(
            (zone, machine, way) for zone in map(zone_of, nodes) for machine, way in kinds
        ),
        returns=bool((found["spec"].get("activeMigration") or {}).get("optimizeRulePriority")),
    )


def _first_pools(class_name: str, rules: list[Json], nodes: list[Json]) -> frozenset[str]:
    """The pools of the first choice: those that it names, or that GKE has created for it."""
    rule = rules[0]
    if named := rule.get("nodepools"):
        return frozenset(named)
    declared = {pool for other in rules for pool in other.get("nodepools") or ()}
    zones = (rule.get("location") or {}).get("zones")
    found = set()
    for node in nodes:
        labels = node["metadata"]["labels"]
        if (
            labels.get(_LABEL) == class_name
            and labels[POOL] not in declared
            and rule.get("machineType") == labels.get(_TYPE)
            and bool(rule.get("spot")) == (labels.get(_WAY) == "spot")
            and bool((rule.get("flexStart") or {}).get("enabled")) == (labels.get(_WAY) == _FLEX)
            and (zones is None or zone_of(node) in zones)
        ):
            found.add(labels[POOL])
    return frozenset(found)


def run_out(scene: Scene, taken: Choice) -> None:
    """Roll the model out where its first choice is full and no zone has another such node."""
    before = _words(scene)
    for zone, machine, way in sorted(taken.stock):
        scene.control.set_stock(zone, machine, exhausted=True, provisioning=way)
    for node in taken.nodes:
        set_schedulable(scene, node, schedulable=False)
    scene.timeline.note(f"{', '.join(sorted(taken.pools))}: full, and no zone has another node")
    change_template(scene)
    scene.wait_until_available()
    pools = {pool for pool in _pools(scene) if pool not in taken.pools}
    scene.timeline.note(f"it runs on {', '.join(sorted(pools))}, the next choice of its class")
    _note_words(scene, before)
    scene.timeline.sleep(scene.seconds)


def restock(scene: Scene, taken: Choice) -> None:
    """Let zones have virtual machines again, and wait until the pods have returned."""
    before = _words(scene)
    for zone, machine, way in sorted(taken.stock):
        scene.control.set_stock(zone, machine, exhausted=False, provisioning=way)
    for node in taken.nodes:
        set_schedulable(scene, node, schedulable=True)
    scene.timeline.note("there are virtual machines again")

    def returned() -> bool:
        return all(map(is_ready, scene.pods())) and _pools(scene) <= taken.pools

    if taken.returns:
        scene.wait("the pods have returned to the first choice", returned)
        _note_words(scene, before)
    roll_back(scene)


def _words(scene: Scene) -> list[str]:
    """What the servers of the model's ready pods were started with, each word once."""
    pods = [pod["metadata"]["name"] for pod in scene.ready_pods()]

    def have_begun() -> bool:
        return scene.servers.words(scene.model).keys() >= set(pods)

    # The API server has a pod a moment before its server has begun.
    scene.wait("the servers have begun", have_begun)
    found = scene.servers.words(scene.model)
    return list(dict.fromkeys(word for pod in pods for word in found.get(pod, ())))


def _note_words(scene: Scene, before: list[str]) -> None:
    """Tell what the servers are started with now that they were not before."""
    if added := [word for word in _words(scene) if word not in before]:
        scene.timeline.note(f"the servers there are started with {' '.join(added)}")


def _pools(scene: Scene) -> set[str]:
    """The pools that the model's pods run on."""
    named = {
        node["metadata"]["name"]: str(node["metadata"]["labels"].get(POOL, ""))
        for node in scene.cluster.nodes()
    }
    return {named.get(str(pod["spec"].get("nodeName", "")), "") for pod in scene.pods()}
