"""Taints and labels that GKE itself sets on the nodes of a pool."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.sandbox.gcp.emulator import PROJECT, Client, Json, PretendedControlPlanes, emulator

POOLS = f"/container/v1/projects/{PROJECT}/locations/us-central1-a/clusters/main/nodePools"
L4: Json = {
    "machineType": "g2-standard-8",
    "accelerators": [{"acceleratorType": "nvidia-l4", "acceleratorCount": 1}],
}
ARM: Json = {"machineType": "t2a-standard-4"}
GPU_TAINT = ("nvidia.com/gpu", "present", "NoSchedule")
TPU_TAINT = ("google.com/tpu", "present", "NoSchedule")
ARM_TAINT = ("kubernetes.io/arch", "arm64", "NoSchedule")
GVISOR_TAINT = ("sandbox.gke.io/runtime", "gvisor", "NoSchedule")
QUEUED_TAINT = ("cloud.google.com/gke-queued", "true", "NoSchedule")
PREFIX = "cloud.google.com/"


async def _node(client: Client, planes: PretendedControlPlanes, config: Json) -> Any:
    asked = {"name": "x", "initialNodeCount": 1, "config": config}
    done = await client.wait(await client.call("POST", POOLS, {"nodePool": asked}))
    assert "error" not in done, done
    (node,) = planes.nodes["main", "x"]
    return node


def _taints(node: Any) -> set[tuple[str, str, str]]:
    return {(taint["key"], taint["value"], taint["effect"]) for taint in node.taints}


@pytest.mark.parametrize(
    ("config", "taints", "labels"),
    [
        ({"machineType": "e2-standard-4"}, set(), {f"{PREFIX}gke-provisioning": "standard"}),
        (ARM, {ARM_TAINT}, {"kubernetes.io/arch": "arm64"}),
        (ARM | {"taintConfig": {"architectureTaintBehavior": "ARM"}}, {ARM_TAINT}, {}),
        (ARM | {"taintConfig": {"architectureTaintBehavior": "NONE"}}, set(), {}),
        (L4, {GPU_TAINT}, {f"{PREFIX}gke-accelerator": "nvidia-l4"}),
        (
            {
                "machineType": "g2-standard-8",
                "accelerators": [
                    L4["accelerators"][0]
                    | {"gpuDriverInstallationConfig": {"gpuDriverVersion": "LATEST"}}
                ],
            },
            {GPU_TAINT},
            {f"{PREFIX}gke-gpu-driver-version": "latest"},
        ),
        ({"machineType": "ct5lp-hightpu-4t"}, {TPU_TAINT}, {f"{PREFIX}gke-tpu-topology": "2x2"}),
        (
            {"machineType": "n2-standard-4", "sandboxConfig": {"type": "GVISOR"}},
            {GVISOR_TAINT},
            {"sandbox.gke.io/runtime": "gvisor"},
        ),
        # Spot nodes have labels, and no taint.
        (
            {"machineType": "e2-standard-4", "spot": True},
            set(),
            {f"{PREFIX}gke-spot": "true", f"{PREFIX}gke-provisioning": "spot"},
        ),
        (
            {"machineType": "e2-standard-4", "preemptible": True},
            set(),
            {f"{PREFIX}gke-preemptible": "true", f"{PREFIX}gke-provisioning": "preemptible"},
        ),
    ],
)
def test_nodes_have_the_taints_and_labels_that_gke_sets(
    config: Json, taints: set[tuple[str, str, str]], labels: dict[str, str]
) -> None:
    async def run() -> None:
        planes = PretendedControlPlanes()
        async with emulator(control_planes=planes) as client:
            await client.make()
            node = await _node(client, planes, config)
            assert _taints(node) == taints
            assert labels.items() <= node.labels.items()

    asyncio.run(run())


def test_a_taint_of_the_request_replaces_gkes_of_the_same_key() -> None:
    async def run() -> None:
        planes = PretendedControlPlanes()
        async with emulator(control_planes=planes) as client:
            await client.make()
            own = {"key": "kubernetes.io/arch", "value": "arm64", "effect": "PREFER_NO_SCHEDULE"}
            node = await _node(client, planes, ARM | {"taints": [own]})
            assert _taints(node) == {("kubernetes.io/arch", "arm64", "PreferNoSchedule")}

    asyncio.run(run())


@pytest.mark.parametrize(
    ("config", "change", "expected"),
    [
        (ARM, {"taints": {"taints": []}}, {ARM_TAINT}),
        (ARM, {"taintConfig": {"architectureTaintBehavior": "NONE"}}, set()),
        ({"machineType": "ct5lp-hightpu-4t"}, {"taints": {"taints": []}}, {TPU_TAINT}),
        (ARM, {"machineType": "e2-standard-4"}, set()),
        ({"machineType": "e2-standard-4"}, {"machineType": "t2a-standard-4"}, {ARM_TAINT}),
    ],
)
def test_an_update_keeps_gkes_taints_and_no_stale_ones(
    config: Json, change: Json, expected: set[tuple[str, str, str]]
) -> None:
    async def run() -> None:
        planes = PretendedControlPlanes()
        async with emulator(control_planes=planes) as client:
            await client.make()
            await _node(client, planes, config)
            done = await client.wait(await client.call("PUT", f"{POOLS}/x", change))
            assert "error" not in done, done
            (node,) = planes.nodes["main", "x"]
            assert _taints(node) == expected

    asyncio.run(run())


def test_nodes_of_flex_start_and_queued_pools_are_marked() -> None:
    flex = L4 | {
        "flexStart": True,
        "reservationAffinity": {"consumeReservationType": "NO_RESERVATION"},
    }
    asked: Json = {
        "name": "x",
        "config": flex,
        "management": {"autoRepair": False, "autoUpgrade": True},
        "autoscaling": {"enabled": True, "maxNodeCount": 4, "locationPolicy": "ANY"},
    }

    async def run() -> None:
        planes = PretendedControlPlanes()
        async with emulator(control_planes=planes) as client:
            await client.make(releaseChannel={"channel": "REGULAR"})
            await client.wait(await client.call("POST", POOLS, {"nodePool": asked}))
            node = planes.scaling["x"].groups[0].template
            assert _taints(node) == {GPU_TAINT}
            assert node.labels[f"{PREFIX}gke-flex-start"] == "true"
            assert node.labels[f"{PREFIX}gke-provisioning"] == "flex-start"
            queued = asked | {"name": "q", "queuedProvisioning": {"enabled": True}}
            await client.wait(await client.call("POST", POOLS, {"nodePool": queued}))
            pool = await client.call("GET", f"{POOLS}/q")
            keys = {taint["key"]: taint["value"] for taint in pool["config"]["taints"]}
            assert keys == {"nvidia.com/gpu": "present", "cloud.google.com/gke-queued": "true"}

    asyncio.run(run())
