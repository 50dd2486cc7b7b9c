"""Backup plans: which cluster, which of its contents, how often, and how long backups are kept."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from facts.zones import is_region
from sandbox.gcp.collections import Collection, Messages
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, failed_precondition, invalid_argument
from sandbox.gcp.long_operations import Operations
from sandbox.gcp.service import Call, State, project_number
from sandbox.gcp.services.cloudkms import use
from sandbox.gcp.services.container import records
from sandbox.gcp.services.container.locations import Place
from sandbox.gcp.services.container.render import ClusterRecord

OPERATIONS = Operations("gkebackup", "google.cloud.gkebackup.v1")
MESSAGES = Messages(
    bad_location="Location '{location}' is not a region.",
    immutable="Field {field!r} is immutable or output only.",
)
ID = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_CLUSTER = re.compile(r"projects/([^/]+)/(?:locations|zones)/([^/]+)/clusters/([^/]+)")
_SCOPES = ("allNamespaces", "selectedNamespaces", "selectedApplications", "selectedNamespaceLabels")
_MOST_DAYS = {"backupRetainDays": 365, "backupDeleteLockDays": 90}


def cluster_of(state: State, plan: Json, project: str) -> ClusterRecord:
    """The record of the cluster that a plan backs up. Raises ApiError 400."""
    found = _CLUSTER.fullmatch(plan.get("cluster") or "")
    if found is None:
        raise invalid_argument(
            f"Invalid cluster: {plan.get('cluster')!r}; use projects/*/locations/*/clusters/*."
        )
    if found[1] not in (project, project_number(project)):
        raise ApiError(501, "sandbox does not emulate plans for clusters of other projects")
    try:
        return records.get(state.store, Place(project, found[2]), found[3])
    except ApiError:
        raise invalid_argument(f"Cluster '{plan['cluster']}' was not found.") from None


def _install_agent(call: Call, plan: Json) -> None:
    """Install the agent in the plan's cluster, as Google does with a cluster's first plan."""
    record = cluster_of(call.state, plan, call.path["projectsId"])

    def enable(fresh: ClusterRecord) -> None:
        fresh["cluster"]["addonsConfig"]["gkeBackupAgentConfig"] = {"enabled": True}

    agent = record["cluster"]["addonsConfig"].get("gkeBackupAgentConfig") or {}
    if not agent.get("enabled"):
        place = Place(record["project"], record["location"])
        records.change(call.store, place, record["cluster"]["name"], enable)


def _complete(call: Call, plan: Json, old: Json | None) -> None:
    if old is None:
        cluster_of(call.state, plan, call.path["projectsId"])
    else:
        _check_update(plan, old)
    config = plan.setdefault("backupConfig", {})
    scopes = [one for one in _SCOPES if config.get(one)]
    if len(scopes) != 1:
        raise invalid_argument(f"backup_config must have exactly one scope, not {len(scopes)}.")
    _check_schedule(plan.setdefault("backupSchedule", {}), plan.setdefault("retentionPolicy", {}))
    key = (config.get("encryptionKey") or {}).get("gcpKmsEncryptionKey")
    if key:
        project, region = call.path["projectsId"], call.path["locationsId"]
        agent = f"service-{project_number(project)}@gcp-sa-gkebackup.iam.gserviceaccount.com"
        try:
            use.check(call.state, key, agent=agent, region=region)
        except use.UnusableKeyError as error:
            raise invalid_argument(f"backup_config.encryption_key: {error}") from None
    plan["state"] = "DEACTIVATED" if plan.get("deactivated") else "READY"


def _check_update(plan: Json, old: Json) -> None:
    if old.get("deactivated"):
        raise failed_precondition(
            f"BackupPlan '{old['name']}' is deactivated and cannot be updated."
        )
    locked = (old.get("retentionPolicy") or {}).get("locked")
    if locked and plan.get("retentionPolicy") != old["retentionPolicy"]:
        raise failed_precondition(f"The retention policy of BackupPlan '{old['name']}' is locked.")


def _check_schedule(schedule: Json, retention: Json) -> None:
    for field, most in _MOST_DAYS.items():
        if not 0 <= int(retention.get(field) or 0) <= most:
            raise invalid_argument(f"retention_policy.{field} must be between 0 and {most}.")
    kept, locked = (int(retention.get(field) or 0) for field in _MOST_DAYS)
    if kept and locked > kept:
        raise invalid_argument("backup_retain_days must not be less than backup_delete_lock_days.")
    cron, rpo = schedule.get("cronSchedule"), schedule.get("rpoConfig")
    if cron and rpo:
        raise invalid_argument("Only one of cron_schedule and rpo_config may be set.")
    if (cron or rpo) and not kept:
        raise invalid_argument("backup_retain_days must be set with a schedule.")
    if cron and not _is_cron(cron):
        raise invalid_argument(f"Invalid cron_schedule: {cron!r}.")
    if rpo and not 60 <= int(rpo.get("targetRpoMinutes") or 0) <= 86400:
        raise invalid_argument("target_rpo_minutes must be between 60 and 86400.")


def _is_cron(text: str) -> bool:
    try:
        CronSim(text, datetime.now(UTC))
    except CronSimError:
        return False
    # CronSim also reads a sixth field, of seconds.
    return len(text.split()) == 5


def _refuse_with_backups(call: Call, plan: Json) -> None:
    if any(True for _ in call.store.collection(f"{PLANS.key(plan['name'])}/backups")):
        raise failed_precondition(
            f"BackupPlan '{plan['name']}' has Backups; delete them before the plan."
        )


PLANS = Collection(
    service="gkebackup",
    path="projects.locations.backupPlans",
    noun="BackupPlan",
    messages=MESSAGES,
    iam=True,
    is_location=is_region,
    id_parameter="backupPlanId",
    id_pattern=ID,
    stamps=("createTime", "updateTime", "uid"),
    etag=True,
    mutable=frozenset(
        {
            "backupConfig",
            "backupSchedule",
            "deactivated",
            "description",
            "labels",
            "retentionPolicy",
        }
    ),
    without_mask="given",
    complete=_complete,
    after_create=_install_agent,
    before_delete=_refuse_with_backups,
    answer=OPERATIONS.answers("BackupPlan"),
)
