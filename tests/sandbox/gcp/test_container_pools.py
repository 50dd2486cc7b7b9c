"""Node pools through the API, and their nodes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sandbox.gcp.services.container.versions import KUBERNETES
from tests.sandbox.gcp.emulator import PROJECT, Client, PretendedControlPlanes, emulator

CLUSTER = f"/container/v1/projects/{PROJECT}/locations/us-central1-a/clusters/main"
POOLS = f"{CLUSTER}/nodePools"
NEWER, NEWEST = f"{KUBERNETES}-gke.1404000", f"{KUBERNETES}-gke.1611000"


async def _pool(client: Client, **pool: Any) -> Any:
    asked = {"name": "general", "initialNodeCount": 1} | pool
    await client.wait(await client.call("POST", POOLS, {"nodePool": asked}))
    return await client.call("GET", f"{POOLS}/{asked['name']}")


def test_a_pools_nodes_have_their_machines_capacity_labels_and_taints() -> None:
    async def run() -> None:
        planes = PretendedControlPlanes()
        async with emulator(control_planes=planes) as client:
            await client.make()
            await _pool(
                client,
                initialNodeCount=2,
                maxPodsConstraint={"maxPodsPerNode": "64"},
                config={
                    "machineType": "g2-standard-24",
                    "spot": True,
                    "labels": {"team": "vision"},
                    "taints": [{"key": "only", "value": "models", "effect": "NO_EXECUTE"}],
                },
            )
            one, two = planes.nodes["main", "general"]
            assert one.name != two.name
            assert (one.cpu, one.memory, one.pods) == ("24", f"{96 * 1024 * 1024}Ki", 64)
            assert one.allocatable_cpu == "23870m"
            assert one.accelerators == 2
            wanted = {
                "cloud.google.com/gke-nodepool": "general",
                "cloud.google.com/gke-accelerator": "nvidia-l4",
                "cloud.google.com/gke-spot": "true",
                "cloud.google.com/machine-family": "g2",
                "kubernetes.io/hostname": one.name,
                "node.kubernetes.io/instance-type": "g2-standard-24",
                "team": "vision",
                "topology.kubernetes.io/region": "us-central1",
                "topology.kubernetes.io/zone": "us-central1-a",
            }
            assert wanted.items() <= one.labels.items()
            assert {(t["key"], t["effect"]) for t in one.taints} == {
                ("only", "NoExecute"),
                ("nvidia.com/gpu", "NoSchedule"),
            }

    asyncio.run(run())


def test_a_pools_size_is_its_instance_groups_size() -> None:
    async def run() -> None:
        planes = PretendedControlPlanes()
        async with emulator(control_planes=planes) as client:
            await client.make()
            pool = await _pool(client)
            path = pool["instanceGroupUrls"][0].partition("googleapis.com")[2]
            assert (await client.call("GET", path))["targetSize"] == 1
            first = planes.nodes["main", "general"][0].name
            await client.wait(
                await client.call("POST", f"{POOLS}/general:setSize", {"nodeCount": 3})
            )
            assert (await client.call("GET", path))["targetSize"] == 3
            names = [node.name for node in planes.nodes["main", "general"]]
            assert len(names) == 3
            assert first in names
            assert (await client.call("GET", CLUSTER))["currentNodeCount"] == 4
            await client.wait(await client.call("DELETE", f"{POOLS}/general"))
            await client.call("GET", path, status=404)
            assert planes.nodes["main", "general"] == []

    asyncio.run(run())


def test_resizing_an_instance_group_resizes_its_pool() -> None:
    async def run() -> None:
        planes = PretendedControlPlanes()
        async with emulator(control_planes=planes) as client:
            await client.make()
            limits = {"enabled": True, "minNodeCount": 1, "maxNodeCount": 4}
            pool = await _pool(client, autoscaling=limits)
            path = pool["instanceGroupUrls"][0].partition("googleapis.com")[2]
            scaling = planes.scaling["general"]
            assert (scaling.min, scaling.max, scaling.is_total) == (1, 4, False)
            assert path.endswith(scaling.groups[0].path)
            operation = await client.call("POST", f"{path}/resize?size=3")
            assert operation["operationType"] == "compute.instanceGroupManagers.resize"
            assert (await client.call("GET", f"{POOLS}/general"))["status"] == "RUNNING"
            while len(planes.nodes["main", "general"]) != 3:
                await asyncio.sleep(0.01)
            assert (await client.call("GET", path))["targetSize"] == 3
            assert planes.scaling["general"].groups[0].size == 3
            await client.call("POST", f"{path}-x/resize?size=3", status=404)
            await client.call("POST", f"{path}/resize?size=-1", status=400)

    asyncio.run(run())


def test_pools_are_created_concurrently_and_changed_one_at_a_time() -> None:
    async def run() -> None:
        async with emulator() as client:
            await client.make()
            client.app.state.latency = 0.2
            one = await client.call("POST", POOLS, {"nodePool": {"name": "one"}})
            two = await client.call("POST", POOLS, {"nodePool": {"name": "two"}})
            assert one["status"] == two["status"] == "PENDING"
            busy = await client.call("DELETE", f"{POOLS}/one", status=400)
            assert busy["error"]["status"] == "FAILED_PRECONDITION"
            await client.call("DELETE", CLUSTER, status=400)
            await client.wait(one)
            await client.wait(two)
            pools = await client.call("GET", POOLS)
            assert [p["name"] for p in pools["nodePools"]] == ["default-pool", "one", "two"]

    asyncio.run(run())


def test_a_pool_is_updated_scaled_and_upgraded() -> None:
    async def run() -> None:
        async with emulator() as client:
            await client.make()
            await _pool(client)
            change = {
                "labels": {"labels": {"a": "b"}},
                "taints": {"taints": [{"key": "k", "value": "v", "effect": "NO_SCHEDULE"}]},
                "machineType": "e2-standard-4",
            }
            done = await client.wait(await client.call("PUT", f"{POOLS}/general", change))
            assert done["operationType"] == "UPGRADE_NODES"
            limits = {"enabled": True, "minNodeCount": 1, "maxNodeCount": 4}
            await client.wait(
                await client.call(
                    "POST", f"{POOLS}/general:setAutoscaling", {"autoscaling": limits}
                )
            )
            update = {"update": {"desiredMasterVersion": NEWER}}
            await client.wait(await client.call("PUT", CLUSTER, update))
            newer = {"nodeVersion": NEWER}
            await client.wait(await client.call("PUT", f"{POOLS}/general", newer))
            pool = await client.call("GET", f"{POOLS}/general")
            assert pool["config"]["labels"] == {"a": "b"}
            assert pool["config"]["machineType"] == "e2-standard-4"
            assert pool["autoscaling"] == limits | {"locationPolicy": "BALANCED"}
            assert pool["version"] == NEWER

    asyncio.run(run())


@pytest.mark.parametrize(
    ("verb", "path", "body", "message"),
    [
        ("PUT", "/general", {"machineType": "n9-tiny"}, "does not exist in zone"),
        ("PUT", "/general", {"nodeVersion": NEWEST}, "must not be newer"),
        ("POST", "/general:setSize", {"nodeCount": 5000}, "between 0 and 1000"),
        ("POST", "/general:setManagement", {"management": {"autoRepair": False}}, "REGULAR"),
        ("POST", "/general:rollback", {}, "no upgrade in progress"),
    ],
)
def test_an_invalid_change_of_a_pool_is_refused_and_changes_nothing(
    verb: str, path: str, body: dict[str, object], message: str
) -> None:
    async def run() -> None:
        async with emulator() as client:
            await client.make(releaseChannel={"channel": "REGULAR"})
            before = await _pool(client)
            answer = await client.call(verb, f"{POOLS}{path}", body, status=400)
            assert message in answer["error"]["message"]
            assert await client.call("GET", f"{POOLS}/general") == before

    asyncio.run(run())


def test_a_pools_instance_group_lists_its_nodes() -> None:
    async def run() -> None:
        planes = PretendedControlPlanes()
        async with emulator(control_planes=planes) as client:
            await client.make()
            pool = await _pool(client, initialNodeCount=2)
            path = pool["instanceGroupUrls"][0].partition("googleapis.com")[2]
            nodes = [node.name for node in planes.nodes["main", "general"]]
            managed = await client.call("POST", f"{path}/listManagedInstances")
            assert [one["name"] for one in managed["managedInstances"]] == nodes
            group = path.replace("/instanceGroupManagers/", "/instanceGroups/")
            listed = await client.call("POST", f"{group}/listInstances", {})
            found = [one["instance"].rpartition("/")[2] for one in listed["items"]]
            assert found == nodes

    asyncio.run(run())
