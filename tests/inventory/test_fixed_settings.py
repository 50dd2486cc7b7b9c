"""Which keys of a node pool and of the cluster replace it, by the rules of Google's provider."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from declared import Declared, run_layer, stack_config
from gkeplatform.contracts import ClusterContract
from gkeplatform.layers import CLUSTER
from gkeplatform.stack import read
from infra.cluster.pool_settings import NodePoolArgs
from sandbox.plugins.gcp.registry import handler_of
from tests.inventory.computed_inputs import CLUSTER as GKE
from tests.inventory.computed_inputs import POOL
from tests.inventory.test_computed_inputs import PLANE

Values = dict[str, Any]
KMS = "projects/acme-ml-dev/locations/europe-west4/keyRings/keys/cryptoKeys/disks"
L4 = {"type": "nvidia-l4"}
BASES: dict[str, Values] = {
    "cpu": {"machine_type": "n2-standard-8", "max_nodes": 1},
    "gpu": {"machine_type": "g2-standard-8", "max_nodes": 1, "accelerator": L4},
    "near": {"machine_type": "n2-standard-8", "max_nodes": 1, "zones": ["europe-west4-a"]},
    "tpu": {
        "machine_type": "ct5lp-hightpu-4t",
        "max_nodes": 2,
        "tpu_topology": "2x4",
        "zones": ["europe-west4-b"],
    },
}
CHANGES: dict[str, tuple[str, Values]] = {
    "compact": ("near", {"compact": True}),
    "machine": ("cpu", {"machine_type": "n2-standard-16"}),
    "most": ("cpu", {"max_nodes": 2}),
    "least": ("cpu", {"min_nodes": 1}),
    "disk": ("cpu", {"disk_size_gb": 200, "disk_type": "pd-ssd"}),
    "spot": ("cpu", {"spot": True}),
    "reserved": ("cpu", {"reservation": "mine"}),
    "local-ssds": ("cpu", {"local_ssd_count": 1}),
    "no-streams": ("cpu", {"image_streaming": False}),
    "key": ("cpu", {"boot_disk_kms_key": KMS}),
    "granted": ("cpu", {"boot_disk_kms_key": KMS, "boot_disk_kms_grant": False}),
    "pods": ("cpu", {"max_pods_per_node": 32}),
    "zones": ("cpu", {"zones": ["europe-west4-a"]}),
    "labels": ("cpu", {"labels": {"workload": "batch"}}),
    "taints": ("cpu", {"taints": [{"key": "dedicated"}]}),
    "blue-green": ("cpu", {"blue_green": {}}),
    "surge": ("cpu", {"max_surge": 2, "max_unavailable": 1}),
    "more-gpus": ("gpu", {"machine_type": "g2-standard-24", "accelerator": L4 | {"count": 2}}),
    "driver": ("gpu", {"accelerator": L4 | {"driver": "latest"}}),
    "shared": ("gpu", {"accelerator": L4 | {"sharing": {"clients": 4}}}),
    "flex": ("gpu", {"flex_start": True}),
    "queued": ("gpu", {"queued": True}),
    "both": ("gpu", {"flex_start": True, "queued": True}),
    "topology": ("tpu", {"tpu_topology": "4x4", "max_nodes": 4}),
}


def run(pools: list[Values], **plane: Any) -> Declared:
    given = stack_config("dev")
    cluster = json.loads(given["gke-cluster:cluster"]) | plane
    wide = json.loads(given["gke-cluster:network"]) | {"nodes_cidr": "10.10.0.0/16"}
    edit = {"cluster": cluster, "node_pools": pools, "network": wide}
    return run_layer(
        CLUSTER,
        "dev",
        {},
        given | {f"gke-cluster:{key}": json.dumps(value) for key, value in edit.items()},
    )


def replaced(kind: str, old: Any, new: Any, path: str = "") -> Iterator[str]:
    """The changed inputs that the provider cannot change in place."""
    handler = handler_of(kind)
    assert handler is not None
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in old.keys() | new.keys():
            below = f"{path}.{key}" if path else key
            yield from replaced(kind, old.get(key), new.get(key), below)
    elif old != new and path not in IGNORED and handler.replaces(path, old, new):
        yield path


IGNORED = ("name", "initialNodeCount", "nodeConfig.resourceLabels", "nodeConfig.serviceAccount")
"""The pools here differ in their names; the program ignores changes of the initial size."""


@pytest.fixture(scope="module")
def pools() -> Declared:
    """Every base and every change as a pool of its own."""
    changed = {name: BASES[base] | change for name, (base, change) in CHANGES.items()}
    return run([{"name": name, **values} for name, values in {**BASES, **changed}.items()])


@pytest.mark.parametrize("name", CHANGES)
def test_a_key_is_fixed_if_the_provider_replaces_the_pool(pools: Declared, name: str) -> None:
    base, change = CHANGES[name]
    published = read(ClusterContract, pools.outputs, environment="dev").node_pools
    fixed = {pool.name: pool.fixed for pool in published}
    keys = fixed[name].keys() | fixed[base].keys()
    changed = {key for key in keys if fixed[name].get(key) != fixed[base].get(key)}
    needs = list(replaced(POOL, pools.inputs[POOL, base], pools.inputs[POOL, name]))
    assert bool(changed) == bool(needs), (changed, needs)
    assert changed <= change.keys()


def test_every_key_of_a_pool_is_tried() -> None:
    tried = {key for _, change in CHANGES.values() for key in change}
    assert tried == set(NodePoolArgs.__struct_fields__) - {"name"}


def test_only_the_place_and_the_range_of_the_control_plane_replace_the_cluster() -> None:
    one = [{"name": "cpu", **BASES["cpu"]}]
    before = run(one).inputs[GKE, "main"]
    assert list(replaced(GKE, before, run(one, **PLANE).inputs[GKE, "main"])) == []
    for key, value in {
        "control_plane_cidr": "172.16.0.16/28",
        "control_plane_zone": "europe-west4-a",
    }.items():
        assert list(replaced(GKE, before, run(one, **{key: value}).inputs[GKE, "main"])), key
