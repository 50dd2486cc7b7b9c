"""Backups that are asked for by hand. Each is done at once."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta

from sandbox.gcp.discovery import Json
from sandbox.gcp.service import Call, Handler, fingerprint, now
from sandbox.gcp.services.container import provisioner
from sandbox.gcp.services.gkebackup import plans
from sandbox.gcp.services.gkebackup.places import (
    OPERATIONS,
    PREFIX,
    listed,
    load,
    new_name,
    not_now,
)

Contents = dict[str, dict[str, int]]
_SYSTEM = re.compile(r"kube-|gke-|gmp-")
_STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"


async def _create(call: Call) -> Json:
    plan = load(call.state, call.url_path.rpartition("/")[0])
    if plan.get("deactivated"):
        raise not_now(f"BackupPlan '{plan['name']}' is deactivated.")
    name = new_name(call, "backupId")
    record = plans.cluster_of(call.state, plan, call.path["projectsId"])
    held = _chosen(plan["backupConfig"], await provisioner.contents(call.state, record))
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
        "podCount": _count(held, "pods"),
        "volumeCount": _count(held, "persistentvolumeclaims"),
        "resourceCount": sum(sum(kinds.values()) for kinds in held.values()),
    }
    if kept:
        backup["retainExpireTime"] = _after(kept)
    if config.get("encryptionKey"):
        backup["encryptionKey"] = config["encryptionKey"]
    backup["etag"] = fingerprint(backup)
    call.store.put(f"{PREFIX}/{name}", backup)
    done = {
        **plan,
        "lastSuccessfulBackupTime": backup["completeTime"],
        "protectedPodCount": backup["podCount"],
        "protectedNamespaceCount": sum(1 for one in held if not _SYSTEM.match(one)),
    }
    call.store.put(f"{PREFIX}/{plan['name']}", done)
    return OPERATIONS.start(call, name, "create", backup, "Backup")


def _chosen(config: Json, contents: Contents) -> Contents:
    """Of what a cluster holds, what the plan keeps."""
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
