"""The plan by which Backup for GKE keeps what only the cluster knows.

The cluster's agent is a matter of `features.addons`: it is there with the plan. A plan that has
backups cannot be deleted: delete those first.
"""

import pulumi
from pulumi_gcp import gkebackup

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.cluster.backup_settings import Backup
from infra.cluster.encryption import may_use
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
    """Declares the plan; nothing where there is to be none."""
    if args is not None:
        BackupPlan(name, args, cluster=cluster, naming=naming, labels=labels, opts=opts)


class BackupPlan(pulumi.ComponentResource):
    """Backups of all namespaces of the cluster, and the agent's right to a key of one's own."""

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
        return [may_use(f"{name}-backups", args.key, agent=AGENT, naming=naming, parent=self)]


def backup_config(args: Backup) -> gkebackup.BackupPlanBackupConfigArgsDict:
    """What is kept."""
    kept: gkebackup.BackupPlanBackupConfigArgsDict = {
        "all_namespaces": True,
        "include_secrets": args.secrets,
        "include_volume_data": args.volumes,
    }
    if args.key is not None:
        kept["encryption_key"] = {"gcp_kms_encryption_key": args.key}
    return kept
