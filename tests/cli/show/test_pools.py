"""Node pools of a picture: declared ones, and those that the cluster made by itself."""

from __future__ import annotations

from typing import Any

from cli.show import pools
from cli.show.cluster import of_items
from cli.show.google_console import GoogleConsole
from gkeplatform.contracts import COMPUTE_CLASS, NodePool

SPOT_L4 = {
    COMPUTE_CLASS: "gpus",
    "cloud.google.com/gke-accelerator": "nvidia-l4",
    "cloud.google.com/gke-spot": "true",
    "node.kubernetes.io/instance-type": "g2-standard-12",
}


def node(name: str, pool: str, zone: str, **labels: str) -> dict[str, Any]:
    own = {"cloud.google.com/gke-nodepool": pool, "topology.kubernetes.io/zone": zone}
    return {
        "kind": "Node",
        "metadata": {"name": name, "labels": own | labels},
        "status": {"allocatable": {"cpu": "12", "memory": "48Gi", "nvidia.com/gpu": "1"}},
    }


def test_a_pool_that_the_cluster_made_is_known_by_its_nodes() -> None:
    live = of_items(
        [
            node("one", "nap-1", "zone-b", **SPOT_L4),
            node("two", "nap-1", "zone-a", **SPOT_L4),
            node("three", "general", "zone-a"),
        ]
    )
    declared = NodePool(
        name="general", zones=("zone-a", "zone-b"), machine_type="e2-standard-4", min_nodes=1,
        max_nodes=3, labels={COMPUTE_CLASS: "cheap"},
    )  # fmt: skip
    general, made = pools.of_cluster(
        [declared], live.nodes, place=lambda name: f"at {name}", console=GoogleConsole()
    )
    assert (general.place, general.least, general.most) == ("at general", 2, 6)
    assert (general.compute_class, len(general.nodes)) == ("cheap", 1)
    assert (made.name, made.place, made.least, made.most) == ("nap-1", "", 0, None)
    assert (made.machine_type, made.accelerator, made.spot) == ("g2-standard-12", "nvidia-l4", True)
    assert (made.compute_class, made.zones) == ("gpus", ("zone-a", "zone-b"))
    assert made.allocatable.accelerators == 2
