"""What the cluster layer refuses before it touches anything, and what it makes of its settings."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from cli.declared import run_layer, stack_config
from gkeplatform.layers import CLUSTER
from infra.cluster import capacity, features
from infra.cluster.addresses import block_of, smallest
from infra.cluster.cluster_settings import ClusterArgs
from infra.cluster.node_pools import autoscaling, gpus, reservation, upgrade
from infra.cluster.pool_settings import Accelerator, BlueGreen, NodePoolArgs, Sharing
from tests.contracts.refusals import refusal

Config = dict[str, Any]
ZONES = ("europe-west4-a", "europe-west4-b")
POOL = "gke-cluster:node_pools"
KEY = "projects/acme-keys/locations/europe-west4/keyRings/gke/cryptoKeys/secrets"
KEY_ELSEWHERE = KEY.replace("west4", "west1")


def edited(change: Callable[[Config], Any]) -> dict[str, str]:
    config = stack_config("dev")
    keys = ("gke-cluster:network", "gke-cluster:cluster", POOL)
    parts = {key: json.loads(config[key]) for key in keys}
    change(parts)
    return config | {key: json.dumps(value) for key, value in parts.items()}


def gpu_pool(**more: Any) -> Config:
    accelerator = {"type": "nvidia-l4", "count": 1}
    return {
        "name": "gpu",
        "machine_type": "g2-standard-8",
        "max_nodes": 1,
        "accelerator": accelerator,
        **more,
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda c: c["gke-cluster:network"].update(nodes_cidr="10.10.0.0/28"),
            "gke-cluster:network.nodes_cidr: 10.10.0.0/28 has 12 addresses for nodes (16 - 4 of "
            "Google's), and the pools may grow to 16 nodes with those of an upgrade "
            "(general 7 + serving 9); a /27 would do",
        ),
        (
            lambda c: c["gke-cluster:network"].update(pods_cidr="10.64.0.0/21"),
            "gke-cluster:network.pods_cidr: 10.64.0.0/21 has 2048 addresses, and the pools may "
            "take 4096 (general 7 x 256 + serving 9 x 256",
        ),
        (
            lambda c: c[POOL].append(gpu_pool(accelerator={"type": "nvidia-l5", "count": 1})),
            'node_pools[2].accelerator.type: there is no accelerator "nvidia-l5"',
        ),
        (
            lambda c: c[POOL].append(
                gpu_pool(
                    machine_type="n1-standard-8",
                    accelerator={"type": "nvidia-tesla-p4", "count": 1},
                    zones=["europe-west4-a"],
                )
            ),
            "node_pools[2].accelerator.type: europe-west4-a has no nvidia-tesla-p4",
        ),
        (
            lambda c: c[POOL].append(gpu_pool(accelerator={"type": "nvidia-l4", "count": 4})),
            "node_pools[2].accelerator: g2-standard-8 comes with 1 x nvidia-l4, not 4 x nvidia-l4",
        ),
        (
            lambda c: c[POOL][0].update(machine_type="q9-standard-4"),
            'node_pools[0].machine_type: no machine type of family "q9" is known',
        ),
        (
            lambda c: c[POOL][0].update(zones=["europe-west4-c"]),
            'node_pools[0].zones: "europe-west4-c" is not one of cluster.zones',
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(control_plane_zone="us-east1-b"),
            "cluster.control_plane_zone: us-east1-b is not in gcp:region europe-west4",
        ),
        (
            lambda c: c[POOL][1].update(flex_start=True),
            "flex_start: a pool with spot cannot have it",
        ),
        (
            lambda c: c[POOL][0].update(tpu_topology="2x4"),
            "tpu_topology: n2-standard-4 has no TPUs",
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(private_endpoint=True),
            "private_endpoint: nobody but the nodes would reach the API server",
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(
                maintenance={"start": "2026-01-03T02:00:00Z", "end": "2026-01-03T03:00:00Z"}
            ),
            "the window of 1 hours is not between 4 and 24",
        ),
        (
            lambda c: (
                c["gke-cluster:cluster"].update(auto_provisioning={"cpu": 8, "memory_gb": 32}),
                c[POOL][0].update(name="auto"),
            ),
            'node_pools[0].name: "auto" is the name of what auto_provisioning makes',
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(secrets_encryption={"key": KEY_ELSEWHERE}),
            f'gke-cluster:cluster.secrets_encryption.key: "{KEY_ELSEWHERE}" is in europe-west1, '
            "and gcp:region is europe-west4: a key must be in the same region; make it there "
            f'("{KEY}")',
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(secrets_encryption={"key": "my-key"}),
            "gke-cluster:cluster.secrets_encryption.key: expected text of the form ^projects/",
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(
                secrets_encryption={"key": KEY, "rotation_days": 30}
            ),
            "gke-cluster:cluster.secrets_encryption: rotation_days is of a key that is made; "
            "leave it out, or key",
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(secrets_encryption={"grant": False}),
            "grant: nobody else lets GKE use a key that is made here; set key",
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(secrets_encryption={"rotation_days": 0}),
            "secrets_encryption.rotation_days: expected an integer of at least 1, got 0",
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(secrets_encryption={"rotation_day": 90}),
            'unknown key "rotation_day"; did you mean "rotation_days"?',
        ),
        (
            lambda c: c[POOL][0].update(boot_disk_kms_key=KEY_ELSEWHERE),
            "gke-cluster:node_pools[0].boot_disk_kms_key:",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(
    change: Callable[[Config], Any], said: str
) -> None:
    assert said in refusal(CLUSTER, {}, edited(change))


def test_a_zonal_cluster_is_in_its_zone() -> None:
    config = edited(lambda c: c["gke-cluster:cluster"].update(control_plane_zone=ZONES[0]))
    declared = run_layer(CLUSTER, "dev", {}, config)
    (cluster,) = declared.of("gcp:container/cluster:Cluster").values()
    assert cluster["location"] == ZONES[0]
    assert {p["location"] for p in declared.of("gcp:container/nodePool:NodePool").values()} == {
        ZONES[0]
    }


def test_a_made_key_is_in_the_region_rotates_and_is_granted_to_gke() -> None:
    given = {"rotation_days": 30, "destroy_after_days": 7, "protection": "hsm"}
    config = edited(
        lambda c: c["gke-cluster:cluster"].update(
            control_plane_zone=ZONES[0], secrets_encryption=given
        )
    )
    declared = run_layer(CLUSTER, "dev", {}, config)
    (ring,) = declared.of("gcp:kms/keyRing:KeyRing").values()
    assert ring["location"] == "europe-west4"
    assert ring["name"].startswith("acme-ml-dev-secrets-")
    (key,) = declared.of("gcp:kms/cryptoKey:CryptoKey").values()
    assert key["rotationPeriod"] == f"{30 * 86400}s"
    assert key["destroyScheduledDuration"] == f"{7 * 86400}s"
    assert key["versionTemplate"]["protectionLevel"] == "HSM"
    (grant,) = declared.of("gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember").values()
    assert grant["member"].endswith("@container-engine-robot.iam.gserviceaccount.com")
    (cluster,) = declared.of("gcp:container/cluster:Cluster").values()
    assert cluster["databaseEncryption"] == {"state": "ENCRYPTED", "keyName": grant["cryptoKeyId"]}


@pytest.mark.parametrize("grants", [True, False])
def test_a_key_of_one_s_own_takes_the_place_of_a_made_one(grants: bool) -> None:
    given = {"key": KEY, "grant": grants}
    config = edited(lambda c: c["gke-cluster:cluster"].update(secrets_encryption=given))
    declared = run_layer(CLUSTER, "dev", {}, config)
    assert not declared.of("gcp:kms/keyRing:KeyRing")
    members = declared.of("gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember").values()
    assert [one["cryptoKeyId"] for one in members] == ([KEY] if grants else [])
    (cluster,) = declared.of("gcp:container/cluster:Cluster").values()
    assert cluster["databaseEncryption"]["keyName"] == KEY


def test_without_a_key_the_cluster_is_told_so() -> None:
    (cluster,) = run_layer(CLUSTER, "dev", {}).of("gcp:container/cluster:Cluster").values()
    assert cluster["databaseEncryption"] == {"state": "DECRYPTED"}


def test_auto_provisioned_nodes_have_an_account_of_their_own() -> None:
    given = {"cpu": 8, "memory_gb": 32, "gpus": {"nvidia-l4": 2}}
    config = edited(lambda c: c["gke-cluster:cluster"].update(auto_provisioning=given))
    declared = run_layer(CLUSTER, "dev", {}, config)
    (cluster,) = declared.of("gcp:container/cluster:Cluster").values()
    scaling = cluster["clusterAutoscaling"]
    limits = {one["resourceType"]: one["maximum"] for one in scaling["resourceLimits"]}
    assert limits == {"cpu": 8, "memory": 32, "nvidia-l4": 2}
    account = scaling["autoProvisioningDefaults"]["serviceAccount"]
    assert account == "acme-ml-dev-auto-nodes@acme-ml-dev.iam.gserviceaccount.com"


def test_a_range_per_node_is_a_power_of_two_for_twice_the_pods() -> None:
    assert [block_of(pods) for pods in (8, 16, 32, 64, 110, 256)] == [16, 32, 64, 128, 256, 512]
    assert [smallest(n) for n in (1, 2, 256, 257)] == [32, 31, 24, 23]


def test_shared_and_sliced_gpus_count_as_pods_see_them() -> None:
    shared = Accelerator(type="nvidia-l4", count=2, sharing=Sharing(clients=4))
    sliced = Accelerator(type="nvidia-tesla-a100", count=1, partition="1g.5gb")
    for accelerator, count in ((shared, 8), (sliced, 7)):
        pool = NodePoolArgs(
            name="gpu", machine_type="g2-standard-24", max_nodes=1, accelerator=accelerator
        )
        assert capacity.pool(pool, ZONES).gpus == count
    assert gpus(shared)["gpu_sharing_config"] == {
        "gpu_sharing_strategy": "TIME_SHARING",
        "max_shared_clients_per_gpu": 4,
    }


def test_the_ways_of_a_pool_reach_its_resource() -> None:
    flex = NodePoolArgs(
        name="gpu",
        machine_type="g2-standard-8",
        max_nodes=2,
        accelerator=Accelerator(type="nvidia-l4"),
        flex_start=True,
        queued=True,
        blue_green=BlueGreen(batch_percent=50),
    )
    assert autoscaling(flex)["location_policy"] == "ANY"
    assert reservation(flex) == {"consume_reservation_type": "NO_RESERVATION"}
    assert upgrade(flex)["strategy"] == "BLUE_GREEN"
    reserved = NodePoolArgs(name="a", machine_type="n2-standard-4", max_nodes=2, reservation="mine")
    affinity = reservation(reserved)
    assert affinity
    assert affinity["values"] == ["mine"]


def test_what_is_switched_on_reaches_the_cluster() -> None:
    args = ClusterArgs(
        zones=ZONES,
        control_plane_cidr="172.16.0.0/28",
        binary_authorization=True,
        vulnerability_scanning=True,
        security_group="gke-security-groups@acme.example",
        managed_prometheus=False,
    )
    made = features.features(args)
    assert made["binary_authorization"] == {"evaluation_mode": "PROJECT_SINGLETON_POLICY_ENFORCE"}
    assert made["security_posture_config"]["vulnerability_mode"] == "VULNERABILITY_BASIC"
    assert made["authenticator_groups_config"] == {
        "security_group": "gke-security-groups@acme.example"
    }
    assert made["monitoring_config"]["managed_prometheus"] == {"enabled": False}
    assert "maintenance_policy" not in made
