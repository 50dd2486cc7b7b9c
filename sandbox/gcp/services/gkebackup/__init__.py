"""The emulated Backup for GKE: plans of backups, and backups that are asked for by hand.

No schedule runs here, and nothing is copied: a backup counts what the cluster holds.
"""

from __future__ import annotations

from sandbox.gcp import iam_store
from sandbox.gcp.discovery import Json
from sandbox.gcp.service import Call, Handler, Service
from sandbox.gcp.services.gkebackup import backups, plans
from sandbox.gcp.services.gkebackup.places import OPERATIONS, PREFIX, load

_BASE = "gkebackup.projects.locations"


def _resource(call: Call) -> str:
    name = call.url_path.rpartition(":")[0]
    load(call.state, name)
    return f"{PREFIX}/{name}"


async def _get_policy(call: Call) -> Json:
    return iam_store.get(call.state, _resource(call))


async def _set_policy(call: Call) -> Json:
    return iam_store.put(call.state, _resource(call), call.body.get("policy") or {})


async def _test_permissions(call: Call) -> Json:
    _resource(call)
    return iam_store.granted(call.body)


_POLICY: dict[str, Handler] = {
    "getIamPolicy": _get_policy,
    "setIamPolicy": _set_policy,
    "testIamPermissions": _test_permissions,
}
SERVICE = Service(
    "gkebackup",
    {
        f"{_BASE}.operations.get": OPERATIONS.get,
        f"{_BASE}.operations.list": OPERATIONS.list,
        **{f"{_BASE}.backupPlans.{verb}": h for verb, h in (plans.METHODS | _POLICY).items()},
        **{
            f"{_BASE}.backupPlans.backups.{verb}": h
            for verb, h in (backups.METHODS | _POLICY).items()
        },
    },
)
