"""The backup plan of Backup for GKE.

`features.addons` enables the agent in the cluster. A plan that has backups cannot be deleted:
delete its backups first.
"""

import pulumi
from pulumi_gcp import gkebackup

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.cluster.backup_settings import Backup
from infra.cluster.encryption import grant_key
from infra.cluster.gke_cluster import GkeCluster

AGENT = "gcp-sa-gkebackup"


def backup_plan(
    name: str,
    args: Backup | None,
    *,
    cluster: GkeCluster,
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions,
) -> None:
    """Declares the plan, where one is configured."""
    if args is not None:
        BackupPlan(name, args, cluster=cluster, naming=naming, labels=labels, opts=opts)


class BackupPlan(pulumi.ComponentResource):
    """A plan for all namespaces, and the agent's access to the key, where one is configured."""

    plan: gkebackup.BackupPlan

    def __init__(
        self,
        name: str,
        args: Backup,
        *,
        cluster: GkeCluster,
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:cluster:BackupPlan", name, None, opts)
        self.plan = gkebackup.BackupPlan(
            name,
            name=naming.of("backups"),
            location=args.region or naming.environment.region,
            cluster=cluster.cluster.id,
            backup_schedule={"cron_schedule": args.schedule},
            retention_policy={
                "backup_retain_days": args.retain_days,
                "backup_delete_lock_days": args.lock_days,
            },
            backup_config=backup_config(args),
            labels=labels.google(),
            opts=pulumi.ResourceOptions(parent=self, depends_on=self._grants(name, args, naming)),
        )
        self.register_outputs({})

    def _grants(self, name: str, args: Backup, naming: Naming) -> list[pulumi.Resource]:
        if args.key is None:
            return []
        return [grant_key(f"{name}-backups", args.key, agent=AGENT, naming=naming, parent=self)]


def backup_config(args: Backup) -> gkebackup.BackupPlanBackupConfigArgsDict:
    """What a backup contains."""
    config: gkebackup.BackupPlanBackupConfigArgsDict = {
        "all_namespaces": True,
        "include_secrets": args.secrets,
        "include_volume_data": args.volumes,
    }
    if args.key is not None:
        config["encryption_key"] = {"gcp_kms_encryption_key": args.key}
    return config
