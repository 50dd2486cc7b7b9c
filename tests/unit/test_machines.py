"""What the layers believe of machine types is what the sandbox's nodes are made of."""

from gkeplatform import machines
from sandbox.gcp import machine_types, machine_types_update
from sandbox.gcp.services.container import capacity

MACHINES = machines.catalogue().machines


def test_both_have_the_same_catalogue() -> None:
    copy, original = machine_types_update.COPY, machine_types_update.TARGET
    assert copy.read_text() == original.read_text()
    tpus = [path.with_name("tpus.json") for path in (copy, original)]
    assert tpus[0].read_text() == tpus[1].read_text()


def test_what_is_left_to_pods_is_what_the_sandboxs_nodes_have() -> None:
    for name, mine in MACHINES.items():
        theirs = machine_types.catalogue().machine_types[name]
        left = capacity.allocatable(theirs, disk_gb=100)
        assert mine.allocatable_mib * 1024 == left.memory_kib, name
        assert mine.allocatable_millicpu == left.cpu_milli, name
        assert mine.zones == theirs.zones, name
        assert mine.tpus == theirs.tpus, name
        if mine.built_in_gpus and theirs.accelerators:
            built_in = theirs.accelerators.type, theirs.accelerators.count
            assert mine.built_in_gpus == built_in, name
