"""Log buckets: how long entries are kept, and where.

A deleted bucket stays for seven days, during which its name is taken and it can be undeleted:
projects.locations.buckets.delete of the Logging API, v2.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from facts.zones import is_region
from sandbox.gcp.collection_methods import Methods
from sandbox.gcp.collections import Collection, Messages
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, failed_precondition, invalid_argument
from sandbox.gcp.long_operations import Operations
from sandbox.gcp.service import Call, State, now
from sandbox.gcp.services import cloudresourcemanager
from sandbox.well_known_types import timestamp

OPERATIONS = Operations("logging", "google.logging.v2")
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
REQUIRED, DEFAULT = "_Required", "_Default"
"""The buckets, and the sinks that lead to them, which every project has."""
MOST_DAYS = 3650
_DEFAULT_DAYS, _REQUIRED_DAYS, _GRACE_DAYS = 30, 400, 7
_PLACES = frozenset({"global", "us", "eu"})
_NOT_EMULATED = ("analyticsEnabled", "cmekSettings", "indexConfigs", "restrictedFields")


def begin(call: Call) -> None:
    """Give a project the buckets that every project has, and purge those that are due."""
    project = call.path["projectsId"]
    cloudresourcemanager.ensure(call.state, project)
    folder = f"projects/{project}/locations/global/buckets"
    for name, days in ((REQUIRED, _REQUIRED_DAYS), (DEFAULT, _DEFAULT_DAYS)):
        if BUCKETS.key(f"{folder}/{name}") not in call.store:
            kept: Json = {"name": f"{folder}/{name}", "retentionDays": days}
            kept |= {"lifecycleState": "ACTIVE", "locked": name == REQUIRED}
            call.store.put(BUCKETS.key(f"{folder}/{name}"), kept)
    if "locationsId" in call.path:
        here = BUCKETS.key(f"projects/{project}/locations/{call.path['locationsId']}/buckets")
        for name, bucket in list(call.store.collection(here)):
            if bucket.get("_purged", "9999") <= now():
                call.store.delete(f"{here}/{name}")


def _is_location(name: str) -> bool:
    return is_region(name) or name in _PLACES


def _complete(_: Call, bucket: Json, old: Json | None) -> None:
    for field in _NOT_EMULATED:
        if bucket.get(field):
            raise ApiError(501, f"sandbox does not emulate LogBucket.{field}")
    days = bucket.setdefault("retentionDays", _DEFAULT_DAYS)
    if not 1 <= int(days) <= MOST_DAYS:
        raise invalid_argument(f"retention_days: {days} is not between 1 and {MOST_DAYS}.")
    if old is None:
        bucket["lifecycleState"] = "ACTIVE"
        return
    if old["lifecycleState"] != "ACTIVE":
        raise failed_precondition("Buckets must be in an ACTIVE state to be modified")
    if old.get("locked") and (not bucket.get("locked") or days != old["retentionDays"]):
        raise failed_precondition(
            f"Bucket {old['name']} is locked: neither its retention nor the lock can be changed."
        )
    if bucket.get("locked") and not old.get("locked") and days != old["retentionDays"]:
        raise invalid_argument("A bucket cannot be locked while its other fields are updated.")


def _shown(_: State, bucket: Json) -> Json:
    return {key: value for key, value in bucket.items() if value is not False}


async def _create_async(call: Call) -> Json:
    path = call.url_path.rpartition(":")[0]
    await Methods(BUCKETS).create(replace(call, url_path=path))
    name = f"{path}/{call.one('bucketId')}"
    made = BUCKETS.shown(call.state, BUCKETS.load(call.state, name))
    return OPERATIONS.start(call, name, "create", made, "LogBucket")


async def _delete(call: Call) -> Json:
    begin(call)
    bucket = BUCKETS.load(call.state, call.url_path)
    if call.path["bucketsId"] in (REQUIRED, DEFAULT):
        raise invalid_argument(f"Bucket {bucket['name']} cannot be deleted.")
    if bucket["lifecycleState"] != "ACTIVE":
        raise failed_precondition("Buckets must be in an ACTIVE state to be modified")
    if bucket.get("locked"):
        # Google deletes an empty one at most; entries are not kept here, so none is empty.
        raise failed_precondition(f"Bucket {bucket['name']} is locked and cannot be deleted.")
    due = timestamp(datetime.now(UTC) + timedelta(days=_GRACE_DAYS))
    kept = bucket | {"lifecycleState": "DELETE_REQUESTED", "_purged": due}
    call.store.put(BUCKETS.key(call.url_path), kept)
    return {}


async def _undelete(call: Call) -> Json:
    begin(call)
    bucket = BUCKETS.target(call)
    if bucket["lifecycleState"] != "DELETE_REQUESTED":
        raise failed_precondition(f"Bucket {bucket['name']} is not being deleted.")
    kept = {key: value for key, value in bucket.items() if key != "_purged"}
    call.store.put(BUCKETS.key(bucket["name"]), kept | {"lifecycleState": "ACTIVE"})
    return {}


BUCKETS = Collection(
    service="logging",
    path="projects.locations.buckets",
    noun="Bucket",
    messages=Messages(
        missing="Bucket `{name}` was not found.", exists="Bucket `{name}` already exists."
    ),
    verbs=("create", "get", "list", "patch"),
    has_labels=False,
    is_location=_is_location,
    id_parameter="bucketId",
    id_pattern=ID,
    stamps=("createTime", "updateTime"),
    empty=(None, False, [], ""),
    mutable=frozenset({"description", "locked", "retentionDays", *_NOT_EMULATED}),
    check=begin,
    complete=_complete,
    show=_shown,
    custom={"createAsync": _create_async, "delete": _delete, "undelete": _undelete},
)
