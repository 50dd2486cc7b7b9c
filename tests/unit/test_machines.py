"""The data of `facts` is whole, and its arithmetic is what Google documents."""

import re
from math import prod

import pytest

from facts import accelerators, allocatable, files, machine_types_update, zones
from facts.machines import catalog, machine_type
from facts.quantity import amount

MACHINES = catalog().machine_types
DISKS = {"pd-standard", "pd-balanced", "pd-ssd", "hyperdisk-balanced"}


def test_the_data_names_its_sources_and_days() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", catalog().date)
    assert all(catalog().sources)
    for name, series in files.series()["series"].items():
        assert series["page"].startswith("https://docs.cloud.google.com/"), name
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", series["checked"]), name


def test_every_place_of_the_data_is_a_zone() -> None:
    known = set(zones.zones())
    for machine in MACHINES.values():
        assert machine.zones is None or machine.zones <= known, machine.name
    for name, where in accelerators.accelerators().items():
        assert where is None or where <= known, name
    assert all(zones.zones_of(region) for region in zones.regions())


def test_every_machine_type_has_a_series_that_says_its_disks() -> None:
    for machine in MACHINES.values():
        assert machine.boot_disks, machine.name
        assert machine.boot_disks <= DISKS, machine.name
        assert machine.local_ssd_counts is not None, machine.name
        assert 0 < machine.allocatable_millicpu < machine.cpus * 1000, machine.name
        assert 0 <= machine.allocatable_mib < machine.memory_mib, machine.name


def test_the_series_agree_with_the_list_of_machine_types() -> None:
    for name, (cpus, memory, *_) in files.machine_types()["machine_types"].items():
        assert (MACHINES[name].cpus, MACHINES[name].memory_mib) == (cpus, memory), name


def test_a_gpu_that_comes_with_a_machine_is_an_accelerator_of_its_zones() -> None:
    for machine in MACHINES.values():
        if machine.accelerators is not None and machine.zones is not None:
            where = accelerators.accelerator_zones(machine.accelerators.type)
            assert where is not None, machine.name
            assert machine.zones <= where, machine.name


@pytest.mark.parametrize(
    ("name", "size", "gpus", "ssds"),
    [
        ("a3-highgpu-8g", (208, 1872), ("nvidia-h100-80gb", 8), 16),
        ("a3-megagpu-8g", (208, 1872), ("nvidia-h100-mega-80gb", 8), 16),
        ("a3-ultragpu-8g", (224, 2952), ("nvidia-h200-141gb", 8), 32),
        ("a4-highgpu-8g", (224, 3968), ("nvidia-b200", 8), 32),
        ("a4x-highgpu-4g", (140, 884), ("nvidia-gb200", 4), 4),
        ("g4-standard-384", (384, 1440), ("nvidia-rtx-pro-6000", 8), 0),
        ("c4-standard-8-lssd", (8, 30), None, 1),
        ("c4a-highmem-72", (72, 576), None, 0),
        ("c3d-standard-360", (360, 1440), None, 0),
        ("n4-highcpu-80", (80, 160), None, 0),
        ("z3-highmem-88-highlssd", (88, 704), None, 12),
        ("z3-highmem-14-standardlssd", (14, 112), None, 1),
        ("z4d-highmem-48-highlssd", (48, 378), None, 6),
        ("h3-standard-88", (88, 352), None, 0),
        ("h4d-highmem-192-lssd", (192, 1488), None, 10),
        ("m4-ultramem-224", (224, 5952), None, 0),
    ],
)
def test_a_machine_type_has_what_google_lists(
    name: str, size: tuple[int, int], gpus: tuple[str, int] | None, ssds: int
) -> None:
    machine = MACHINES[name]
    own = machine.accelerators
    assert (machine.cpus, machine.memory_mib // 1024) == size
    assert (own and (own.type, own.count)) == gpus
    assert machine.local_ssds == ssds


@pytest.mark.parametrize(
    ("name", "chips", "kind"),
    [
        ("ct4p-hightpu-4t", 4, "tpu-v4-podslice"),
        ("ct5lp-hightpu-8t", 8, "tpu-v5-lite-podslice"),
        ("ct5p-hightpu-4t", 4, "tpu-v5p-slice"),
        ("ct6e-standard-8t", 8, "tpu-v6e-slice"),
        ("tpu7x-standard-4t", 4, "tpu7x"),
    ],
)
def test_a_machine_type_has_the_tpus_that_google_lists(name: str, chips: int, kind: str) -> None:
    assert (MACHINES[name].tpus, MACHINES[name].tpu_kind) == (chips, kind)


def test_a_custom_machine_type_has_the_limits_of_its_series() -> None:
    custom = machine_type("n2-custom-16-65536")
    assert custom is not None
    assert (custom.cpus, custom.memory_mib, custom.family) == (16, 65536, "n2")
    assert custom.local_ssd_counts == frozenset({2, 4, 8, 16, 24})
    assert "hyperdisk-balanced" not in (custom.boot_disks or ())


def test_a_machine_type_without_local_ssds_cannot_have_any() -> None:
    for name in ("a3-ultragpu-8g-nolssd", "e2-medium", "c4-standard-8", "f1-micro"):
        assert MACHINES[name].local_ssd_counts == frozenset(), name


@pytest.mark.parametrize(
    ("name", "cpu_left", "gib_left"),
    [
        ("e2-medium", 940, 2.90),
        ("n1-standard-4", 3920, 12.40),
        ("e2-standard-4", 3920, 13.30),
        ("n2-standard-32", 31850, 118.58),
    ],
)
def test_gke_leaves_to_pods_what_google_documents(
    name: str, cpu_left: int, gib_left: float
) -> None:
    assert MACHINES[name].allocatable_millicpu == cpu_left
    assert MACHINES[name].allocatable_mib / 1024 == pytest.approx(gib_left, abs=0.01)


def test_a_small_machine_keeps_a_fixed_amount_of_memory() -> None:
    assert allocatable.allocatable_memory_mib(614) == 614 - 255 - 100
    assert allocatable.allocatable_memory_mib(300) == 0


def test_folding_zones_is_reversible() -> None:
    text = "europe-west4:abc us-central1:abcf"
    assert zones.fold(zones.unfold(text)) == text
    assert machine_types_update.TARGET.is_file()


def test_six_regions_that_the_list_lacks_have_zones() -> None:
    for region in (
        "africa-south1",
        "asia-southeast3",
        "europe-north2",
        "europe-west10",
        "me-central2",
        "northamerica-south1",
    ):
        assert len(zones.zones_of(region)) == 3


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500m", 0.5),
        ("1.5Gi", 1610612736),
        ("2e3", 2000),
        ("2E", 2 * 10**18),
        ("-1k", -1000),
        ("1.", 1),
    ],
)
def test_a_quantity_is_its_number(text: str, number: float) -> None:
    assert amount(text) == number


@pytest.mark.parametrize(
    "bad", ["", "m", "1Q", "one", "1 Gi", "1.2.3", "0x10", "1e1000", "\uff11Gi"]
)
def test_text_that_is_no_quantity_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        amount(bad)


def test_every_machine_with_tpus_has_the_topology_of_its_own_slice() -> None:
    with_tpus = [machine for machine in catalog().machine_types.values() if machine.tpus]
    assert with_tpus
    for machine in with_tpus:
        assert prod(int(side) for side in machine.tpu_topology.split("x")) == machine.tpus
    without = machine_type("n2-standard-4")
    assert without is not None
    assert without.tpu_topology == ""


@pytest.mark.parametrize(
    ("disk", "ssds", "left"),
    [(100, 0, 49), (20, 0, 8), (200, 0, 104), (100, 1, 287), (100, 2, 600)],
)
def test_the_disk_that_gke_leaves_to_pods(disk: int, ssds: int, left: int) -> None:
    assert allocatable.allocatable_disk_gib(disk, local_ssds=ssds) == left
