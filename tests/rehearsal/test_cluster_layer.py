"""The cluster layer: a zonal cluster with every kind of pool, destroyed and recreated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.rehearsal.watching import until
from tests.rehearsal.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rehearsal")]

ZONE = "europe-west4-b"
PROJECT = "acme-ml-lab"
GPU = {"type": "nvidia-l4", "count": 1}
POOLS: list[dict[str, Any]] = [
    {
        "name": "serving",
        "machine_type": "n2-standard-4",
        "min_nodes": 1,
        "max_nodes": 2,
        "local_ssd_count": 1,
        "labels": {"workload": "serving"},
        "blue_green": {"batch_percent": 50, "pool_soak_seconds": 600},
    },
    {
        "name": "shared",
        "machine_type": "g2-standard-8",
        "min_nodes": 1,
        "max_nodes": 1,
        "accelerator": {**GPU, "sharing": {"clients": 4}},
        "spot": True,
    },
    {"name": "flex", "machine_type": "g2-standard-8", "max_nodes": 2, "accelerator": GPU,
     "flex_start": True},
    {"name": "queued", "machine_type": "g2-standard-8", "max_nodes": 2, "accelerator": GPU,
     "queued": True},
    {"name": "tpu", "machine_type": "ct5lp-hightpu-4t", "max_nodes": 2, "tpu_topology": "2x4"},
]  # fmt: skip


class Lab:
    """The cluster layer of an environment that only these tests use."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def pulumi(self, *command: str) -> str:
        return self.workspace.run("pulumi", *command, "--stack", "lab", layer="cluster").stdout

    def google(self, service: str, path: str, method: str = "GET", **options: Any) -> Any:
        return self.workspace.google(service, f"projects/{PROJECT}/{path}", method, **options)

    def nodes(self) -> list[dict[str, Any]]:
        """The cluster's nodes, read with the published kubeconfig."""
        path = self.workspace.home / "lab.kubeconfig"
        path.write_text(self.pulumi("stack", "output", "kubeconfig", "--show-secrets"))
        told = self.workspace.kubectl("--kubeconfig", str(path), "get", "nodes", "-o", "json")
        items: list[dict[str, Any]] = json.loads(told)["items"]
        return items

    def tpus(self, topology: str) -> list[str]:
        """The chips of each node that has this topology."""
        return [
            node["status"]["allocatable"].get("google.com/tpu", "")
            for node in self.nodes()
            if node["metadata"]["labels"].get("cloud.google.com/gke-tpu-topology") == topology
        ]

    def keys(self) -> list[str]:
        """The state of each key's first version, oldest key ring first."""
        place = "locations/europe-west4/keyRings"
        rings = self.google("kms", place)["keyRings"]
        found = []
        for ring in sorted(rings, key=lambda one: str(one["createTime"])):
            (key,) = self.workspace.google("kms", f"{ring['name']}/cryptoKeys")["cryptoKeys"]
            path = f"{key['name']}/cryptoKeyVersions/1"
            found.append(str(self.workspace.google("kms", path)["state"]))
        return found


def stack_file(text: str) -> str:
    """Dev's file changed to a zonal cluster of that project with every feature on."""
    document = yaml.safe_load(text.replace("acme-ml-dev", PROJECT).replace("dev.acme", "lab.acme"))
    config = document["config"]
    config["gke-cluster:cluster"] |= {
        "zones": [ZONE],
        "control_plane_zone": ZONE,
        "secrets_encryption": {"rotation_days": 30},
        "backup": {"retain_days": 7},
        "notifications": {},
        "auto_provisioning": {"cpu": 32, "memory_gb": 128, "gpus": {"nvidia-l4": 2}},
        "maintenance": {
            "start": "2026-01-03T02:00:00Z",
            "end": "2026-01-03T08:00:00Z",
            "exclusions": [
                {
                    "name": "launch",
                    "start": "2026-12-01T00:00:00Z",
                    "end": "2026-12-08T00:00:00Z",
                }
            ],
        },
    }
    config["gke-cluster:node_pools"] = POOLS
    return yaml.safe_dump(document)


@pytest.fixture(scope="module")
def lab(workspace: Workspace, first_run: dict[str, Any]) -> Iterator[Lab]:
    """The layer, deployed in the sandbox that holds dev too."""
    assert first_run["environment"] == "dev"
    stacks = workspace.root / "stacks"
    stack = stacks / "Pulumi.lab.yaml"
    stack.write_text(stack_file((stacks / "Pulumi.dev.yaml").read_text()))
    made = Lab(workspace)
    made.pulumi("stack", "init")
    made.pulumi("up", "--yes", "--skip-preview")
    yield made
    made.pulumi("destroy", "--yes")
    stack.unlink()


def test_a_zonal_cluster_is_in_its_zone_with_its_nodes(lab: Lab) -> None:
    (cluster,) = lab.google("container", "locations/-/clusters")["clusters"]
    assert cluster["location"] == ZONE
    assert cluster["locations"] == [ZONE]
    assert f"/zones/{ZONE}/clusters/" in cluster["selfLink"]
    zones = {node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in lab.nodes()}
    assert zones == {ZONE}


def test_nodes_offer_the_devices_of_their_pool(lab: Lab) -> None:
    by_pool = {
        node["metadata"]["labels"]["cloud.google.com/gke-nodepool"]: node for node in lab.nodes()
    }
    # Nodes of scarce machines come when there is capacity.
    assert set(by_pool) == {"serving", "shared"}
    shared, serving = by_pool["shared"], by_pool["serving"]
    assert shared["status"]["allocatable"]["nvidia.com/gpu"] == "4"
    assert (
        shared["metadata"]["labels"]["cloud.google.com/gke-gpu-sharing-strategy"] == "time-sharing"
    )
    assert shared["metadata"]["labels"]["cloud.google.com/gke-spot"] == "true"
    assert "nvidia.com/gpu" in {taint["key"] for taint in shared["spec"]["taints"]}
    labels = serving["metadata"]["labels"]
    assert labels["cloud.google.com/gke-image-streaming"] == "true"
    assert labels["cloud.google.com/gke-ephemeral-storage-local-ssd"] == "true"
    assert labels["workload"] == "serving"


def test_pools_have_the_configured_upgrade_repair_and_queueing(lab: Lab) -> None:
    (cluster,) = lab.google("container", "locations/-/clusters")["clusters"]
    pools = {pool["name"]: pool for pool in cluster["nodePools"]}
    upgrade = pools["serving"]["upgradeSettings"]
    assert upgrade["strategy"] == "BLUE_GREEN"
    assert upgrade["blueGreenSettings"]["nodePoolSoakDuration"] == "600s"
    assert upgrade["blueGreenSettings"]["standardRolloutPolicy"]["batchPercentage"] == 0.5
    assert pools["flex"]["config"]["flexStart"]
    assert pools["queued"]["queuedProvisioning"]["enabled"]
    for name in ("flex", "queued"):
        assert "autoRepair" not in pools[name]["management"]
        assert pools[name]["autoscaling"]["locationPolicy"] == "ANY"
    assert pools["tpu"]["placementPolicy"]["tpuTopology"] == "2x4"


def test_a_tpu_slice_is_provisioned_as_a_whole(lab: Lab) -> None:
    (cluster,) = lab.google("container", "locations/-/clusters")["clusters"]
    path = f"locations/{ZONE}/clusters/{cluster['name']}/nodePools/tpu"
    lab.google("container", f"{path}:setSize", "POST", json={"nodeCount": 2})
    try:
        until(lambda: lab.tpus("2x4") == ["4", "4"], "the slice has two nodes")
    finally:  # the slice counts against the limits of auto-provisioned pools
        lab.google("container", f"{path}:setSize", "POST", json={"nodeCount": 0})
        until(lambda: not lab.tpus("2x4"), "its nodes are gone")


def test_a_pod_that_fits_no_pool_gets_an_auto_provisioned_one(lab: Lab) -> None:
    config = str(lab.workspace.home / "lab.kubeconfig")
    lab.workspace.kubectl(
        "--kubeconfig", config, "create", "deployment", "large", "--image=server:1"
    )
    lab.workspace.kubectl(
        "--kubeconfig", config, "set", "resources", "deployment/large", "--requests=cpu=10"
    )
    lab.workspace.kubectl(
        "--kubeconfig", config, "rollout", "status", "deployment/large", "--timeout", "90s"
    )
    (cluster,) = lab.google("container", "locations/-/clusters")["clusters"]
    (pool,) = (one for one in cluster["nodePools"] if one["name"].startswith("nap-"))
    assert pool["autoscaling"]["autoprovisioned"]
    assert pool["config"]["serviceAccount"].startswith("acme-ml-lab-auto-nodes@")
    assert pool["config"]["shieldedInstanceConfig"]["enableSecureBoot"]
    lab.workspace.kubectl("--kubeconfig", config, "delete", "deployment", "large")


def test_the_cluster_is_maintained_and_provisioned_within_limits(lab: Lab) -> None:
    (cluster,) = lab.google("container", "locations/-/clusters")["clusters"]
    window = cluster["maintenancePolicy"]["window"]
    assert window["recurringWindow"]["recurrence"] == "FREQ=WEEKLY;BYDAY=SA,SU"
    assert set(window["maintenanceExclusions"]) == {"launch"}
    limits = {
        one["resourceType"]: one["maximum"] for one in cluster["autoscaling"]["resourceLimits"]
    }
    assert limits == {"cpu": "32", "memory": "128", "nvidia-l4": "2"}


def test_encryption_is_turned_off_and_on_in_place(lab: Lab) -> None:
    def cluster() -> dict[str, Any]:
        (found,) = lab.google("container", "locations/-/clusters")["clusters"]
        return dict(found)

    before = cluster()
    assert before["databaseEncryption"]["currentState"] == "CURRENT_STATE_ENCRYPTED"
    stack = lab.workspace.root / "stacks" / "Pulumi.lab.yaml"
    text = stack.read_text()
    try:
        document = yaml.safe_load(text)
        del document["config"]["gke-cluster:cluster"]["secrets_encryption"]
        stack.write_text(yaml.safe_dump(document))
        lab.pulumi("up", "--yes", "--skip-preview")
        off = cluster()
    finally:
        stack.write_text(text)
    assert off["id"] == before["id"]
    assert off["databaseEncryption"]["currentState"] == "CURRENT_STATE_DECRYPTED"
    lab.pulumi("up", "--yes", "--skip-preview")
    after = cluster()
    assert after["id"] == before["id"]
    assert after["databaseEncryption"]["currentState"] == "CURRENT_STATE_ENCRYPTED"
    assert lab.keys() == ["DESTROY_SCHEDULED", "ENABLED"]


def test_a_destroyed_cluster_is_recreated_although_its_key_ring_remains(lab: Lab) -> None:
    rings = len(lab.keys())
    lab.pulumi("destroy", "--yes")
    assert set(lab.keys()) == {"DESTROY_SCHEDULED"}
    assert not lab.google("container", "locations/-/clusters").get("clusters")
    lab.pulumi("up", "--yes", "--skip-preview")
    assert len(lab.keys()) == rings + 1
    assert lab.keys()[-1] == "ENABLED"
    (cluster,) = lab.google("container", "locations/-/clusters")["clusters"]
    assert cluster["databaseEncryption"]["currentState"] == "CURRENT_STATE_ENCRYPTED"
