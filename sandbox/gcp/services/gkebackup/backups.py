"""Backups that are asked for by hand. Each is done at once."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from sandbox.gcp.discovery import Json
from sandbox.gcp.service import Call, Handler, fingerprint, now
from sandbox.gcp.services.gkebackup.places import (
    OPERATIONS,
    PREFIX,
    listed,
    load,
    new_name,
    not_now,
)

_STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"


async def _create(call: Call) -> Json:
    plan = load(call.state, call.url_path.rpartition("/")[0])
    if plan.get("deactivated"):
        raise not_now(f"BackupPlan '{plan['name']}' is deactivated.")
    name = new_name(call, "backupId")
    given = {k: v for k, v in call.body.items() if v is not None}
    retention, config = plan["retentionPolicy"], plan["backupConfig"]
    kept = int(given.get("retainDays") or retention.get("backupRetainDays") or 0)
    locked = int(given.get("deleteLockDays") or retention.get("backupDeleteLockDays") or 0)
    backup: Json = {
        **given,
        "name": name,
        "uid": str(uuid.uuid4()),
        "manual": True,
        "createTime": now(),
        "updateTime": now(),
        "completeTime": now(),
        "state": "SUCCEEDED",
        "retainDays": kept,
        "deleteLockDays": locked,
        "deleteLockExpireTime": _after(locked),
        "containsSecrets": bool(config.get("includeSecrets")),
        "containsVolumeData": bool(config.get("includeVolumeData")),
        "allNamespaces": bool(config.get("allNamespaces")),
    }
    if kept:
        backup["retainExpireTime"] = _after(kept)
    if config.get("encryptionKey"):
        backup["encryptionKey"] = config["encryptionKey"]
    backup["etag"] = fingerprint(backup)
    call.store.put(f"{PREFIX}/{name}", backup)
    done = {**plan, "lastSuccessfulBackupTime": backup["completeTime"]}
    call.store.put(f"{PREFIX}/{plan['name']}", done)
    return OPERATIONS.start(call, name, "create", backup, "Backup")


def _after(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime(_STAMP)


async def _get(call: Call) -> Json:
    return load(call.state, call.url_path)


async def _list(call: Call) -> Json:
    load(call.state, call.url_path.rpartition("/")[0])
    return listed(call, "backups")


async def _delete(call: Call) -> Json:
    backup = load(call.state, call.url_path)
    if backup["deleteLockExpireTime"] > now():
        raise not_now(
            f"Backup '{backup['name']}' cannot be deleted before its delete lock expires at "
            f"{backup['deleteLockExpireTime']}."
        )
    call.store.delete(f"{PREFIX}/{backup['name']}")
    return OPERATIONS.start(call, backup["name"], "delete", {}, "Backup")


METHODS: dict[str, Handler] = {"create": _create, "get": _get, "list": _list, "delete": _delete}
