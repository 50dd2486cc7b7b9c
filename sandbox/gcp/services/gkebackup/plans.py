"""Plans: of which cluster, what of it, how often, and for how long it is kept."""

from __future__ import annotations

import copy
import re
import uuid

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.machine_types import is_region
from sandbox.gcp.service import Call, Handler, State, fingerprint, now, project_number
from sandbox.gcp.services.cloudkms import use
from sandbox.gcp.services.container import records
from sandbox.gcp.services.container.locations import Place
from sandbox.gcp.services.container.render import ClusterRecord
from sandbox.gcp.services.gkebackup.places import (
    OPERATIONS,
    PREFIX,
    bad,
    changed,
    listed,
    load,
    new_name,
    not_now,
)

_CLUSTER = re.compile(r"projects/([^/]+)/(?:locations|zones)/([^/]+)/clusters/([^/]+)")
_MUTABLE = frozenset(
    ["backupConfig", "backupSchedule", "deactivated", "description", "labels", "retentionPolicy"]
)
_SCOPES = ("allNamespaces", "selectedNamespaces", "selectedApplications", "selectedNamespaceLabels")
_LONGEST = {"backupRetainDays": 365, "backupDeleteLockDays": 90}
_CRON = (range(60), range(24), range(1, 32), range(1, 13), range(8))


async def _create(call: Call) -> Json:
    where = call.path["locationsId"]
    if not is_region(where):
        raise bad(f"Location '{where}' is not a region.")
    name = new_name(call, "backupPlanId")
    plan = copy.deepcopy({k: v for k, v in call.body.items() if v is not None})
    plan |= {"name": name, "uid": str(uuid.uuid4()), "createTime": now()}
    record = cluster_of(call.state, plan, call.path["projectsId"])
    _complete(call, plan)
    _install(call.state, record)
    call.store.put(f"{PREFIX}/{name}", plan)
    return OPERATIONS.start(call, name, "create", plan, "BackupPlan")


def cluster_of(state: State, plan: Json, project: str) -> ClusterRecord:
    """The record of the cluster that a plan is about. Raises 400."""
    found = _CLUSTER.fullmatch(plan.get("cluster") or "")
    if found is None:
        raise bad(
            f"Invalid cluster: {plan.get('cluster')!r}; use projects/*/locations/*/clusters/*."
        )
    if found[1] not in (project, project_number(project)):
        raise ApiError(501, "sandbox does not emulate plans for clusters of other projects")
    try:
        return records.get(state.store, Place(project, found[2]), found[3])
    except ApiError:
        raise bad(f"Cluster '{plan['cluster']}' was not found.") from None


def _install(state: State, record: ClusterRecord) -> None:
    """A cluster without the agent gets it with its first plan."""

    def enable(fresh: ClusterRecord) -> None:
        fresh["cluster"]["addonsConfig"]["gkeBackupAgentConfig"] = {"enabled": True}

    agent = record["cluster"]["addonsConfig"].get("gkeBackupAgentConfig") or {}
    if not agent.get("enabled"):
        place = Place(record["project"], record["location"])
        records.change(state.store, place, record["cluster"]["name"], enable)


def _complete(call: Call, plan: Json) -> None:
    config = plan.setdefault("backupConfig", {})
    scopes = [one for one in _SCOPES if config.get(one)]
    if len(scopes) != 1:
        raise bad(f"backup_config must have exactly one scope, not {len(scopes)}.")
    _check_schedule(plan.setdefault("backupSchedule", {}), plan.setdefault("retentionPolicy", {}))
    key = (config.get("encryptionKey") or {}).get("gcpKmsEncryptionKey")
    if key:
        project, region = call.path["projectsId"], call.path["locationsId"]
        agent = f"service-{project_number(project)}@gcp-sa-gkebackup.iam.gserviceaccount.com"
        try:
            use.check(call.state, key, agent=agent, region=region)
        except use.UnusableKeyError as error:
            raise bad(f"backup_config.encryption_key: {error}") from None
    plan["state"] = "DEACTIVATED" if plan.get("deactivated") else "READY"
    plan["updateTime"] = now()
    plan.pop("etag", None)
    plan["etag"] = fingerprint(plan)


def _check_schedule(schedule: Json, retention: Json) -> None:
    for field, most in _LONGEST.items():
        if not 0 <= int(retention.get(field) or 0) <= most:
            raise bad(f"retention_policy.{field} must be between 0 and {most}.")
    kept, locked = (int(retention.get(field) or 0) for field in _LONGEST)
    if kept and locked > kept:
        raise bad("backup_retain_days must not be less than backup_delete_lock_days.")
    cron, rpo = schedule.get("cronSchedule"), schedule.get("rpoConfig")
    if cron and rpo:
        raise bad("Only one of cron_schedule and rpo_config may be set.")
    if (cron or rpo) and not kept:
        raise bad("backup_retain_days must be set with a schedule.")
    if cron and not _is_cron(cron):
        raise bad(f"Invalid cron_schedule: {cron!r}.")
    if rpo and not 60 <= int(rpo.get("targetRpoMinutes") or 0) <= 86400:
        raise bad("target_rpo_minutes must be between 60 and 86400.")


def _is_cron(text: str) -> bool:
    parts = text.split()
    if len(parts) != len(_CRON):
        return False
    return all(
        _fits(item, allowed)
        for part, allowed in zip(parts, _CRON, strict=True)
        for item in part.split(",")
    )


def _fits(item: str, allowed: range) -> bool:
    span, _, step = item.partition("/")
    numbers = [] if span == "*" else span.split("-")
    known = [int(one) for one in numbers if one.isdigit()]
    return (
        len(known) == len(numbers) <= 2
        and all(one in allowed for one in known)
        and known == sorted(known)
        and (not step or (step.isdigit() and int(step) > 0))
    )


async def _get(call: Call) -> Json:
    return load(call.state, call.url_path)


async def _list(call: Call) -> Json:
    return listed(call, "backupPlans")


async def _patch(call: Call) -> Json:
    old = load(call.state, call.url_path)
    if old.get("deactivated"):
        raise not_now(f"BackupPlan '{old['name']}' is deactivated and cannot be updated.")
    fresh = changed(call, old, _MUTABLE)
    locked = (old.get("retentionPolicy") or {}).get("locked")
    if locked and fresh.get("retentionPolicy") != old["retentionPolicy"]:
        raise not_now(f"The retention policy of BackupPlan '{old['name']}' is locked.")
    _complete(call, fresh)
    call.store.put(f"{PREFIX}/{fresh['name']}", fresh)
    return OPERATIONS.start(call, fresh["name"], "update", fresh, "BackupPlan")


async def _delete(call: Call) -> Json:
    name = load(call.state, call.url_path)["name"]
    if any(True for _ in call.store.collection(f"{PREFIX}/{name}/backups")):
        raise not_now(f"BackupPlan '{name}' has Backups; delete them before the plan.")
    call.store.delete(f"{PREFIX}/{name}")
    return OPERATIONS.start(call, name, "delete", {}, "BackupPlan")


METHODS: dict[str, Handler] = {
    "create": _create,
    "get": _get,
    "list": _list,
    "patch": _patch,
    "delete": _delete,
}
