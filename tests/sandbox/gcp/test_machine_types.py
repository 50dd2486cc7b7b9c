from __future__ import annotations

import re

from sandbox.gcp import machine_types
from sandbox.gcp.machine_types import machine_type


def test_the_catalogue_says_where_and_when_it_is_from() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", machine_types.CATALOGUE_DATE)
    assert "Cyclenerd" in machine_types.catalogue().source


def test_a_machine_type_has_cpus_memory_and_zones() -> None:
    machine = machine_type("n2-standard-8")
    assert machine is not None
    assert (machine.cpus, machine.memory_mib) == (8, 32 * 1024)
    assert "us-central1-a" in machine.zones
    assert machine.family == "n2"
    assert machine.architecture == "amd64"


def test_every_zone_of_a_machine_type_is_a_zone() -> None:
    zones = set(machine_types.catalogue().zones)
    for machine in machine_types.catalogue().machine_types.values():
        assert machine.zones <= zones, machine.name
    for name, where in machine_types.catalogue().accelerators.items():
        assert where <= zones, name


def test_accelerator_machines_come_with_their_gpus() -> None:
    counts = {}
    for name in ("g2-standard-8", "g2-standard-24", "g2-standard-96", "a2-highgpu-4g"):
        machine = machine_type(name)
        assert machine is not None
        assert machine.accelerators is not None
        counts[name] = (machine.accelerators.type, machine.accelerators.count)
    assert counts == {
        "g2-standard-8": ("nvidia-l4", 1),
        "g2-standard-24": ("nvidia-l4", 2),
        "g2-standard-96": ("nvidia-l4", 8),
        "a2-highgpu-4g": ("nvidia-tesla-a100", 4),
    }


def test_an_accelerator_has_zones_and_an_unknown_one_has_none() -> None:
    l4 = machine_types.accelerator_zones("nvidia-l4")
    assert l4 is not None
    assert "europe-west4-a" in l4
    assert machine_types.accelerator_zones("nvidia-dream") is None


def test_custom_machine_types_are_understood() -> None:
    custom = machine_type("n2-custom-4-10240")
    assert custom is not None
    assert (custom.cpus, custom.memory_mib, custom.family) == (4, 10240, "n2")
    assert machine_type("z9-custom-4-10240") is None
    assert machine_type("n2-standard-5") is None


def test_regions_know_their_zones() -> None:
    assert machine_types.zones_of("europe-west1") == (
        "europe-west1-b",
        "europe-west1-c",
        "europe-west1-d",
    )
    assert machine_types.region_of("europe-west1-b") == "europe-west1"
    assert not machine_types.is_zone("europe-west1")
    assert machine_types.is_region("europe-west1")
