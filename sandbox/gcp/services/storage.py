"""Cloud Storage: buckets, their policies, and objects.

Bucket names are global: one project's is taken for all others. Objects keep their content in the
store, so it is for configuration and small files, not for models.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from typing import Any

import msgspec

from sandbox.gcp import iam_store
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call, Handler, Raw, Service, now, project_number

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_MULTI_REGIONS = frozenset({"US", "EU", "ASIA"})
_DUAL_REGIONS = frozenset({"NAM4", "EUR4", "EUR5", "EUR7", "EUR8", "ASIA1"})
_LINK = "https://www.googleapis.com/storage/v1/b/"
_RETENTION = "604800"  # seconds; what soft delete keeps unless a bucket says otherwise
_KEPT = frozenset(
    """id kind selfLink name projectNumber location locationType timeCreated generation
    metageneration etag updated""".split()  # noqa: SIM905 (a list of fields reads better so)
)


def _key(bucket: str) -> str:
    return f"storage/b/{bucket}"


def _load(call: Call) -> Json:
    found = call.store.get(_key(call.path["bucket"]))
    if found is None:
        raise ApiError(404, "The specified bucket does not exist.")
    _check_preconditions(call, found)
    return found


def _check_preconditions(call: Call, document: Json) -> None:
    for query, field in (
        ("ifMetagenerationMatch", "metageneration"),
        ("ifGenerationMatch", "generation"),
    ):
        wanted = call.one(query)
        if wanted and wanted != document.get(field):
            raise ApiError(
                412,
                "At least one of the pre-conditions you specified did not hold.",
                location=("If-Match", "header"),
            )


def _etag(generation: str) -> str:
    return base64.b64encode(hashlib.sha256(generation.encode()).digest()[:6]).decode()


def _complete(bucket: Json) -> Json:
    """Fill in the server's defaults."""
    stamp = bucket["timeCreated"]
    access = bucket.setdefault("iamConfiguration", {})
    access.setdefault("publicAccessPrevention", "inherited")
    uniform = access.setdefault("uniformBucketLevelAccess", {})
    uniform.setdefault("enabled", False)
    if uniform["enabled"]:
        uniform.setdefault("lockedTime", stamp)
    access["bucketPolicyOnly"] = dict(uniform)
    bucket.setdefault("storageClass", "STANDARD")
    retention = (bucket.get("softDeletePolicy") or {}).get("retentionDurationSeconds", _RETENTION)
    policy: Json = {"retentionDurationSeconds": str(retention)}
    if int(retention):
        policy["effectiveTime"] = (bucket.get("softDeletePolicy") or {}).get("effectiveTime", stamp)
    bucket["softDeletePolicy"] = policy
    # A lifecycle without a rule, and labels without a label, are as if they were not there.
    if not (bucket.get("lifecycle") or {}).get("rule"):
        bucket.pop("lifecycle", None)
    if not bucket.get("labels"):
        bucket.pop("labels", None)
    bucket["etag"] = _etag(bucket["metageneration"])
    return bucket


async def insert_bucket(call: Call) -> Json:
    """`buckets.insert`."""
    project, name = call.one("project"), call.body.get("name", "")
    if not project:
        raise ApiError(400, "Required parameter: project", reason="required")
    if not _NAME.fullmatch(name) or name.startswith("goog") or "google" in name:
        raise ApiError(400, f"Invalid bucket name: '{name}'", reason="invalid")
    if _key(name) in call.store:
        owner = (call.store.get(_key(name)) or {}).get("projectNumber")
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
        "selfLink": _LINK + name,
        "timeCreated": stamp,
        "updated": stamp,
    }
    if kind != "region":
        bucket.setdefault("rpo", "DEFAULT")
    call.store.put(_key(name), _complete(bucket))
    return _projected(call, bucket, "noAcl")


def _projected(call: Call, bucket: Json, default: str) -> Json:
    """The bucket with its access control lists, where they are asked for and there are any."""
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
    return _projected(call, _load(call), "noAcl")


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
    call.store.put(_key(bucket["name"]), _complete(bucket))
    return bucket


async def patch_bucket(call: Call) -> Json:
    """`buckets.patch`: messages are merged, lists replaced, nulls removed."""
    old = _load(call)
    change = {k: v for k, v in call.body.items() if k not in _KEPT}
    return _projected(call, _changed(call, _merged(old, change)), "full")


async def update_bucket(call: Call) -> Json:
    """`buckets.update`: what is not given is gone."""
    old = _load(call)
    given = {k: v for k, v in call.body.items() if v is not None and k not in _KEPT}
    kept = {k: v for k, v in old.items() if k in _KEPT or k == "rpo"}
    return _projected(call, _changed(call, kept | given), "full")


async def delete_bucket(call: Call) -> Raw:
    """`buckets.delete`; refused while there are objects."""
    bucket = _load(call)["name"]
    if any(True for _ in call.store.collection(f"storage/o/{bucket}")):
        raise ApiError(409, "The bucket you tried to delete is not empty.", reason="conflict")
    iam_store.delete(call.state, _key(bucket))
    call.store.delete(_key(bucket))
    return Raw(status=204)


def _default_policy(bucket: Json) -> Json:
    """What a new bucket allows: the project's basic roles."""
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
    bucket = _load(call)
    found = iam_store.get(call.state, _key(bucket["name"]), _default_policy(bucket))
    return _policy(bucket["name"], found)


async def set_policy(call: Call) -> Json:
    """`buckets.setIamPolicy`; a stale etag is refused."""
    bucket = _load(call)
    given = {k: v for k, v in call.body.items() if k not in {"kind", "resourceId"}}
    prevention = bucket["iamConfiguration"]["publicAccessPrevention"]
    members = [m for b in given.get("bindings") or [] for m in b.get("members") or []]
    if prevention == "enforced" and {"allUsers", "allAuthenticatedUsers"} & set(members):
        raise ApiError(
            412, "The member bindings allUsers and allAuthenticatedUsers are not allowed since "
            "public access prevention is enforced.", reason="conditionNotMet",
        )  # fmt: skip
    default = _default_policy(bucket)
    return _policy(bucket["name"], iam_store.put(call.state, _key(bucket["name"]), given, default))


async def test_permissions(call: Call) -> Json:
    """`buckets.testIamPermissions`: nobody is ever denied here."""
    _load(call)
    asked = call.query.get("permissions", [])
    return {"kind": "storage#testIamPermissionsResponse", "permissions": list(asked)}


# Objects.


def _object_key(bucket: str, name: str) -> str:
    # A name may hold slashes; a key's last part may not.
    return f"storage/o/{bucket}/{name.replace('%', '%25').replace('/', '%2F')}"


def _parts(call: Call) -> tuple[Json, bytes]:
    """Metadata and content of an upload: simple, or multipart/related."""
    kind = call.headers.get("content-type", "")
    if not kind.startswith("multipart/related"):
        return {"contentType": kind or "application/octet-stream"}, call.raw
    boundary = re.search(r'boundary="?([^";]+)"?', kind)
    if boundary is None:
        raise ApiError(400, "The multipart upload has no boundary.", reason="badRequest")
    pieces = call.raw.split(b"--" + boundary.group(1).encode())[1:-1]
    bodies = [piece.lstrip(b"\r\n").partition(b"\r\n\r\n") for piece in pieces]
    if len(bodies) != 2:
        raise ApiError(400, "A multipart upload has exactly two parts.", reason="badRequest")
    metadata: Json = msgspec.json.decode(bodies[0][2].rstrip(b"\r\n"))
    found = re.search(rb"(?i)content-type:\s*([^\r\n]+)", bodies[1][0])
    if found:
        metadata.setdefault("contentType", found.group(1).decode())
    return metadata, bodies[1][2].removesuffix(b"\r\n")


async def insert_object(call: Call) -> Json:
    """`objects.insert`: an upload in one request."""
    bucket = _load(call)["name"]
    metadata, content = _parts(call)
    name = call.one("name") or metadata.get("name", "")
    if not name:
        raise ApiError(400, "Required parameter: name", reason="required")
    generation, stamp = str(time.time_ns() // 1000), now()
    document = {k: v for k, v in metadata.items() if v is not None} | {
        "bucket": bucket,
        "etag": _etag(generation),
        "generation": generation,
        "id": f"{bucket}/{name}/{generation}",
        "kind": "storage#object",
        "md5Hash": base64.b64encode(hashlib.md5(content).digest()).decode(),  # noqa: S324
        "mediaLink": f"https://storage.googleapis.com/download/storage/v1/b/{bucket}/o/"
        f"{name.replace('/', '%2F')}?generation={generation}&alt=media",
        "metageneration": "1",
        "name": name,
        "selfLink": f"{_LINK}{bucket}/o/{name.replace('/', '%2F')}",
        "size": str(len(content)),
        "storageClass": "STANDARD",
        "timeCreated": stamp,
        "updated": stamp,
    }
    kept = document | {"_content": base64.b64encode(content).decode()}
    call.store.put(_object_key(bucket, name), kept)
    return document


def _load_object(call: Call) -> Json:
    bucket, name = call.path["bucket"], call.path["object"]
    found = call.store.get(_object_key(bucket, name))
    if found is None:
        raise ApiError(404, f"No such object: {bucket}/{name}")
    _check_preconditions(call, found)
    return found


async def get_object(call: Call) -> Json | Raw:
    """`objects.get`, and with `alt=media` its content."""
    found = _load_object(call)
    content = base64.b64decode(found.pop("_content"))
    if call.one("alt") == "media":
        return Raw(content, content_type=found.get("contentType", "application/octet-stream"))
    return found


async def list_objects(call: Call) -> Json:
    """`objects.list`, with prefix and delimiter."""
    bucket, prefix, delimiter = _load(call)["name"], call.one("prefix"), call.one("delimiter")
    items: list[Json] = []
    prefixes: dict[str, None] = {}
    for _, document in call.store.collection(f"storage/o/{bucket}"):
        rest = document["name"].removeprefix(prefix)
        if not document["name"].startswith(prefix):
            continue
        if delimiter and delimiter in rest:
            prefixes[prefix + rest.partition(delimiter)[0] + delimiter] = None
        else:
            items.append({k: v for k, v in document.items() if k != "_content"})
    listed: Json = {"kind": "storage#objects"}
    if prefixes:
        listed["prefixes"] = list(prefixes)
    return listed | ({"items": items} if items else {})


async def delete_object(call: Call) -> Raw:
    """`objects.delete`."""
    found = _load_object(call)
    call.store.delete(_object_key(found["bucket"], found["name"]))
    return Raw(status=204)


_HANDLERS: dict[str, Handler] = {
    "storage.buckets.delete": delete_bucket,
    "storage.buckets.get": get_bucket,
    "storage.buckets.getIamPolicy": get_policy,
    "storage.buckets.insert": insert_bucket,
    "storage.buckets.list": list_buckets,
    "storage.buckets.patch": patch_bucket,
    "storage.buckets.setIamPolicy": set_policy,
    "storage.buckets.testIamPermissions": test_permissions,
    "storage.buckets.update": update_bucket,
    "storage.objects.delete": delete_object,
    "storage.objects.get": get_object,
    "storage.objects.insert": insert_object,
    "storage.objects.list": list_objects,
}
SERVICE = Service("storage", _HANDLERS)
