"""Buckets and their IAM policies. Bucket names are unique across all projects."""

from __future__ import annotations

import re
import time
from typing import Any

from facts.zones import is_region
from sandbox.gcp import iam_store, labels
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call, Handler, Raw, Service, now, project_number
from sandbox.gcp.services.storage import objects, retention
from sandbox.gcp.services.storage.objects import LINK, bucket_key, etag, load_bucket

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_MULTI_REGIONS = frozenset({"US", "EU", "ASIA"})
_DUAL_REGIONS = frozenset({"NAM4", "EUR4", "EUR5", "EUR7", "EUR8", "ASIA1"})
_SOFT_DELETE = "604800"  # default seconds of soft delete
_KEPT = frozenset(
    """id kind selfLink name projectNumber location locationType timeCreated generation
    metageneration etag updated""".split()  # noqa: SIM905 (a list of fields reads better so)
)


def _complete(bucket: Json) -> Json:
    """Validate a bucket and set the server's defaults."""
    retention.check(bucket)
    stamp = bucket["timeCreated"]
    access = bucket.setdefault("iamConfiguration", {})
    access.setdefault("publicAccessPrevention", "inherited")
    uniform = access.setdefault("uniformBucketLevelAccess", {})
    uniform.setdefault("enabled", False)
    if uniform["enabled"]:
        uniform.setdefault("lockedTime", stamp)
    access["bucketPolicyOnly"] = dict(uniform)
    bucket.setdefault("storageClass", "STANDARD")
    seconds = (bucket.get("softDeletePolicy") or {}).get("retentionDurationSeconds", _SOFT_DELETE)
    policy: Json = {"retentionDurationSeconds": str(seconds)}
    if int(seconds):
        policy["effectiveTime"] = (bucket.get("softDeletePolicy") or {}).get("effectiveTime", stamp)
    bucket["softDeletePolicy"] = policy
    # An empty lifecycle and empty labels are the same as none.
    if (bucket.get("retentionPolicy") or {}).get("retentionPeriod"):
        bucket["retentionPolicy"].setdefault("effectiveTime", stamp)
    if not (bucket.get("lifecycle") or {}).get("rule"):
        bucket.pop("lifecycle", None)
    labels.check(bucket.get("labels") or {}, "labels")
    if not bucket.get("labels"):
        bucket.pop("labels", None)
    bucket["etag"] = etag(bucket["metageneration"])
    return bucket


def _check_placement(placement: Json) -> None:
    """Refuse a custom dual-region that is not two regions."""
    regions = placement.get("dataLocations") or []
    if placement and not (len(regions) == 2 and all(is_region(one.lower()) for one in regions)):
        raise ApiError(400, "The specified location constraint is not valid.", reason="invalid")


async def insert_bucket(call: Call) -> Json:
    """`buckets.insert`."""
    project, name = call.one("project"), call.body.get("name", "")
    if not project:
        raise ApiError(400, "Required parameter: project", reason="required")
    if not _NAME.fullmatch(name) or name.startswith("goog") or "google" in name:
        raise ApiError(400, f"Invalid bucket name: '{name}'", reason="invalid")
    if bucket_key(name) in call.store:
        owner = (call.store.get(bucket_key(name)) or {}).get("projectNumber")
        if owner == project_number(project):
            raise ApiError(
                409, "Your previous request to create the named bucket succeeded and you already "
                "own it.", reason="conflict",
            )  # fmt: skip
        raise ApiError(
            409, "The requested bucket name is not available. The bucket namespace is shared by "
            "all users of the system. Please select a different name and try again.",
            reason="conflict",
        )  # fmt: skip
    location = str(call.body.get("location") or "US").upper()
    known = location in _MULTI_REGIONS | _DUAL_REGIONS or is_region(location.lower())
    if not known:
        raise ApiError(400, "The specified location constraint is not valid.", reason="invalid")
    _check_placement(call.body.get("customPlacementConfig") or {})
    stamp = now()
    kind = "multi-region" if location in _MULTI_REGIONS else "region"
    kind = "dual-region" if location in _DUAL_REGIONS else kind
    bucket = {k: v for k, v in call.body.items() if v is not None and k not in _KEPT} | {
        "generation": str(time.time_ns() // 1000),
        "id": name,
        "kind": "storage#bucket",
        "location": location,
        "locationType": kind,
        "metageneration": "1",
        "name": name,
        "projectNumber": project_number(project),
        "selfLink": LINK + name,
        "timeCreated": stamp,
        "updated": stamp,
    }
    if kind != "region":
        bucket.setdefault("rpo", "DEFAULT")
    call.store.put(bucket_key(name), _complete(bucket))
    return _projected(call, bucket, "noAcl")


def _projected(call: Call, bucket: Json, default: str) -> Json:
    """The bucket, with its access control lists if the projection has them."""
    uniform = bucket["iamConfiguration"]["uniformBucketLevelAccess"].get("enabled")
    if uniform or call.one("projection", default) != "full":
        return bucket
    number = bucket["projectNumber"]
    objects, buckets = [], []
    for team, role in (("owners", "OWNER"), ("editors", "OWNER"), ("viewers", "READER")):
        entity = f"project-{team}-{number}"
        entry = {
            "entity": entity,
            "etag": bucket["etag"],
            "projectTeam": {"projectNumber": number, "team": team},
            "role": role,
        }
        objects.append(entry | {"kind": "storage#objectAccessControl"})
        buckets.append(
            entry
            | {
                "bucket": bucket["name"],
                "id": f"{bucket['name']}/{entity}",
                "kind": "storage#bucketAccessControl",
                "selfLink": f"{bucket['selfLink']}/acl/{entity}",
            }
        )
    owner = {"entity": f"project-owners-{number}"}
    return bucket | {"acl": buckets, "defaultObjectAcl": objects, "owner": owner}


async def get_bucket(call: Call) -> Json:
    """`buckets.get`."""
    return _projected(call, load_bucket(call), "noAcl")


async def list_buckets(call: Call) -> Json:
    """`buckets.list`."""
    number, prefix = project_number(call.one("project")), call.one("prefix")
    items = [
        bucket
        for name, bucket in call.store.collection("storage/b")
        if bucket["projectNumber"] == number and name.startswith(prefix)
    ]
    return {"kind": "storage#buckets"} | ({"items": items} if items else {})


def _merged(old: Any, change: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(change, dict)):
        return change
    merged = {k: v for k, v in old.items() if not (k in change and change[k] is None)}
    for key, value in change.items():
        if value is not None:
            merged[key] = _merged(old.get(key), value)
    return merged


def _changed(call: Call, bucket: Json) -> Json:
    bucket["metageneration"] = str(int(bucket["metageneration"]) + 1)
    bucket["updated"] = now()
    call.store.put(bucket_key(bucket["name"]), _complete(bucket))
    return bucket


async def patch_bucket(call: Call) -> Json:
    """`buckets.patch`: merges messages, replaces lists, removes nulls."""
    old = load_bucket(call)
    change = {k: v for k, v in call.body.items() if k not in _KEPT}
    return _projected(call, _changed(call, _merged(old, change)), "full")


async def update_bucket(call: Call) -> Json:
    """`buckets.update`: removes fields that are not given."""
    old = load_bucket(call)
    given = {k: v for k, v in call.body.items() if v is not None and k not in _KEPT}
    kept = {k: v for k, v in old.items() if k in _KEPT or k == "rpo"}
    return _projected(call, _changed(call, kept | given), "full")


async def delete_bucket(call: Call) -> Raw:
    """`buckets.delete`; refused while the bucket has objects."""
    bucket = load_bucket(call)["name"]
    if objects.has_objects(call, bucket):
        raise ApiError(409, "The bucket you tried to delete is not empty.", reason="conflict")
    iam_store.delete(call.state, bucket_key(bucket))
    call.store.delete(bucket_key(bucket))
    return Raw(status=204)


def _default_policy(bucket: Json) -> Json:
    """The policy of a new bucket: the project's basic roles."""
    project = bucket["projectNumber"]
    legacy = "roles/storage.legacyBucket"
    return {
        "bindings": [
            {
                "members": [f"projectEditor:{project}", f"projectOwner:{project}"],
                "role": f"{legacy}Owner",
            },
            {"members": [f"projectViewer:{project}"], "role": f"{legacy}Reader"},
        ]
    }


def _policy(bucket: str, policy: Json) -> Json:
    return {"kind": "storage#policy", "resourceId": f"projects/_/buckets/{bucket}", **policy}


async def get_policy(call: Call) -> Json:
    """`buckets.getIamPolicy`."""
    bucket = load_bucket(call)
    found = iam_store.get(call.state, bucket_key(bucket["name"]), _default_policy(bucket))
    return _policy(bucket["name"], found)


async def set_policy(call: Call) -> Json:
    """`buckets.setIamPolicy`; a stale etag is refused."""
    bucket = load_bucket(call)
    given = {k: v for k, v in call.body.items() if k not in {"kind", "resourceId"}}
    prevention = bucket["iamConfiguration"]["publicAccessPrevention"]
    members = [m for b in given.get("bindings") or [] for m in b.get("members") or []]
    if prevention == "enforced" and {"allUsers", "allAuthenticatedUsers"} & set(members):
        raise ApiError(
            412, "The member bindings allUsers and allAuthenticatedUsers are not allowed since "
            "public access prevention is enforced.", reason="conditionNotMet",
        )  # fmt: skip
    default = _default_policy(bucket)
    return _policy(
        bucket["name"], iam_store.put(call.state, bucket_key(bucket["name"]), given, default)
    )


async def test_permissions(call: Call) -> Json:
    """`buckets.testIamPermissions`: grants everything."""
    load_bucket(call)
    permissions = call.query.get("permissions", [])
    return {"kind": "storage#testIamPermissionsResponse", "permissions": list(permissions)}


async def list_caches(call: Call) -> Json:
    """`anywhereCaches.list`: no bucket has one. The official plugin asks before it deletes."""
    load_bucket(call)
    return {"kind": "storage#anywhereCaches"}


_HANDLERS: dict[str, Handler] = {
    "storage.anywhereCaches.list": list_caches,
    "storage.buckets.delete": delete_bucket,
    "storage.buckets.get": get_bucket,
    "storage.buckets.getIamPolicy": get_policy,
    "storage.buckets.insert": insert_bucket,
    "storage.buckets.list": list_buckets,
    "storage.buckets.patch": patch_bucket,
    "storage.buckets.setIamPolicy": set_policy,
    "storage.buckets.testIamPermissions": test_permissions,
    "storage.buckets.update": update_bucket,
    "storage.objects.delete": objects.delete,
    "storage.objects.get": objects.get,
    "storage.objects.insert": objects.insert,
    "storage.objects.list": objects.listed,
}
SERVICE = Service("storage", _HANDLERS)
