"""What Zalando's operator reads: its configuration and one object a cluster, as plain data."""

from typing import Any

from infra.serving.config import ServingConfig
from infra.serving.manifest import Manifest
from infra.serving.postgres import Backups, PostgresCluster, role

SPILO = "ghcr.io/zalando/spilo-17:4.0-p3"
"""Postgres with Patroni and WAL-G; it holds every version from 13 to 17."""
POD_ACCOUNT = "postgres-pod"
CLUSTER_LABELS = {"application": "spilo"}
OPERATOR_PORT = 8080
_POSTGRES_USER, _POSTGRES_GROUP = 101, 103
_ZONE = "topology.kubernetes.io/zone"


def configuration(*, namespace: str, bucket: str, is_crowded: bool) -> Manifest:
    """The operator's configuration. What is not said here is the operator's own default."""
    return {
        "docker_image": SPILO,
        # The definitions are declared; the operator needs no right to make any.
        "enable_crd_registration": False,
        "enable_pgversion_env_var": True,
        "enable_team_id_clustername_prefix": False,
        # Not said, they are 0, and every cluster is cut down to no instances.
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
            "cluster_labels": CLUSTER_LABELS,
            "pod_service_account_name": POD_ACCOUNT,
            # A user's Secret lies where its models are, and they are elsewhere.
            "enable_cross_namespace_secret": True,
            "secret_name_template": "{username}.{cluster}.credentials.{tprkind}.{tprgroup}",
            # A deleted cluster takes its objects along even if the operator is away. A finalizer
            # would hold it until the next resync, half an hour later.
            "enable_owner_references": True,
            "enable_finalizers": False,
            # The data outlives its cluster, until somebody deletes the claims.
            "enable_persistent_volume_claim_deletion": False,
            "persistent_volume_claim_retention_policy": {
                "when_deleted": "retain",
                "when_scaled": "retain",
            },
            "storage_resize_mode": "pvc",
            "enable_pod_antiaffinity": True,
            "pod_antiaffinity_topology_key": _ZONE,
            # With more instances than zones some must share one.
            "pod_antiaffinity_preferred_during_scheduling": is_crowded,
            # The budget is the primary's: replicas may go whenever a node is drained, and the
            # operator moves the primary off a node that takes no pods any more.
            "enable_pod_disruption_budget": True,
            "pdb_master_label_selector": True,
            "pdb_name_format": "postgres-{cluster}-pdb",
            "master_pod_move_timeout": "20m",
            "enable_readiness_probe": True,
            "pod_management_policy": "ordered_ready",
            "pod_terminate_grace_period": "5m",
            "spilo_privileged": False,
            # Its cron changes the user that it runs as; without that there are no whole copies.
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


def cluster(args: PostgresCluster, config: ServingConfig, *, bucket: str) -> Manifest:
    """The spec of a `postgresql` object."""
    roles = {user: role(args, user, config) for user in args.users}
    asked = args.resources
    spec: dict[str, Any] = {
        "teamId": args.team or config.namespace,
        "numberOfInstances": args.instances,
        "volume": {"size": args.volume.size, "storageClass": args.volume.storage_class},
        "postgresql": {
            "version": args.version,
            **({"parameters": args.parameters} if args.parameters else {}),
        },
        "users": {roles[user]: list(flags) for user, flags in args.users.items()},
        "databases": {name: roles[owner] for name, owner in args.databases.items()},
        "resources": {
            "requests": {"cpu": asked.requests.cpu, "memory": asked.requests.memory},
            "limits": {"cpu": asked.limits.cpu, "memory": asked.limits.memory},
        },
        "patroni": {
            "initdb": {"encoding": "UTF8", "data-checksums": "true"},
            "synchronous_mode": args.synchronous,
        },
        "nodeAffinity": off_spot(),
        "env": environment(args.backups, bucket=bucket),
    }
    if args.restore:
        source = args.restore
        spec["clone"] = {"cluster": source.cluster, "uid": source.uid, "timestamp": source.at}
    return spec


def off_spot() -> Manifest:
    """A wish for nodes that are not taken away within half a minute."""
    terms = [{"key": "cloud.google.com/gke-spot", "operator": "DoesNotExist"}]
    return {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 100, "preference": {"matchExpressions": terms}}
        ]
    }


def environment(backups: Backups | None, *, bucket: str) -> list[dict[str, str]]:
    """How an instance archives and restores. Its identity is its account's; there is no key."""
    if backups is None:
        # Said, since the operator hands the bucket to every cluster that says nothing of one.
        return [{"name": "WAL_GS_BUCKET", "value": ""}]
    said = {
        "WAL_GS_BUCKET": bucket,
        "USE_WALG_BACKUP": "true",
        "USE_WALG_RESTORE": "true",
        "CLONE_USE_WALG_RESTORE": "true",
        "BACKUP_SCHEDULE": backups.schedule,
        "BACKUP_NUM_TO_RETAIN": str(backups.retain),
    }
    return [{"name": name, "value": value} for name, value in said.items()]
