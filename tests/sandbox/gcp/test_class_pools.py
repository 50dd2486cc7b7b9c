"""The pools that the emulated Kubernetes Engine may create for compute classes."""

from __future__ import annotations

from typing import Any

import pytest

from facts.machines import machine_type
from sandbox.gcp.services.container import class_pools

Json = dict[str, Any]


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
