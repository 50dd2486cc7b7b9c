"""Backups made on demand. Each succeeds at once."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from sandbox.gcp.collections import Collection
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import failed_precondition
from sandbox.gcp.service import Call, now
from sandbox.gcp.services.container import provisioner
from sandbox.gcp.services.gkebackup import plans
from sandbox.gcp.services.gkebackup.plans import OPERATIONS, PLANS
from sandbox.well_known_types import timestamp

Contents = dict[str, dict[str, int]]
"""Numbers of objects, by namespace and resource."""
_SYSTEM = re.compile(r"kube-|gke-|gmp-")


def _plan(call: Call) -> Json:
    return PLANS.load(call.state, call.url_path.partition("/backups")[0])


def _refuse_deactivated(call: Call) -> None:
    plan = _plan(call)
    if plan.get("deactivated"):
        raise failed_precondition(f"BackupPlan '{plan['name']}' is deactivated.")


async def _complete(call: Call, backup: Json, _: Json | None) -> None:
    plan = _plan(call)
    record = plans.cluster_of(call.state, plan, call.path["projectsId"])
    retention, config = plan["retentionPolicy"], plan["backupConfig"]
    held = _chosen(config, await provisioner.contents(call.state, record))
    kept = int(backup.get("retainDays") or retention.get("backupRetainDays") or 0)
    locked = int(backup.get("deleteLockDays") or retention.get("backupDeleteLockDays") or 0)
    backup |= {
        "manual": True,
        "completeTime": now(),
        "state": "SUCCEEDED",
        "retainDays": kept,
        "deleteLockDays": locked,
        "deleteLockExpireTime": _after(locked),
        "containsSecrets": bool(config.get("includeSecrets")),
        "containsVolumeData": bool(config.get("includeVolumeData")),
        "allNamespaces": bool(config.get("allNamespaces")),
        "podCount": _count(held, "pods"),
        "volumeCount": _count(held, "persistentvolumeclaims"),
        "resourceCount": sum(sum(kinds.values()) for kinds in held.values()),
        "_namespaces": sum(1 for one in held if not _SYSTEM.match(one)),
    }
    if kept:
        backup["retainExpireTime"] = _after(kept)
    if config.get("encryptionKey"):
        backup["encryptionKey"] = config["encryptionKey"]


def _record_in_plan(call: Call, backup: Json) -> None:
    plan = _plan(call) | {
        "lastSuccessfulBackupTime": backup["completeTime"],
        "protectedPodCount": backup["podCount"],
        "protectedNamespaceCount": backup["_namespaces"],
    }
    call.store.put(PLANS.key(plan["name"]), plan)


def _chosen(config: Json, contents: Contents) -> Contents:
    """Which of a cluster's contents the plan backs up."""
    wanted = (config.get("selectedNamespaces") or {}).get("namespaces")
    left_out = set() if config.get("includeSecrets") else {"secrets"}
    return {
        namespace: {kind: number for kind, number in kinds.items() if kind not in left_out}
        for namespace, kinds in contents.items()
        if config.get("allNamespaces") or namespace in (wanted or ())
    }


def _count(held: Contents, kind: str) -> int:
    return sum(kinds.get(kind, 0) for kinds in held.values())


def _after(days: int) -> str:
    return timestamp(datetime.now(UTC) + timedelta(days=days))


def _refuse_locked(_: Call, backup: Json) -> None:
    if backup["deleteLockExpireTime"] > now():
        raise failed_precondition(
            f"Backup '{backup['name']}' cannot be deleted before its delete lock expires at "
            f"{backup['deleteLockExpireTime']}."
        )


BACKUPS = Collection(
    service="gkebackup",
    path="projects.locations.backupPlans.backups",
    noun="Backup",
    messages=plans.MESSAGES,
    parent=PLANS,
    verbs=("create", "get", "list", "delete"),
    iam=True,
    before_create=_refuse_deactivated,
    id_parameter="backupId",
    id_pattern=plans.ID,
    stamps=("createTime", "updateTime", "uid"),
    etag=True,
    complete=_complete,
    after_create=_record_in_plan,
    before_delete=_refuse_locked,
    answer=OPERATIONS.answers("Backup"),
)
