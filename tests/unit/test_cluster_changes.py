"""What an edit would do to a deployed cluster: what is refused, and what is warned of."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

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


def test_the_preview_says_which_pools_gke_moves(before: ClusterContract) -> None:
    def edit(parts: Config) -> None:
        leave_a_zone(parts)
        parts[POOLS][1].update(zones=["europe-west4-a"])

    (said,) = changes.losses(edited(edit), DEV, before)
    assert "serving has zones of its own" in said


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
