"""Pools of flex-start, queued, shared, partitioned and TPU nodes: refusals, and nodes' offers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.sandbox.gcp.emulator import PROJECT, Client, Json, PretendedControlPlanes, emulator

ZONE = "us-central1-a"
POOLS = f"/container/v1/projects/{PROJECT}/locations/{ZONE}/clusters/main/nodePools"
SCARCE: Json = {
    "management": {"autoRepair": False, "autoUpgrade": True},
    "autoscaling": {"enabled": True, "maxNodeCount": 4, "locationPolicy": "ANY"},
}
NO_RESERVATION = {"reservationAffinity": {"consumeReservationType": "NO_RESERVATION"}}
GPU: Json = {"machineType": "g2-standard-8"}


def gpus(**more: Any) -> Json:
    return {
        **GPU,
        "accelerators": [{"acceleratorType": "nvidia-l4", "acceleratorCount": 1, **more}],
    }


async def cluster(client: Client) -> None:
    await client.make(releaseChannel={"channel": "REGULAR"})


async def made(client: Client, pool: Json) -> Json:
    done = await client.wait(await client.call("POST", POOLS, {"nodePool": {"name": "x", **pool}}))
    assert "error" not in done, done
    found: Json = await client.call("GET", f"{POOLS}/x")
    return found


@pytest.mark.parametrize(
    "pool",
    [
        {"config": {**gpus(), "flexStart": True, **NO_RESERVATION}},
        {"config": {**gpus(), **NO_RESERVATION}, "queuedProvisioning": {"enabled": True}},
    ],
)
def test_flex_start_and_queued_pools_in_a_release_channel_are_accepted(pool: Json) -> None:
    async def run() -> None:
        planes = PretendedControlPlanes()
        async with emulator(control_planes=planes) as client:
            await cluster(client)
            found = await made(client, SCARCE | pool)
            assert found["autoscaling"]["locationPolicy"] == "ANY"
            assert planes.nodes["main", "x"] == []
            # Pods that wait bring flex-start nodes; queued ones come by request alone.
            scaling = planes.scaling["x"]
            if "flexStart" in pool["config"]:
                labels = scaling.groups[0].template.labels
                assert labels["cloud.google.com/gke-flex-start"] == "true"
            else:
                assert scaling is None

    asyncio.run(run())


FLEX: Json = {**gpus(), "flexStart": True, **NO_RESERVATION}


@pytest.mark.parametrize(
    ("pool", "reason"),
    [
        ({"config": {**FLEX, "spot": True}}, "cannot be used with Spot"),
        ({"config": {**gpus(), "flexStart": True}}, "reservation affinity NO_RESERVATION"),
        ({"config": FLEX, "management": {"autoRepair": True}}, "Auto-repair must be disabled"),
        ({"config": FLEX, "autoscaling": {}}, "Autoscaling must be enabled"),
        ({"config": FLEX, "initialNodeCount": 1}, "initial node count must be 0"),
        ({"config": GPU, "queuedProvisioning": {"enabled": True}}, "queued provisioning must have"),
    ],
)
def test_invalid_flex_start_and_queued_pools_are_refused(pool: Json, reason: str) -> None:
    async def run() -> None:
        async with emulator() as client:
            await cluster(client)
            asked = {"name": "x", **SCARCE, **pool}
            answer = await client.call("POST", POOLS, {"nodePool": asked}, status=400)
            assert reason in answer["error"]["message"]
            await client.call("GET", f"{POOLS}/x", status=404)

    asyncio.run(run())


SHARED = {"gpuSharingConfig": {"gpuSharingStrategy": "TIME_SHARING", "maxSharedClientsPerGpu": "4"}}


@pytest.mark.parametrize(
    ("config", "offered", "labels"),
    [
        (gpus(), 1, {"cloud.google.com/gke-accelerator": "nvidia-l4"}),
        (
            gpus(**SHARED),
            4,
            {
                "cloud.google.com/gke-gpu-sharing-strategy": "time-sharing",
                "cloud.google.com/gke-max-shared-clients-per-gpu": "4",
            },
        ),
        (
            {
                "machineType": "a2-highgpu-1g",
                "accelerators": [
                    {
                        "acceleratorType": "nvidia-tesla-a100",
                        "acceleratorCount": 1,
                        "gpuPartitionSize": "1g.5gb",
                    }
                ],
            },
            7,
            {"cloud.google.com/gke-gpu-partition-size": "1g.5gb"},
        ),
    ],
)
def test_shared_and_partitioned_gpus_are_counted_as_several(
    config: Json, offered: int, labels: dict[str, str]
) -> None:
    async def run() -> None:
        planes = PretendedControlPlanes()
        async with emulator(control_planes=planes) as client:
            await cluster(client)
            await made(client, {"initialNodeCount": 1, "config": config})
            (node,) = planes.nodes["main", "x"]
            assert node.accelerators == offered
            assert labels.items() <= node.labels.items()

    asyncio.run(run())


def test_local_ssds_are_ephemeral_storage_and_images_are_streamed() -> None:
    async def run() -> None:
        planes = PretendedControlPlanes()
        async with emulator(control_planes=planes) as client:
            await cluster(client)
            config = {
                "machineType": "n2-standard-8",
                "ephemeralStorageLocalSsdConfig": {"localSsdCount": 2},
                "gcfsConfig": {"enabled": True},
            }
            await made(client, {"initialNodeCount": 1, "config": config})
            (node,) = planes.nodes["main", "x"]
            assert node.ephemeral_storage == f"{750 * 1024 * 1024}Ki"
            assert node.allocatable_ephemeral_storage == f"{600 * 1024 * 1024}Ki"
            assert node.labels["cloud.google.com/gke-ephemeral-storage-local-ssd"] == "true"
            assert node.labels["cloud.google.com/gke-image-streaming"] == "true"

    asyncio.run(run())


SLICE: Json = {
    "config": {"machineType": "ct5lp-hightpu-4t"},
    "placementPolicy": {"type": "COMPACT", "tpuTopology": "2x4"},
}


def test_a_tpu_slice_has_all_of_its_nodes() -> None:
    async def run() -> None:
        planes = PretendedControlPlanes()
        async with emulator(control_planes=planes) as client:
            await cluster(client)
            await made(client, {"initialNodeCount": 2, **SLICE})
            one, two = planes.nodes["main", "x"]
            assert one.tpus == two.tpus == 4
            assert one.accelerators == 0
            assert one.labels["cloud.google.com/gke-tpu-topology"] == "2x4"
            assert one.labels["cloud.google.com/gke-tpu-accelerator"] == "tpu-v5-lite-podslice"
            assert {taint["key"] for taint in one.taints} == {"google.com/tpu"}

    asyncio.run(run())


COMPACT: Json = {
    "config": {"machineType": "n2-standard-8"},
    "placementPolicy": {"type": "COMPACT"},
    "locations": ["us-central1-b"],
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"config": {"machineType": "e2-standard-8"}}, "e2-standard-8 has no compact placement"),
        ({"locations": ["us-central1-a", "us-central1-b"]}, "within one zone"),
        ({"upgradeSettings": {"strategy": "BLUE_GREEN"}}, "surge upgrades only"),
    ],
)
def test_nodes_that_cannot_be_close_are_refused(change: Json, reason: str) -> None:
    async def run() -> None:
        async with emulator() as client:
            await cluster(client)
            body = {"nodePool": {"name": "x", "initialNodeCount": 1, **COMPACT, **change}}
            answer = await client.call("POST", POOLS, body, status=400)
            assert "Placement policy COMPACT cannot be used" in answer["error"]["message"]
            assert reason in answer["error"]["message"]

    asyncio.run(run())


def test_close_nodes_stay_in_one_zone_and_without_blue_green_upgrades() -> None:
    async def run() -> None:
        async with emulator() as client:
            await cluster(client)
            await made(client, {"initialNodeCount": 1, **COMPACT})
            for change in (
                {"upgradeSettings": {"strategy": "BLUE_GREEN"}},
                {"locations": ["us-central1-a", "us-central1-b"]},
            ):
                answer = await client.call("PUT", f"{POOLS}/x", change, status=400)
                assert "COMPACT cannot be used" in answer["error"]["message"]

    asyncio.run(run())


def test_a_slice_of_one_node_has_the_topology_of_its_machine() -> None:
    async def run() -> None:
        planes = PretendedControlPlanes()
        async with emulator(control_planes=planes) as client:
            await cluster(client)
            config = {"machineType": "ct5lp-hightpu-4t"}
            await made(client, {"initialNodeCount": 1, "config": config})
            (node,) = planes.nodes["main", "x"]
            assert node.tpus == 4
            assert node.labels["cloud.google.com/gke-tpu-topology"] == "2x2"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"initialNodeCount": 1}, "needs exactly 2 nodes"),
        ({"autoscaling": {"enabled": True, "maxNodeCount": 3}}, "needs exactly 2 nodes"),
        ({"config": {"machineType": "n2-standard-8"}}, "has no TPUs"),
        ({"placementPolicy": {"tpuTopology": "2x4"}}, "must be COMPACT"),
        ({"placementPolicy": {"type": "COMPACT", "tpuTopology": "1x3"}}, "is not made of"),
        (
            {"config": {"machineType": "ct6e-standard-4t"}},
            'Machine type with name "ct6e-standard-4t" does not exist',
        ),
    ],
)
def test_an_invalid_tpu_slice_is_refused(change: Json, reason: str) -> None:
    async def run() -> None:
        async with emulator() as client:
            await client.make("europe-west1-b")
            pools = POOLS.replace(ZONE, "europe-west1-b") if "ct6e" in str(change) else POOLS
            if pools is POOLS:
                await cluster(client)
            asked = {"name": "x", **SLICE, **change}
            answer = await client.call("POST", pools, {"nodePool": asked}, status=400)
            assert reason in answer["error"]["message"]

    asyncio.run(run())
