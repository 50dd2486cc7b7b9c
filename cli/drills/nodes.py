"""Nodes that are drained, reclaimed or lost with their zone, and that come back."""

from __future__ import annotations

import contextlib
from collections import Counter

from cli.drills.cluster import MERGE, Json, is_ready
from cli.drills.scene import Scene
from cli.errors import CliError

_NODES = "/api/v1/nodes"
POOL, _ZONE = "cloud.google.com/gke-nodepool", "topology.kubernetes.io/zone"
SPOT_SECONDS = 15
"""What the kubelet leaves to pods when Spot capacity is reclaimed: half of the notice of 30 s.

https://cloud.google.com/kubernetes-engine/docs/concepts/spot-vms#termination-graceful-shutdown
"""
_NOTICE_SECONDS = 30.0
UNSEEN_SECONDS = 40.0
"""How long a node may be silent until the control plane calls it NotReady; older ones waited so."""


def busiest(scene: Scene) -> str:
    """The node with the most ready pods of the model; the first by name of several."""
    counts = Counter(str(one["spec"]["nodeName"]) for one in scene.ready_pods())
    return min(counts, key=lambda name: (-counts[name], name))


def drain(scene: Scene, node: str) -> None:
    """Drain a node as an operator does, and wait until its pods run elsewhere."""
    scene.timeline.note(f"kubectl drain {node}")
    scene.cluster.kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data")
    scene.timeline.note(f"{node} is empty")
    scene.wait_until_available()


def uncordon(scene: Scene, node: str) -> None:
    """Let pods be placed on a node again; the autoscaler may have removed it meanwhile."""
    scene.timeline.note(f"kubectl uncordon {node}")
    set_schedulable(scene, node, schedulable=True)


def busiest_pool(scene: Scene) -> list[str]:
    """The nodes of the pool to which the busiest node belongs."""
    named = {
        one["metadata"]["name"]: (one["metadata"].get("labels") or {}).get(POOL)
        for one in scene.cluster.nodes()
    }
    pool = named[busiest(scene)]
    return sorted(name for name, found in named.items() if found == pool)


def replace_pool(scene: Scene, nodes: list[str]) -> None:
    """Drain the nodes one by one, each back before the next: an upgrade without a surge."""
    for node in nodes:
        drain(scene, node)
        uncordon(scene, node)


def uncordon_all(scene: Scene, nodes: list[str]) -> None:
    """Let pods be placed on all of them again."""
    for node in nodes:
        uncordon(scene, node)


def busiest_node(scene: Scene) -> Json:
    """The object of the busiest node."""
    name = busiest(scene)
    return next(one for one in scene.cluster.nodes() if one["metadata"]["name"] == name)


def busiest_zone(scene: Scene) -> list[Json]:
    """The nodes of the zone in which the busiest node is."""
    zone = zone_of(busiest_node(scene))
    return [one for one in scene.cluster.nodes() if zone_of(one) == zone]


def reclaim(scene: Scene, node: Json) -> None:
    """Take a Spot node away: its pods are told to end, and then it is gone."""
    name = node["metadata"]["name"]
    scene.timeline.note(f"{name} is to be reclaimed: its pods get SIGTERM")
    set_schedulable(scene, name, schedulable=False)
    for pod in scene.cluster.pods(node=name):
        own = pod["spec"].get("terminationGracePeriodSeconds", 30)
        scene.cluster.delete(scene.pod_path(pod), grace=min(own, SPOT_SECONDS))

    def holds() -> bool:
        return not scene.cluster.pods(node=name) and not scene.servers.are_ending(scene.model)

    with contextlib.suppress(CliError):  # what is left goes with the node
        scene.wait("its pods have ended", holds, patience=_NOTICE_SECONDS)
    _kill(scene, [name])
    scene.cluster.delete(f"{_NODES}/{name}")
    scene.timeline.note(f"{name} is gone")
    _delete_pods(scene, name)
    scene.wait_until_available()


def lose_zone(scene: Scene, nodes: list[Json]) -> None:
    """Cut a zone off: its servers are gone at once, and nobody says so.

    The load balancer finds out by its health checks; the control plane when the nodes have been
    silent for long enough, and then it takes their pods out of the endpoints. Pods that do not
    tolerate such nodes for longer than five minutes would be replaced only then.
    """
    names, zone = [str(one["metadata"]["name"]) for one in nodes], zone_of(nodes[0])
    began = scene.timeline.note(f"{zone} is lost, with {len(names)} nodes")
    _kill(scene, names)
    for name in names:
        set_schedulable(scene, name, schedulable=False)
    # Nodes do not fail in the sandbox: their pods are marked here as the node controller would.
    scene.timeline.sleep(max(0.0, UNSEEN_SECONDS - (scene.timeline.now - began)))
    for name in names:
        _mark_pods_not_ready(scene, name)
    scene.timeline.note(f"the nodes of {zone} count as NotReady")
    lost = set(names)

    def holds() -> bool:
        return not any(is_ready(one) and one["spec"]["nodeName"] in lost for one in scene.pods())

    scene.wait(f"no pod in {zone} is an endpoint any more", holds)


def return_zone(scene: Scene, nodes: list[Json]) -> None:
    """Bring the nodes of a zone back, empty, as new virtual machines are."""
    scene.timeline.note(f"{zone_of(nodes[0])} is back")
    for one in nodes:
        name = one["metadata"]["name"]
        _delete_pods(scene, name)
        set_schedulable(scene, name, schedulable=True)
    scene.wait_until_available()


def return_node(scene: Scene, node: Json) -> None:
    """Put a node back that was taken away, as its managed instance group does."""
    name, metadata = node["metadata"]["name"], node["metadata"]
    if scene.cluster.get(f"{_NODES}/{name}") is not None:
        return
    kept = {key: metadata[key] for key in ("name", "labels", "annotations") if key in metadata}
    spec = {key: value for key, value in node["spec"].items() if key != "unschedulable"}
    body = {"apiVersion": "v1", "kind": "Node", "metadata": kept, "spec": spec}
    scene.cluster.create(_NODES, body)
    status = {key: value for key, value in node["status"].items() if key != "conditions"}
    scene.cluster.patch(f"{_NODES}/{name}/status", {"status": status}, MERGE)
    scene.timeline.note(f"{name} is replaced")


def zone_of(node: Json) -> str:
    """The zone of a node."""
    return str((node["metadata"].get("labels") or {}).get(_ZONE, ""))


def _kill(scene: Scene, nodes: list[str]) -> None:
    """Kill what runs on nodes."""
    by_namespace: dict[str, list[str]] = {}
    for node in nodes:
        for pod in scene.cluster.pods(node=node):
            metadata = pod["metadata"]
            by_namespace.setdefault(metadata["namespace"], []).append(metadata["name"])
    for namespace, names in by_namespace.items():
        scene.servers.kill(namespace, names)


def _delete_pods(scene: Scene, node: str) -> None:
    """Forget the pods of a node that is no more, as the pod garbage collector does."""
    for pod in scene.cluster.pods(node=node):
        scene.cluster.delete(scene.pod_path(pod), grace=0)


def set_schedulable(scene: Scene, node: str, *, schedulable: bool) -> None:
    """Let pods be placed on a node, or not."""
    spec = {"unschedulable": None if schedulable else True}
    scene.cluster.patch(f"{_NODES}/{node}", {"spec": spec}, MERGE)


def _mark_pods_not_ready(scene: Scene, node: str) -> None:
    """Take the pods of a node out of the endpoints."""
    for pod in scene.cluster.pods(node=node):
        conditions = [
            {**one, "status": "False", "reason": "NodeNotReady"} if one["type"] == "Ready" else one
            for one in pod["status"].get("conditions") or ()
        ]
        path = f"{scene.pod_path(pod)}/status"
        scene.cluster.patch(path, {"status": {"conditions": conditions}}, MERGE)
