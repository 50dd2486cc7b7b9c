"""The pools that the emulated Kubernetes Engine may create for compute classes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from facts.machines import machine_type
from sandbox.gcp.services.container import class_pools
from sandbox.kubernetes.features import Features
from sandbox.kubernetes.specs import ClassRule
from tests.sandbox.gcp.emulator import Client, PretendedControlPlanes, emulator

Json = dict[str, Any]
SPOT = ClassRule(
    class_name="gpus",
    rule={
        "machineType": "g2-standard-8",
        "spot": True,
        "gpu": {"type": "nvidia-l4", "count": 1},
        "location": {"zones": ["us-central1-a"]},
    },
    nodes={},
)


@dataclass
class Planes(PretendedControlPlanes):
    """Keeps what the autoscaler would ask for pools."""

    provisioner: Any = None

    async def start_controllers(self, cluster: Any, *, features: Features, **more: Any) -> None:
        await super().start_controllers(cluster, features=features)
        self.provisioner = more["provisioner"]


def limits(**most: int) -> Json:
    """Node auto-provisioning with these limits."""
    named = {"nvidia_l4": "nvidia-l4"}
    return {
        "enableNodeAutoprovisioning": True,
        "resourceLimits": [
            {"resourceType": named.get(kind, kind), "maximum": str(count)}
            for kind, count in most.items()
        ],
    }


async def pool(client: Client, name: str, status: str = "") -> Json | None:
    """The pool of this name, once it has the status; None for one that is gone."""
    for _ in range(3000):
        listed = (await client.call("GET", f"{client.cluster('main')}/nodePools")).get("nodePools")
        found = next((one for one in listed or () if one["name"] == name), None)
        if (found is None and not status) or (found and found["status"] == status):
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"{name} is not {status or 'gone'}")


def test_a_pool_is_created_for_a_class_within_the_limits_and_deleted() -> None:
    async def run() -> None:
        planes = Planes()
        async with emulator(control_planes=planes) as client:
            await client.make(autoscaling=limits(cpu=64, memory=256, nvidia_l4=3))
            offered = planes.provisioner.candidates([SPOT])
            [one] = [each for each in offered if each.name.startswith("nap-g2-standard-8-gpu1-")]
            # Cores and memory are for seven, GPUs for three.
            assert (one.exists, one.is_auto, one.max, one.is_total) == (False, True, 3, True)
            [group] = one.groups
            assert group.zone == "us-central1-a"
            assert group.template.labels[class_pools.LABEL] == "gpus"
            assert group.template.labels["cloud.google.com/gke-spot"] == "true"
            assert {"key": class_pools.LABEL, "value": "gpus", "effect": "NoSchedule"} in list(
                group.template.taints
            )
            planes.provisioner.make(one.name)
            # Meanwhile it is offered still, so that pods do not get another choice.
            assert one.name in [each.name for each in planes.provisioner.candidates([SPOT])]
            made = await pool(client, one.name, "RUNNING")
            assert made
            assert made["config"]["spot"]
            assert made["autoscaling"]["autoprovisioned"]
            assert one.name not in [each.name for each in planes.provisioner.candidates([SPOT])]
            planes.provisioner.make(one.name)
            planes.provisioner.drop(one.name)
            assert await pool(client, one.name) is None

    asyncio.run(run())


@pytest.mark.parametrize(
    "autoscaling",
    [limits(cpu=64, memory=256), limits(cpu=8, memory=256, nvidia_l4=1)],
    ids=["no limit for the GPU", "too few cores beside the first pool"],
)
def test_no_pool_is_created_beyond_the_limits(autoscaling: Json) -> None:
    async def run() -> None:
        planes = Planes()
        async with emulator(control_planes=planes) as client:
            await client.make(autoscaling=autoscaling)
            offered = [one.name for one in planes.provisioner.candidates([SPOT])]
            assert not [name for name in offered if "-gpu1-" in name]

    asyncio.run(run())


def test_without_limits_of_the_cluster_the_class_alone_counts() -> None:
    # From GKE 1.33.3 on; pods of no class get no pool.
    async def run() -> None:
        planes = Planes()
        async with emulator(control_planes=planes) as client:
            await client.make()
            [one] = planes.provisioner.candidates([SPOT])
            assert one.max == 1000
            assert planes.provisioner.candidates([]) == []

    asyncio.run(run())


def names(**rule: Any) -> list[str]:
    return sorted(machine.name for machine in class_pools.machines(rule))


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ({"machineType": "n2-standard-4"}, ["n2-standard-4"]),
        ({"machineType": "no-such-1"}, []),
        ({"machineType": "g2-standard-8", "gpu": {"type": "nvidia-l4"}}, ["g2-standard-8"]),
        # GKE does not give a machine other GPUs than it comes with, or none.
        ({"machineType": "g2-standard-8", "gpu": {"type": "nvidia-l4", "count": 2}}, []),
        ({"machineType": "g2-standard-8"}, []),
        ({"machineFamily": "n2", "minCores": 32}, ["n2-standard-32"]),
        ({"gpu": {"type": "nvidia-l4", "count": 2}}, ["g2-standard-24"]),
        ({"spot": True, "minMemoryGb": 65}, ["e2-standard-32"]),
    ],
)
def test_a_rule_allows_machine_types(rule: Json, found: list[str]) -> None:
    assert names(**rule) == found


def test_nodes_are_those_of_the_class_and_the_rule() -> None:
    rule = {
        "machineType": "g2-standard-8",
        "spot": True,
        "gpu": {"type": "nvidia-l4", "count": 1},
        "storage": {"bootDiskSize": 200, "bootDiskType": "pd-ssd"},
        "maxRunDurationSeconds": 600,
    }
    made = class_pools.config(
        "gpus", rule, {"serviceAccount": "a@b", "imageType": "cos_containerd"}
    )
    assert made["labels"] == {class_pools.LABEL: "gpus"}
    assert made["taints"] == [{"key": class_pools.LABEL, "value": "gpus", "effect": "NO_SCHEDULE"}]
    assert (made["serviceAccount"], made["imageType"]) == ("a@b", "COS_CONTAINERD")
    assert (made["spot"], made["maxRunDuration"]) == (True, "600s")
    assert (made["diskType"], made["diskSizeGb"]) == ("pd-ssd", 200)
    machine = machine_type("g2-standard-8")
    assert machine is not None
    [gpu] = class_pools.gpus(rule, machine)["accelerators"]
    assert (gpu["acceleratorType"], gpu["acceleratorCount"]) == ("nvidia-l4", "1")


def test_a_name_tells_machine_and_gpus_and_differs_by_rule() -> None:
    machine = machine_type("g2-standard-8")
    assert machine is not None
    one = class_pools.name("id", "gpus", {"spot": True}, machine)
    assert one.startswith("nap-g2-standard-8-gpu1-")
    assert one != class_pools.name("id", "gpus", {"spot": False}, machine)
    assert one != class_pools.name("id", "other", {"spot": True}, machine)
    assert len(one) <= 40


def test_a_specific_reservation_is_used_and_shown() -> None:
    held = {"affinity": "Specific", "specific": [{"name": "held"}]}
    made = class_pools.config("gpus", {"reservations": held}, {})
    assert made["labels"][class_pools.RESERVATION] == "held"
    assert made["reservationAffinity"]["values"] == ["held"]
    none = class_pools.config("gpus", {}, {})
    assert none["reservationAffinity"] == {"consumeReservationType": "NO_RESERVATION"}
