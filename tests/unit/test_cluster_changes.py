"""What an edit would do to a deployed cluster: what is refused, and what is warned of."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pulumi
import pytest

from declared import run_layer, stack_config
from gkeplatform.contracts import ClusterContract, NetworkingContract
from gkeplatform.environment import Environment
from gkeplatform.errors import LET_GO_FIRST, PlatformError
from gkeplatform.instance_groups import used_groups
from gkeplatform.layers import CLUSTER
from gkeplatform.stack import Refused, read
from infra.cluster import changes
from infra.cluster.config import ClusterConfig
from infra.stack_file import read as read_file

Config = dict[str, Any]
DEV = Environment(name="dev", project="acme-ml-dev", region="europe-west4", system="acme-ml")
NETWORK, PLANE, POOLS = "gke-cluster:network", "gke-cluster:cluster", "gke-cluster:node_pools"
OWN = "organization/gke-cluster/dev"
GKE = "gcp:container/cluster:Cluster"
LATER = "organization/gke-networking/dev"


def written(edit: Callable[[Config], Any]) -> dict[str, str]:
    """Dev's keys with an edit."""
    keys = (NETWORK, PLANE, POOLS)
    given = stack_config("dev")
    parts = {key: json.loads(given[key]) for key in keys}
    edit(parts)
    return given | {key: json.dumps(value) for key, value in parts.items()}


def edited(edit: Callable[[Config], Any]) -> ClusterConfig:
    found = read_file(written(edit), file="stacks/Pulumi.dev.yaml").cluster
    assert found is not None
    return found


def same(_: Config) -> None:
    """No edit."""


@pytest.fixture(scope="module")
def outputs() -> dict[str, Any]:
    return run_layer(CLUSTER, "dev", {}).outputs


@pytest.fixture(scope="module")
def before(outputs: dict[str, Any]) -> ClusterContract:
    return read(ClusterContract, outputs, environment="dev")


@pytest.fixture(scope="module")
def served(before: ClusterContract) -> NetworkingContract:
    """A load balancer over all instance groups."""
    return read(NetworkingContract, networking(before), environment="dev")


def networking(before: ClusterContract) -> dict[str, Any]:
    return {
        "cluster": before.name,
        "address": "198.51.100.4",
        "url": "http://198.51.100.4",
        "url_map": "models",
        "static_bucket": "static",
        "models": [
            {
                "name": "fraud",
                "namespace": "models",
                "url": "http://198.51.100.4/fraud",
                "backend_service": "fraud",
                "groups": [group.url for group in before.instance_groups],
            }
        ],
    }


def rename(parts: Config) -> None:
    parts[POOLS][1].update(name="serving2")


def leave_a_zone(parts: Config) -> None:
    parts[PLANE].update(zones=["europe-west4-a"])


def become_zonal(parts: Config) -> None:
    parts[PLANE].update(control_plane_zone="europe-west4-a")


def another_control_plane(parts: Config) -> None:
    parts[PLANE].update(control_plane_cidr="172.16.0.16/28")


def unspot(parts: Config) -> None:
    parts[POOLS][1].update(spot=False)


def rename_all(parts: Config) -> None:
    for pool in parts[POOLS]:
        pool["name"] += "2"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (
            lambda c: c[NETWORK].update(nodes_cidr="10.10.0.0/21"),
            "network.nodes_cidr: 10.10.0.0/21 does not contain 10.10.0.0/20",
        ),
        (
            lambda c: c[NETWORK].update(nodes_cidr="10.11.0.0/20"),
            "network.nodes_cidr: 10.11.0.0/20 does not contain 10.10.0.0/20",
        ),
        (
            lambda c: c[NETWORK].update(pods_cidr="10.96.0.0/14"),
            "network.pods_cidr: the cluster uses 10.64.0.0/14",
        ),
        (
            lambda c: c[NETWORK].update(pods_cidr="10.64.0.0/13", services_cidr="10.80.0.0/20"),
            "network.pods_cidr: the cluster uses 10.64.0.0/14",
        ),
        (
            lambda c: c[NETWORK].update(services_cidr="10.82.0.0/20"),
            "network.services_cidr: the cluster uses 10.80.0.0/20",
        ),
    ],
)
def test_a_range_that_cannot_change_is_refused(
    before: ClusterContract, edit: Callable[[Config], Any], said: str
) -> None:
    with pytest.raises(PlatformError, match="destroy the environment") as raised:
        changes.refuse(edited(edit), DEV, before, None)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "edit",
    [
        same,
        rename,
        leave_a_zone,
        become_zonal,
        lambda c: c[NETWORK].update(nodes_cidr="10.10.0.0/19"),
    ],
)
def test_what_nothing_uses_may_change(
    before: ClusterContract, edit: Callable[[Config], Any]
) -> None:
    changes.refuse(edited(edit), DEV, before, None)
    changes.refuse(edited(edit), DEV, None, None)


def test_outputs_of_an_older_program_say_no_ranges(outputs: dict[str, Any]) -> None:
    old = {key: value for key, value in outputs.items() if not key.endswith("_cidr")}
    before = read(ClusterContract, old, environment="dev")
    narrower = edited(lambda c: c[NETWORK].update(nodes_cidr="10.10.0.0/21"))
    changes.refuse(narrower, DEV, before, None)


def test_gpus_cannot_be_taken_from_a_pool(outputs: dict[str, Any]) -> None:
    pools = [pool | {"accelerator": "nvidia-tesla-t4"} for pool in outputs["node_pools"]]
    before = read(ClusterContract, outputs | {"node_pools": pools}, environment="dev")
    with pytest.raises(PlatformError, match=r"node_pools\[0\].accelerator: .* another name"):
        changes.refuse(edited(same), DEV, before, None)


@pytest.mark.parametrize("edit", [rename, leave_a_zone, become_zonal])
def test_groups_leave_the_load_balancer_first(
    before: ClusterContract, served: NetworkingContract, edit: Callable[[Config], Any]
) -> None:
    config = edited(edit)
    with pytest.raises(PlatformError, match=LET_GO_FIRST):
        changes.refuse(config, DEV, before, served)
    rest = used_groups(before, config.pools(DEV.region))
    without = read(NetworkingContract, networking(rest), environment="dev")
    changes.refuse(config, DEV, before, without)


def test_the_last_groups_stay_until_there_are_others(
    before: ClusterContract, served: NetworkingContract
) -> None:
    config = edited(rename_all)
    with pytest.raises(PlatformError, match="first declare the new pool beside the old one"):
        changes.refuse(config, DEV, before, served)
    assert used_groups(before, config.pools(DEV.region)) == before


def test_the_groups_of_a_replaced_cluster_all_leave(before: ClusterContract) -> None:
    assert used_groups(before, edited(become_zonal).pools(DEV.region)).instance_groups == ()
    assert used_groups(before, None) == before


def test_the_preview_says_what_a_replacement_loses(before: ClusterContract) -> None:
    (said,) = changes.losses(edited(become_zonal), DEV, before)
    assert "moves from europe-west4 to europe-west4-a" in said
    assert "volumes are lost" in said
    assert list(changes.losses(edited(same), DEV, before)) == []
    assert list(changes.losses(edited(become_zonal), DEV, None)) == []


def with_a_pool_of_its_own_zones(parts: Config) -> None:
    leave_a_zone(parts)
    parts[POOLS][1].update(zones=["europe-west4-a"])


def kept_inputs(outputs: dict[str, Any], edit: Callable[[Config], Any]) -> list[str]:
    """The cluster's inputs that an update leaves as they were."""
    return run_layer(CLUSTER, "dev", {OWN: outputs}, written(edit)).ignored[GKE, "main"]


def test_a_cluster_keeps_its_zones_while_a_pool_has_zones_of_its_own(
    outputs: dict[str, Any],
) -> None:
    assert kept_inputs(outputs, with_a_pool_of_its_own_zones) == ["nodeLocations"]
    assert kept_inputs(outputs, leave_a_zone) == []


def test_a_replaced_cluster_takes_the_declared_zones(outputs: dict[str, Any]) -> None:
    def edit(parts: Config) -> None:
        with_a_pool_of_its_own_zones(parts)
        become_zonal(parts)

    assert kept_inputs(outputs, edit) == []


def test_auto_provisioned_pools_stay_in_the_zones_that_the_cluster_keeps(
    before: ClusterContract,
) -> None:
    def edit(parts: Config) -> None:
        with_a_pool_of_its_own_zones(parts)
        parts[PLANE].update(auto_provisioning={"cpu": 16, "memory_gb": 64})

    (said,) = changes.losses(edited(edit), DEV, before)
    assert "auto-provisioned pools keep them too" in said
    assert list(changes.losses(edited(with_a_pool_of_its_own_zones), DEV, before)) == []
    kept = msgspec.structs.replace(before, zones=("europe-west4-a",))
    assert list(changes.losses(edited(edit), DEV, kept)) == []


def test_the_groups_of_a_replaced_pool_leave_too(
    before: ClusterContract, served: NetworkingContract
) -> None:
    """A setting that cannot change in place: Google deletes the pool first, with its groups."""
    config = edited(unspot)
    with pytest.raises(PlatformError, match=LET_GO_FIRST):
        changes.refuse(config, DEV, before, served)
    rest = used_groups(before, config.pools(DEV.region))
    assert {group.pool for group in rest.instance_groups} == {"general"}
    without = read(NetworkingContract, networking(rest), environment="dev")
    changes.refuse(config, DEV, before, without)
    (said,) = changes.losses(config, DEV, before)
    assert 'node_pools[1]: "serving" is deleted and created again, since spot' in said


def test_the_only_pool_of_a_load_balancer_is_not_replaced(
    before: ClusterContract, served: NetworkingContract
) -> None:
    def edit(parts: Config) -> None:
        for pool in parts[POOLS]:
            pool["max_pods_per_node"] = 64

    with pytest.raises(PlatformError, match="first declare the new pool beside the old one"):
        changes.refuse(edited(edit), DEV, before, served)


def test_a_pool_that_an_older_program_published_is_taken_as_unchanged(
    outputs: dict[str, Any], served: NetworkingContract
) -> None:
    pools = [{k: v for k, v in one.items() if k != "fixed"} for one in outputs["node_pools"]]
    old = {k: v for k, v in outputs.items() if k != "control_plane_cidr"} | {"node_pools": pools}
    before = read(ClusterContract, old, environment="dev")
    changes.refuse(edited(unspot), DEV, before, served)
    changes.refuse(edited(another_control_plane), DEV, before, served)


def test_compact_placement_replaces_the_pool_and_its_absence_nothing(
    before: ClusterContract,
) -> None:
    def compact(parts: Config) -> None:
        parts[POOLS][0] |= {"compact": True, "zones": ["europe-west4-a"]}

    # What was deployed before the key existed has published nothing of it.
    assert not any("compact" in pool.fixed for pool in before.node_pools)
    assert edited(lambda _: None).pools(DEV.region).replaced_pools(before) == {}
    replaced = edited(compact).pools(DEV.region).replaced_pools(before)
    assert list(replaced.values()) == [("compact",)]


def test_another_range_of_the_control_plane_replaces_the_cluster(
    before: ClusterContract, served: NetworkingContract
) -> None:
    config = edited(another_control_plane)
    with pytest.raises(PlatformError, match=LET_GO_FIRST):
        changes.refuse(config, DEV, before, served)
    assert used_groups(before, config.pools(DEV.region)).instance_groups == ()
    (said,) = changes.losses(config, DEV, before)
    assert "cluster.control_plane_cidr: the control plane has 172.16.0.0/28" in said
    assert "volumes are lost" in said


def test_what_a_replacement_loses_is_said_before_it_is_refused(
    outputs: dict[str, Any], before: ClusterContract, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda text, *_, **__: said.append(text))
    with pytest.raises(Refused):
        run_layer(CLUSTER, "dev", {OWN: outputs, LATER: networking(before)}, written(become_zonal))
    assert any("volumes are lost" in text for text in said)


def test_the_program_compares_with_its_own_outputs(
    outputs: dict[str, Any], before: ClusterContract
) -> None:
    upstream = {OWN: outputs, LATER: networking(before)}
    run_layer(CLUSTER, "dev", upstream)
    with pytest.raises(Refused) as raised:
        run_layer(CLUSTER, "dev", upstream, written(rename))
    assert "stacks/Pulumi.dev.yaml:" in raised.value.message
    assert "instance groups of serving in europe-west4-a and europe-west4-b" in (
        raised.value.message
    )
