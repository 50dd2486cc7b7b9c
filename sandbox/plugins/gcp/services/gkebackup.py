"""Backup for GKE: backup plans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.plugins.gcp.context import Context
from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.spec import Spec, Values


class BackupPlan(Handler):
    """A backup plan, whose id is a query parameter of its creation."""

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Create the resource; wait for the operation."""
        params = {"backupPlanId": context.values["name"]}
        body = {key: value for key, value in self.to_api(inputs).items() if key != "name"}
        context.call("POST", context.fill(self.spec.collection), body, params)

    def from_api(self, body: Mapping[str, Any]) -> Values:
        """The outputs, with the last part of the name."""
        return super().from_api({**body, "name": str(body.get("name", "")).rpartition("/")[2]})


HANDLERS: tuple[Handler, ...] = (
    BackupPlan(
        Spec(
            type="gcp:gkebackup/backupPlan:BackupPlan",
            schema="gkebackup.v1.BackupPlan",
            collection="projects/{project}/locations/{location}/backupPlans",
            update="PATCH",
            update_mask=True,
            immutable=frozenset({"cluster"}),
            computed=frozenset(
                {
                    "backupConfig",
                    "backupConfig.includeSecrets",
                    "backupConfig.includeVolumeData",
                    "backupConfig.permissiveMode",
                    "backupSchedule.paused",
                    "retentionPolicy.backupDeleteLockDays",
                    "retentionPolicy.backupRetainDays",
                    "retentionPolicy.locked",
                }
            ),
            labels="labels",
        )
    ),
)
