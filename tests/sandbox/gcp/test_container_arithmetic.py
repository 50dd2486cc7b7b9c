"""Node capacity, address ranges, names and versions: pure functions of the container service."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facts import allocatable
from facts.machines import MachineType, machine_type
from sandbox.gcp.services.container import capacity, names, ranges, versions
from sandbox.gcp.services.container.wire_format import merge, prune

MINOR = versions.KUBERNETES.rpartition(".")[0]


def _machine(name: str) -> MachineType:
    machine = machine_type(name)
    assert machine is not None
    return machine


@pytest.mark.parametrize(
    ("name", "cpu", "memory_gib"),
    [
        ("e2-medium", "940m", 2.90),
        ("n1-standard-4", "3920m", 12.40),
        ("e2-standard-4", "3920m", 13.30),
        ("n2-standard-32", "31850m", 118.58),
    ],
)
def test_allocatable_resources_are_those_that_google_documents(
    name: str, cpu: str, memory_gib: float
) -> None:
    left = capacity.allocatable(_machine(name), disk_gb=100)
    assert left.cpu == cpu
    assert left.memory_kib / 1024 / 1024 == pytest.approx(memory_gib, abs=0.01)


def test_node_capacity_is_that_of_the_machine_type() -> None:
    whole = capacity.capacity(_machine("n2-standard-8"), disk_gb=200)
    assert (whole.cpu, whole.memory) == ("8", f"{32 * 1024 * 1024}Ki")
    assert whole.ephemeral_storage == f"{200 * 1024 * 1024}Ki"


@pytest.mark.parametrize(("disk", "left"), [(10, 4), (100, 49), (1000, 800)])
def test_the_boot_disk_is_shared_with_the_system(disk: int, left: int) -> None:
    assert disk - allocatable.reserved_disk_gib(disk) == left


@pytest.mark.parametrize(("pods", "length"), [(8, 28), (16, 27), (32, 26), (110, 24), (256, 23)])
def test_a_node_gets_twice_as_many_addresses_as_pods(pods: int, length: int) -> None:
    assert ranges.pods_per_node_prefix(pods) == length


@given(
    taken=st.lists(
        st.integers(0, 2**16 - 1).map(lambda n: IPv4Network((0x0A000000 + n * 256, 24))),
        max_size=30,
    ),
    length=st.integers(12, 24),
)
def test_a_free_range_overlaps_nothing(taken: list[IPv4Network], length: int) -> None:
    free = ranges.free_range(taken, length)
    assert free.prefixlen == length
    assert ranges.overlapping(free, taken) is None


def test_an_exhausted_address_space_is_reported() -> None:
    with pytest.raises(ranges.RangeError, match="no free range"):
        ranges.free_range([IPv4Network("10.0.0.0/8")], 20)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/40", "nonsense", "2001:db8::/32"])
def test_a_malformed_range_is_refused(text: str) -> None:
    with pytest.raises(ranges.RangeError):
        ranges.parse(text)


def test_names_are_stable_and_fit_into_63_characters() -> None:
    base = names.node_base("a" * 40, "b" * 40, "us-central1-a", "f" * 64)
    assert len(names.node(base, 999)) <= 63
    assert len(names.instance_group(base)) <= 63
    assert names.node(base, 1) == names.node(base, 1)
    assert len({names.node(base, index) for index in range(1000)}) == 1000


@pytest.mark.parametrize("wanted", ["latest", MINOR, versions.KUBERNETES, "", "-"])
def test_a_version_alias_means_a_version_of_the_channel(wanted: str) -> None:
    assert versions.resolve(wanted, "REGULAR") in versions.offered("REGULAR")


def test_an_unknown_version_is_none() -> None:
    assert versions.resolve("1.12", "REGULAR") is None


def test_a_channel_offers_its_default() -> None:
    for channel in versions.CHANNELS.values():
        assert channel.default in channel.versions
        assert versions.resolve(channel.default, channel.name) == channel.default


def test_default_values_are_omitted_and_empty_messages_kept() -> None:
    shown = prune(
        {
            "autopilot": {"enabled": False},
            "dns": {"allowExternalTraffic": False, "endpoint": ""},
            "labels": {"empty": ""},
            "nodes": [{"count": 0, "name": "a"}],
            "scopes": [],
        }
    )
    assert shown == {
        "autopilot": {},
        "dns": {"allowExternalTraffic": False},
        "labels": {"empty": ""},
        "nodes": [{"name": "a"}],
    }


def test_given_values_override_the_defaults() -> None:
    assert merge({"a": {"x": 1, "y": 2}, "l": [1]}, {"a": {"y": 3}, "l": [2], "n": None}) == {
        "a": {"x": 1, "y": 3},
        "l": [2],
    }
