"""What the cluster layer refuses before it touches anything, and what it makes of its settings."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from declared import run_layer, stack_config
from gkeplatform.layers import CLUSTER
from infra.cluster import capacity, features
from infra.cluster.addresses import block_of, smallest
from infra.cluster.backup_settings import check_schedule
from infra.cluster.cluster_settings import ClusterArgs
from infra.cluster.node_pools import autoscaling, gpus, reservation, upgrade
from infra.cluster.pool_settings import Accelerator, BlueGreen, NodePoolArgs, Sharing
from tests.contracts.refusals import refusal

Config = dict[str, Any]
ZONES = ("europe-west4-a", "europe-west4-b")
POOL = "gke-cluster:node_pools"
ONE: dict[str, Any] = {"zones": ["europe-west4-a"]}
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


def window(*, recurrence: str) -> Config:
    times = {"start": "2026-01-03T02:00:00Z", "end": "2026-01-03T08:00:00Z"}
    return {**times, "recurrence": f"FREQ=WEEKLY;{recurrence}"}


def tpu_pool(**more: Any) -> Config:
    slice_of_two = {"machine_type": "ct5lp-hightpu-4t", "tpu_topology": "2x4", "max_nodes": 2}
    return {"name": "tpu", "zones": ["europe-west4-b"], **slice_of_two, **more}


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
            lambda c: c[POOL][0].update(zones=["europe-west4-c"]),
            'node_pools[0].zones: "europe-west4-c" is not one of cluster.zones',
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(control_plane_zone="us-east1-b"),
            "cluster.control_plane_zone: us-east1-b is not in gcp:region europe-west4",
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(control_plane_zone="europe-west4-c"),
            "cluster.control_plane_zone: europe-west4-c is not one of cluster.zones "
            "(europe-west4-a, europe-west4-b)",
        ),
        (
            lambda c: c[POOL][1].update(flex_start=True),
            "flex_start and spot exclude each other",
        ),
        (
            lambda c: c[POOL][0].update(tpu_topology="2x4"),
            "tpu_topology: n2-standard-4 has no TPUs",
        ),
        (
            lambda c: c[POOL][0].update(compact=True),
            "gke-cluster:node_pools[0].zones: compact placement is within one zone, not in "
            "europe-west4-a, europe-west4-b; set zones: [europe-west4-a], or remove compact",
        ),
        (
            lambda c: c[POOL][0].update(compact=True, **ONE, machine_type="e2-standard-4"),
            "gke-cluster:node_pools[0].machine_type: e2-standard-4 has no compact placement",
        ),
        (
            lambda c: c[POOL][0].update(compact=True, **ONE, blue_green={}),
            "node_pools[0].blue_green: compact placement has surge upgrades only; remove "
            "blue_green, or remove compact",
        ),
        (
            lambda c: c[POOL].append(gpu_pool(compact=True, **ONE, queued=True)),
            "node_pools[2].queued: queued provisioning has no compact placement",
        ),
        (
            lambda c: c[POOL].append(gpu_pool(compact=True, **ONE, flex_start=True)),
            "node_pools[2].flex_start: flex-start has compact placement for a3-ultragpu-*, a4-*, "
            "h4d-* only",
        ),
        (
            lambda c: c[POOL].append(tpu_pool(compact=True)),
            "compact: the nodes of a TPU slice are always close; remove compact",
        ),
        (
            lambda c: c[POOL].append(tpu_pool(max_nodes=3)),
            "gke-cluster:node_pools[2].max_nodes: 3, and a slice of 2x4 is 2 nodes (8 chips, 4 in "
            "each ct5lp-hightpu-4t), all or none; set 2",
        ),
        (
            lambda c: c[POOL].append(tpu_pool(tpu_topology="1x3")),
            'gke-cluster:node_pools[2].tpu_topology: "1x3" is 3 chips, and ct5lp-hightpu-4t has 4',
        ),
        (
            lambda c: c[POOL].append(tpu_pool(zones=["europe-west4-a"])),
            "node_pools[2].machine_type: europe-west4-a has no ct5lp-hightpu-4t (catalog of "
            "2026-11-26); zones of the region that have it: europe-west4-b",
        ),
        (
            lambda c: c[POOL].append(gpu_pool(queued=True, reservation="mine")),
            "reservation: queued nodes cannot use a reservation; remove one of them",
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(private_endpoint=True),
            "private_endpoint: only the nodes could reach the API server",
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(
                maintenance={"start": "2026-01-03T02:00:00Z", "end": "2026-01-03T03:00:00Z"}
            ),
            "the window of 1 hours is not between 4 and 24",
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(maintenance=window(recurrence="BYDAY=SA")),
            "recurrence: 4 windows of 6 hours in 32 days are 24 hours, and GKE requires 48; set "
            "end 12 hours after start, or a shorter interval",
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(maintenance=window(recurrence="BYDAY=SO")),
            'recurrence: "SO" is not a day; did you mean "SU"',
        ),
        (
            lambda c: (
                c["gke-cluster:cluster"].update(auto_provisioning={"cpu": 8, "memory_gb": 32}),
                c[POOL][0].update(name="auto"),
            ),
            'node_pools[0].name: "auto" is the name of pools that auto_provisioning creates',
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(secrets_encryption={"key": KEY_ELSEWHERE}),
            f'gke-cluster:cluster.secrets_encryption.key: "{KEY_ELSEWHERE}" is in europe-west1, '
            "and the resource it encrypts is in europe-west4; use a key in the same region "
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
            "gke-cluster:cluster.secrets_encryption: rotation_days applies only to a new "
            "key; remove it, or key",
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(secrets_encryption={"grant": False}),
            "grant: false, but GKE needs access to the new key; set key",
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
            lambda c: c["gke-cluster:cluster"].update(backup={"lock_days": 40}),
            "gke-cluster:cluster.backup: lock_days 40 exceeds retain_days 30; set at most 30",
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(backup={"retain_days": 400}),
            "cluster.backup.retain_days: expected an integer of at most 365, got 400",
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(backup={"schedule": "daily"}),
            'gke-cluster:cluster.backup: schedule: "daily" has 1 fields, not 5 (minute, hour, day '
            'of the month, month, day of the week); for example "0 3 * * *"',
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(backup={"schedule": "0 25 * * *"}),
            'schedule: "25" is not a valid hour: use *, 0 to 23, ranges (-) and steps (/); '
            'did you mean "23"?',
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(backup={"key": KEY, "region": "us-east1"}),
            f'gke-cluster:cluster.backup.key: "{KEY}" is in europe-west4, and the '
            "resource it encrypts is in us-east1",
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(notifications={"events": ["UPGRADES"]}),
            "gke-cluster:cluster.notifications.events[0]:",
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(notifications={"events": []}),
            "gke-cluster:cluster.notifications.events:",
        ),
        (
            lambda c: c["gke-cluster:cluster"].update(notifications={"retain_days": 60}),
            "cluster.notifications.retain_days: expected an integer of at most 31, got 60",
        ),
        (
            lambda c: c[POOL][0].update(boot_disk_kms_grant=False),
            "gke-cluster:node_pools[0]: boot_disk_kms_grant applies only to boot_disk_kms_key",
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


def test_every_pool_states_its_zones() -> None:
    config = edited(lambda c: c[POOL][1].update(zones=[ZONES[0]]))
    pools = run_layer(CLUSTER, "dev", {}, config).of("gcp:container/nodePool:NodePool")
    zones = {name: pool["nodeLocations"] for name, pool in pools.items()}
    assert zones == {"general": list(ZONES), "serving": [ZONES[0]]}


def test_a_zonal_cluster_is_in_its_zone() -> None:
    config = edited(lambda c: c["gke-cluster:cluster"].update(control_plane_zone=ZONES[0]))
    declared = run_layer(CLUSTER, "dev", {}, config)
    (cluster,) = declared.of("gcp:container/cluster:Cluster").values()
    assert cluster["location"] == ZONES[0]
    assert cluster["nodeLocations"] == [ZONES[1]]
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


def test_compute_engine_is_granted_each_key_of_boot_disks_once() -> None:
    other = KEY.replace("/secrets", "/disks")
    config = edited(
        lambda c: c[POOL].extend(
            [
                c[POOL][0] | {"name": "first", "boot_disk_kms_key": KEY},
                c[POOL][0] | {"name": "second", "boot_disk_kms_key": KEY},
                c[POOL][0]
                | {"name": "third", "boot_disk_kms_key": other, "boot_disk_kms_grant": False},
            ]
        )
    )
    declared = run_layer(CLUSTER, "dev", {}, config)
    (grant,) = declared.of("gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember").values()
    assert grant["cryptoKeyId"] == KEY
    assert grant["member"].endswith("@compute-system.iam.gserviceaccount.com")


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


def test_what_is_off_is_said_to_be_off() -> None:
    # Left out, the provider would leave it as it is.
    (cluster,) = run_layer(CLUSTER, "dev", {}).of("gcp:container/cluster:Cluster").values()
    assert cluster["databaseEncryption"] == {"state": "DECRYPTED"}
    assert cluster["notificationConfig"] == {"pubsub": {"enabled": False}}
    assert cluster["addonsConfig"]["gkeBackupAgentConfig"] == {"enabled": False}
    assert cluster["addonsConfig"]["gcpFilestoreCsiDriverConfig"] == {"enabled": False}


def test_a_plan_keeps_all_namespaces_of_the_cluster_and_has_its_agent() -> None:
    given = {"schedule": "30 1 * * 1-5", "retain_days": 20, "lock_days": 5, "key": KEY}
    config = edited(lambda c: c["gke-cluster:cluster"].update(backup=given))
    declared = run_layer(CLUSTER, "dev", {}, config)
    (plan,) = declared.of("gcp:gkebackup/backupPlan:BackupPlan").values()
    assert plan["location"] == "europe-west4"
    assert plan["backupSchedule"] == {"cronSchedule": "30 1 * * 1-5"}
    assert plan["retentionPolicy"] == {"backupRetainDays": 20, "backupDeleteLockDays": 5}
    assert plan["backupConfig"]["allNamespaces"]
    assert plan["backupConfig"]["includeSecrets"]
    assert plan["backupConfig"]["includeVolumeData"]
    assert plan["backupConfig"]["encryptionKey"] == {"gcpKmsEncryptionKey": KEY}
    (grant,) = declared.of("gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember").values()
    assert grant["member"].endswith("@gcp-sa-gkebackup.iam.gserviceaccount.com")
    (cluster,) = declared.of("gcp:container/cluster:Cluster").values()
    assert cluster["addonsConfig"]["gkeBackupAgentConfig"] == {"enabled": True}


@pytest.mark.parametrize(
    "schedule", ["0 3 * * *", "*/15 0-6 1,15 * 1-5", "59 23 31 12 7", "0 0-23/2 * * 0"]
)
def test_a_schedule_of_cron_is_taken(schedule: str) -> None:
    check_schedule(schedule)


@pytest.mark.parametrize(
    "schedule",
    [
        "60 3 * * *",
        "0 3 0 * *",
        "0 3 * 13 *",
        "0 3 * * 8",
        "0 6-2 * * *",
        "*/0 * * * *",
        "a * * * *",
    ],
)
def test_a_schedule_that_never_comes_is_refused(schedule: str) -> None:
    with pytest.raises(ValueError, match="did you mean"):
        check_schedule(schedule)


def test_events_go_to_a_topic_of_the_project() -> None:
    given = {"events": ["SECURITY_BULLETIN_EVENT"], "retain_days": 3}
    config = edited(lambda c: c["gke-cluster:cluster"].update(notifications=given))
    declared = run_layer(CLUSTER, "dev", {}, config)
    (topic,) = declared.of("gcp:pubsub/topic:Topic").values()
    assert topic["messageRetentionDuration"] == f"{3 * 86400}s"
    (cluster,) = declared.of("gcp:container/cluster:Cluster").values()
    assert cluster["notificationConfig"]["pubsub"] == {
        "enabled": True,
        "topic": f"projects/acme-ml-dev/topics/{topic['name']}",
        "filter": {"eventTypes": ["SECURITY_BULLETIN_EVENT"]},
    }


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
        metrics=("SYSTEM_COMPONENTS",),
    )
    made = features.features(args)
    assert made["binary_authorization"] == {"evaluation_mode": "PROJECT_SINGLETON_POLICY_ENFORCE"}
    assert made["security_posture_config"]["vulnerability_mode"] == "VULNERABILITY_BASIC"
    assert made["authenticator_groups_config"] == {
        "security_group": "gke-security-groups@acme.example"
    }
    assert made["monitoring_config"]["managed_prometheus"] == {"enabled": False}
    assert "maintenance_policy" not in made


def test_metrics_of_gpus_need_managed_prometheus() -> None:
    with pytest.raises(ValueError, match="DCGM is collected by Managed Service for Prometheus"):
        ClusterArgs(zones=ZONES, control_plane_cidr="172.16.0.0/28", managed_prometheus=False)


@pytest.mark.parametrize("way", ["flex_start", "queued"])
def test_scarce_nodes_are_not_repaired_and_of_no_reservation(way: str) -> None:
    # GKE refuses the pool otherwise.
    config = edited(lambda c: c[POOL].append(gpu_pool(**{way: True})))
    declared = run_layer(CLUSTER, "dev", {}, config)
    pool = declared.inputs["gcp:container/nodePool:NodePool", "gpu"]
    assert pool["management"]["autoRepair"] is False
    affinity = pool["nodeConfig"]["reservationAffinity"]
    assert affinity == {"consumeReservationType": "NO_RESERVATION"}
    assert pool["autoscaling"]["locationPolicy"] == "ANY"
    assert pool["initialNodeCount"] == 0


def test_a_slice_of_tpus_is_placed_together() -> None:
    declared = run_layer(CLUSTER, "dev", {}, edited(lambda c: c[POOL].append(tpu_pool())))
    pool = declared.inputs["gcp:container/nodePool:NodePool", "tpu"]
    assert pool["placementPolicy"] == {"type": "COMPACT", "tpuTopology": "2x4"}
    assert pool["nodeLocations"] == ["europe-west4-b"]
