"""The decisions of the cluster layer."""

import json
from typing import Any

import pytest

from declared import Declared
from gkeplatform.environment import Environment
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.cluster.cluster_settings import AuthorizedNetwork, ClusterArgs
from infra.cluster.gke_cluster import additional_zones, authorized_networks
from infra.cluster.identity import NODE_ROLES
from infra.cluster.kubeconfig import render
from infra.cluster.node_pools import instance_groups, node_config
from infra.cluster.pool_settings import Accelerator, NodePoolArgs, Taint
from tests.environment_runs import environment_run

DEV = Environment(name="dev", project="acme-ml-dev", region="europe-west4", system="acme-ml")
POOL = NodePoolArgs(name="general", machine_type="n2-standard-4", max_nodes=3)


def made_of(args: NodePoolArgs) -> dict[str, Any]:
    return dict(node_config(args, email="a@b", tag="node", labels=Labels(DEV, "cluster")))


def test_a_kubeconfig_asks_the_gke_plugin_and_holds_no_credential() -> None:
    config = json.loads(render(name="main", endpoint="192.0.2.1", certificate_authority="Q0E="))
    (cluster,), (user,) = config["clusters"], config["users"]
    assert cluster["cluster"]["server"] == "https://192.0.2.1"
    assert cluster["cluster"]["certificate-authority-data"] == "Q0E="
    assert user["user"]["exec"]["command"] == "gke-gcloud-auth-plugin"
    assert user["user"]["exec"]["apiVersion"] == "client.authentication.k8s.io/v1beta1"
    assert user["user"]["exec"]["provideClusterInfo"] is True
    assert list(user["user"]) == ["exec"]
    assert config["current-context"] == config["contexts"][0]["name"]


def test_managers_in_declared_zones_become_their_groups_in_the_order_of_zones() -> None:
    base = "https://www.googleapis.com/compute/v1/projects/p/zones/"
    groups = instance_groups(
        "general",
        ("z-a", "z-b"),
        [
            f"{base}z-c/instanceGroups/grp-3",
            f"{base}z-b/instanceGroupManagers/grp-2",
            f"{base}z-a/instanceGroups/grp-1",
        ],
    )
    assert [(group.zone, group.url) for group in groups] == [
        ("z-a", f"{base}z-a/instanceGroups/grp-1"),
        ("z-b", f"{base}z-b/instanceGroups/grp-2"),
    ]


def test_a_node_is_shielded_and_hides_its_metadata() -> None:
    config = made_of(POOL)
    assert config["shielded_instance_config"]["enable_secure_boot"] is True
    assert config["workload_metadata_config"] == {"mode": "GKE_METADATA"}
    assert config["metadata"] == {"disable-legacy-endpoints": "true"}
    assert config["service_account"] == "a@b"
    assert config["resource_labels"]["pool"] == "general"
    assert "guest_accelerators" not in config


def test_gpus_and_taints_reach_the_node() -> None:
    config = made_of(
        NodePoolArgs(
            name="gpu",
            machine_type="g2-standard-8",
            max_nodes=1,
            accelerator=Accelerator(type="nvidia-l4"),
            taints=(Taint(key="dedicated", value="gpu"),),
        )
    )
    assert config["guest_accelerators"][0]["type"] == "nvidia-l4"
    assert config["taints"] == [{"key": "dedicated", "value": "gpu", "effect": "NO_SCHEDULE"}]


def test_no_listed_network_leaves_the_api_server_open() -> None:
    args = ClusterArgs(zones=("europe-west4-a",), control_plane_cidr="172.16.0.0/28")
    assert authorized_networks(args).get("cidr_blocks") == [
        {"display_name": "everyone", "cidr_block": "0.0.0.0/0"}
    ]


def test_the_zone_of_a_zonal_control_plane_is_not_an_additional_zone() -> None:
    args = ClusterArgs(
        zones=("europe-west4-b", "europe-west4-a"),
        control_plane_cidr="172.16.0.0/28",
        control_plane_zone="europe-west4-a",
    )
    assert additional_zones(args) == ["europe-west4-b"]


def test_listed_networks_reach_the_api_server() -> None:
    args = ClusterArgs(
        zones=("europe-west4-a",),
        control_plane_cidr="172.16.0.0/28",
        authorized_networks=(AuthorizedNetwork(name="office", cidr="198.51.100.0/24"),),
    )
    assert authorized_networks(args) == {
        "cidr_blocks": [{"display_name": "office", "cidr_block": "198.51.100.0/24"}]
    }


@pytest.fixture(scope="module")
def declared() -> Declared:
    return environment_run("dev")["cluster"]


def test_every_pool_runs_as_its_own_service_account(declared: Declared) -> None:
    pools = declared.of("gcp:container/nodePool:NodePool")
    emails = sorted(pool["nodeConfig"]["serviceAccount"] for pool in pools.values())
    assert emails == [
        "acme-ml-dev-general-nodes@acme-ml-dev.iam.gserviceaccount.com",
        "acme-ml-dev-serving-nodes@acme-ml-dev.iam.gserviceaccount.com",
    ]


def test_a_pool_s_account_has_what_a_node_needs_and_no_more(declared: Declared) -> None:
    grants: dict[str, set[str]] = {}
    for grant in declared.of("gcp:projects/iAMMember:IAMMember").values():
        grants.setdefault(grant["member"], set()).add(grant["role"])
    assert len(grants) == 2
    assert all(roles == set(NODE_ROLES) for roles in grants.values())


def test_a_pool_autoscales_between_bounds(declared: Declared) -> None:
    pool = declared.inputs["gcp:container/nodePool:NodePool", "general"]
    assert pool["autoscaling"] == {
        "minNodeCount": 1,
        "maxNodeCount": 3,
        "locationPolicy": "BALANCED",
    }


def test_an_api_is_never_disabled_again(declared: Declared) -> None:
    services = declared.of("gcp:projects/service:Service").values()
    assert {service["disableOnDestroy"] for service in services} == {False}
    assert "container.googleapis.com" in {service["service"] for service in services}


def test_physical_names_come_from_naming(declared: Declared) -> None:
    cluster = declared.inputs["gcp:container/cluster:Cluster", "main"]
    assert cluster["name"] == Naming(DEV).of("cluster")
