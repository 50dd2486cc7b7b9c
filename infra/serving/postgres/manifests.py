"""The manifests that Zalando's operator reads: its configuration, and one object per cluster."""

from infra.serving.manifest import Manifest
from infra.serving.postgres.clusters import Cluster
from infra.serving.postgres.network import INSTANCE_LABELS
from infra.serving.postgres.settings import Backups

SPILO = "ghcr.io/zalando/spilo-17:4.0-p3"
"""Postgres 13 to 17 with Patroni and WAL-G."""
POD_ACCOUNT = "postgres-pod"
OPERATOR_PORT = 8080
_POSTGRES_USER, _POSTGRES_GROUP = 101, 103
_ZONE = "topology.kubernetes.io/zone"


def configuration(*, namespace: str, bucket: str, may_share_zones: bool) -> Manifest:
    """The operator's configuration; other settings have the operator's defaults.

    `may_share_zones`: a cluster has more instances than there are zones for them.
    """
    return {
        "docker_image": SPILO,
        # The definitions are declared here; the operator needs no right to create any.
        "enable_crd_registration": False,
        "enable_pgversion_env_var": True,
        "enable_team_id_clustername_prefix": False,
        # The default is 0, which scales every cluster down to no instances.
        "min_instances": -1,
        "max_instances": -1,
        "resync_period": "30m",
        "repair_period": "5m",
        "workers": 4,
        "users": {"super_username": "postgres", "replication_username": "standby"},
        "major_version_upgrade": {
            "major_version_upgrade_mode": "manual",
            "minimal_major_version": "14",
            "target_major_version": "17",
        },
        "kubernetes": {
            "watched_namespace": namespace,
            "cluster_labels": INSTANCE_LABELS,
            "pod_service_account_name": POD_ACCOUNT,
            # Users' Secrets go to the namespace of their models.
            "enable_cross_namespace_secret": True,
            "secret_name_template": "{username}.{cluster}.credentials.{tprkind}.{tprgroup}",
            # Deleting a cluster deletes its objects even if the operator is down. A finalizer
            # would block it until the next resync, half an hour later.
            "enable_owner_references": True,
            "enable_finalizers": False,
            # Data outlives its cluster until the claims are deleted.
            "enable_persistent_volume_claim_deletion": False,
            "persistent_volume_claim_retention_policy": {
                "when_deleted": "retain",
                "when_scaled": "retain",
            },
            "storage_resize_mode": "pvc",
            "enable_pod_antiaffinity": True,
            "pod_antiaffinity_topology_key": _ZONE,
            # With more instances than zones, some must share one.
            "pod_antiaffinity_preferred_during_scheduling": may_share_zones,
            # The budget is for the primary only: replicas may be evicted at any time, and the
            # operator moves the primary off a cordoned node.
            "enable_pod_disruption_budget": True,
            "pdb_master_label_selector": True,
            "pdb_name_format": "postgres-{cluster}-pdb",
            "master_pod_move_timeout": "20m",
            "enable_readiness_probe": True,
            "pod_management_policy": "ordered_ready",
            "pod_terminate_grace_period": "5m",
            "spilo_privileged": False,
            # Its cron changes its user; base backups need that.
            "spilo_allow_privilege_escalation": True,
            "spilo_runasuser": _POSTGRES_USER,
            "spilo_runasgroup": _POSTGRES_GROUP,
            "spilo_fsgroup": _POSTGRES_GROUP,
            "enable_sidecars": False,
            "enable_init_containers": False,
        },
        "aws_or_gcp": {"wal_gs_bucket": bucket},
        "debug": {"debug_logging": False, "enable_database_access": True},
        "teams_api": {"enable_teams_api": False},
        "load_balancer": {
            "enable_master_load_balancer": False,
            "enable_replica_load_balancer": False,
        },
        "logging_rest_api": {"api_port": OPERATOR_PORT},
    }


def postgresql(cluster: Cluster, *, bucket: str) -> Manifest:
    """The spec of a `postgresql` object."""
    args = cluster.settings
    roles = {user: cluster.role(user) for user in args.users}
    requests, limits = args.resources.requests, args.resources.limits
    spec: Manifest = {
        "teamId": cluster.models_namespace,
        "numberOfInstances": args.instances,
        "volume": {"size": args.volume.size, "storageClass": args.volume.storage_class},
        "postgresql": {
            "version": args.version,
            **({"parameters": args.parameters} if args.parameters else {}),
        },
        "users": {roles[user]: list(flags) for user, flags in args.users.items()},
        "databases": {name: roles[owner] for name, owner in args.databases.items()},
        "resources": {
            "requests": {"cpu": requests.cpu, "memory": requests.memory},
            "limits": {"cpu": limits.cpu, "memory": limits.memory},
        },
        "patroni": {
            "initdb": {"encoding": "UTF8", "data-checksums": "true"},
            "synchronous_mode": args.synchronous,
        },
        "nodeAffinity": prefer_on_demand(),
        "env": environment(args.backups, bucket=bucket),
    }
    if args.restore:
        source = args.restore
        spec["clone"] = {"cluster": source.cluster, "uid": source.uid, "timestamp": source.at}
    return spec


def prefer_on_demand() -> Manifest:
    """A node affinity that prefers nodes that are not Spot VMs."""
    terms = [{"key": "cloud.google.com/gke-spot", "operator": "DoesNotExist"}]
    return {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 100, "preference": {"matchExpressions": terms}}
        ]
    }


def environment(backups: Backups | None, *, bucket: str) -> list[dict[str, str]]:
    """Environment of an instance for backups; it authenticates by workload identity."""
    if backups is None:
        # Overrides the operator's bucket, which is the default of every cluster.
        return [{"name": "WAL_GS_BUCKET", "value": ""}]
    variables = {
        "WAL_GS_BUCKET": bucket,
        "USE_WALG_BACKUP": "true",
        "USE_WALG_RESTORE": "true",
        "CLONE_USE_WALG_RESTORE": "true",
        "BACKUP_SCHEDULE": backups.schedule,
        "BACKUP_NUM_TO_RETAIN": str(backups.retain),
    }
    return [{"name": name, "value": value} for name, value in variables.items()]
