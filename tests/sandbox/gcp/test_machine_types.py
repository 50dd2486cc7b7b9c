"""Machine types in the emulated Compute Engine, and node configurations that Google refuses."""

from __future__ import annotations

from typing import Any

import pytest

from facts import zones
from facts.machines import machine_type
from sandbox.gcp.services.container import capacity, hardware
from sandbox.gcp.services.container.checks import InvalidError, node_config
from sandbox.gcp.services.container.pool_defaults import node_config as completed

ZONES = ("us-central1-b",)


def gpus(kind: str, count: int) -> list[dict[str, Any]]:
    return [{"acceleratorType": kind, "acceleratorCount": str(count)}]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"machineType": "n2-standard-4", "diskType": "hyperdisk-balanced"},
            "hyperdisk-balanced disk type cannot be used by n2-standard-4 machine type.",
        ),
        (
            {"machineType": "c4-standard-4", "bootDisk": {"diskType": "pd-ssd"}},
            "pd-ssd disk type cannot be used by c4-standard-4 machine type.",
        ),
        (
            {
                "machineType": "e2-standard-4",
                "ephemeralStorageLocalSsdConfig": {"localSsdCount": 1},
            },
            "type e2-standard-4 should be one of [0], while [1] is requested.",
        ),
        (
            {"machineType": "n1-standard-8", "accelerators": gpus("nvidia-tesla-t4", 3)},
            "type n1-standard-8 should be one of [1, 2, 4], while [3] is requested.",
        ),
        (
            {"machineType": "n1-standard-64", "accelerators": gpus("nvidia-tesla-t4", 2)},
            "type n1-standard-64 should be one of [4], while [2] is requested.",
        ),
        (
            {"machineType": "a3-highgpu-8g", "accelerators": gpus("nvidia-h100-80gb", 4)},
            "type a3-highgpu-8g should be one of [8], while [4] is requested.",
        ),
        (
            {"machineType": "g2-standard-8", "accelerators": gpus("nvidia-tesla-t4", 1)},
            'Machine type "g2-standard-8" comes with nvidia-l4, not with nvidia-tesla-t4.',
        ),
        (
            {"machineType": "n2-standard-8", "accelerators": gpus("nvidia-l4", 1)},
            "[nvidia-l4] features and [instance_type: n2-standard-8] are not compatible",
        ),
        (
            {"machineType": "q9-standard-4"},
            'Machine type with name "q9-standard-4" does not exist in zone "us-central1-b"',
        ),
        (
            {"machineType": "n1-standard-8", "accelerators": gpus("nvidia-l5", 1)},
            'Accelerator type "nvidia-l5" does not exist in zone us-central1-b',
        ),
    ],
)
def test_a_node_configuration_that_google_refuses_is_refused(
    config: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidError) as raised:
        node_config(config, ZONES)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("name", "accelerators", "disk"),
    [
        ("a3-highgpu-8g", gpus("nvidia-h100-80gb", 8), "pd-balanced"),
        ("a3-ultragpu-8g", gpus("nvidia-h200-141gb", 8), "hyperdisk-balanced"),
        ("a4-highgpu-8g", gpus("nvidia-b200", 8), "hyperdisk-balanced"),
        ("n1-standard-8", gpus("nvidia-tesla-t4", 4), "pd-balanced"),
        ("c4a-standard-4", [], "hyperdisk-balanced"),
    ],
)
def test_a_node_configuration_that_google_accepts_is_accepted(
    name: str, accelerators: list[dict[str, Any]], disk: str
) -> None:
    config = {"machineType": name, "accelerators": accelerators}
    node_config(config | {"diskType": disk}, ZONES)
    # A pool that names no disk gets one that the machine type can have.
    assert completed(config, cluster={})["diskType"] == disk
    assert hardware.default_disk(name) == disk


def test_a_node_with_h100s_has_what_its_machine_type_has() -> None:
    machine = machine_type("a3-highgpu-8g")
    assert machine is not None
    left = capacity.allocatable(machine, disk_gb=100)
    assert left.cpu == "207410m"
    assert left.memory_kib == machine.allocatable_mib * 1024
    whole = capacity.capacity(machine, disk_gb=100, local_ssds=16)
    assert whole.ephemeral_storage == f"{16 * 375 * 1024 * 1024}Ki"


def test_regions_list_their_zones() -> None:
    assert zones.zones_of("europe-west1") == (
        "europe-west1-b",
        "europe-west1-c",
        "europe-west1-d",
    )
    assert zones.region_of("europe-west1-b") == "europe-west1"
    assert zones.region_of("europe-west1") == "europe-west1"
    assert not zones.is_zone("europe-west1")
    assert not zones.is_zone("europe-west1-z")
    assert zones.is_region("europe-west1")
    assert not zones.is_region("europe-west99")
