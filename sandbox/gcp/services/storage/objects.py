"""Objects, their content and their noncurrent versions.

Content is kept in the database: suitable for configuration and small files, not for models.
Lifecycle rules are stored but not run, and soft-deleted objects cannot be restored.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import msgspec

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call, Raw, now
from sandbox.well_known_types import timestamp

LINK = "https://www.googleapis.com/storage/v1/b/"


def bucket_key(bucket: str) -> str:
    """The bucket's key in the store."""
    return f"storage/b/{bucket}"


def load_bucket(call: Call) -> Json:
    """The bucket in the request's path. Raises 404."""
    found = call.store.get(bucket_key(call.path["bucket"]))
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


def etag(generation: str) -> str:
    """The etag of a generation."""
    return base64.b64encode(hashlib.sha256(generation.encode()).digest()[:6]).decode()


def _live_key(bucket: str, name: str) -> str:
    # A name may contain slashes; a key's last part may not.
    return f"storage/o/{bucket}/{name.replace('%', '%25').replace('/', '%2F')}"


def _old_key(document: Json) -> str:
    folder, _, name = _live_key(document["bucket"], document["name"]).rpartition("/")
    return f"{folder.replace('/o/', '/noncurrent/', 1)}/{name}#{document['generation']}"


def has_objects(call: Call, bucket: str) -> bool:
    """Whether a bucket has objects, noncurrent ones included."""
    return any(
        True
        for folder in ("o", "noncurrent")
        for _ in call.store.collection(f"storage/{folder}/{bucket}")
    )


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


async def insert(call: Call) -> Json:
    """`objects.insert`: an upload in one request."""
    holder = load_bucket(call)
    bucket = holder["name"]
    metadata, content = _parts(call)
    name = call.one("name") or metadata.get("name", "")
    if not name:
        raise ApiError(400, "Required parameter: name", reason="required")
    before = call.store.get(_live_key(bucket, name))
    if before is not None:
        _retire(call, holder, before)
    generation, stamp = str(time.time_ns() // 1000), now()
    document = {k: v for k, v in metadata.items() if v is not None} | {
        "bucket": bucket,
        "etag": etag(generation),
        "generation": generation,
        "id": f"{bucket}/{name}/{generation}",
        "kind": "storage#object",
        "md5Hash": base64.b64encode(hashlib.md5(content).digest()).decode(),  # noqa: S324
        "mediaLink": f"https://storage.googleapis.com/download/storage/v1/b/{bucket}/o/"
        f"{name.replace('/', '%2F')}?generation={generation}&alt=media",
        "metageneration": "1",
        "name": name,
        "selfLink": f"{LINK}{bucket}/o/{name.replace('/', '%2F')}",
        "size": str(len(content)),
        "storageClass": "STANDARD",
        "timeCreated": stamp,
        "updated": stamp,
    }
    kept = document | {"_content": base64.b64encode(content).decode()}
    call.store.put(_live_key(bucket, name), kept)
    return document | _retained(holder, document)


def _retained(bucket: Json, document: Json) -> Json:
    """Until when the bucket's retention policy keeps an object."""
    period = int((bucket.get("retentionPolicy") or {}).get("retentionPeriod") or 0)
    if not period:
        return {}
    until = datetime.fromisoformat(document["timeCreated"]) + timedelta(seconds=period)
    return {"retentionExpirationTime": timestamp(until)}


def _retire(call: Call, bucket: Json, document: Json) -> None:
    """Remove the live version; a versioned bucket keeps it as a noncurrent one."""
    until = _retained(bucket, document).get("retentionExpirationTime", "")
    if until > now():
        raise ApiError(
            403,
            f"Object '{document['bucket']}/{document['name']}' is subject to bucket's retention "
            f"policy or object retention and cannot be deleted or overwritten until {until}",
            reason="retentionPolicyNotMet",
        )
    if (bucket.get("versioning") or {}).get("enabled"):
        call.store.put(_old_key(document), document | {"timeDeleted": now()})
    call.store.delete(_live_key(document["bucket"], document["name"]))


def _load(call: Call) -> Json:
    """The object in the request's path: the live version, or the given generation. Raises 404."""
    bucket, name, generation = call.path["bucket"], call.path["object"], call.one("generation")
    found = call.store.get(_live_key(bucket, name))
    if generation and (found is None or found["generation"] != generation):
        named = {"bucket": bucket, "name": name, "generation": generation}
        found = call.store.get(_old_key(named))
    if found is None:
        raise ApiError(404, f"No such object: {bucket}/{name}")
    _check_preconditions(call, found)
    return found


async def get(call: Call) -> Json | Raw:
    """`objects.get`, and with `alt=media` its content."""
    found = _load(call)
    content = base64.b64decode(found.pop("_content"))
    if call.one("alt") == "media":
        headers = _media_headers(found)
        if call.headers.get("if-none-match", "").strip('"') == found["etag"]:
            return Raw(status=304, headers=headers)
        kind = found.get("contentType", "application/octet-stream")
        return Raw(content, content_type=kind, headers=headers)
    return found | _retained(load_bucket(call), found)


def _media_headers(document: Json) -> dict[str, str]:
    """The headers of an object's content, from its metadata."""
    updated = datetime.fromisoformat(document["updated"]).astimezone(UTC)
    given = {
        "cache-control": document.get("cacheControl"),
        "content-disposition": document.get("contentDisposition"),
        "content-language": document.get("contentLanguage"),
    }
    return {name: value for name, value in given.items() if value} | {
        "etag": f'"{document["etag"]}"',
        "last-modified": format_datetime(updated, usegmt=True),
        "x-goog-generation": document["generation"],
        "x-goog-metageneration": document["metageneration"],
    }


async def listed(call: Call) -> Json:
    """`objects.list`, with prefix and delimiter; with `versions`, noncurrent objects as well."""
    bucket, prefix, delimiter = load_bucket(call)["name"], call.one("prefix"), call.one("delimiter")
    folders = ["o", "noncurrent"] if call.one("versions") == "true" else ["o"]
    found = [d for f in folders for _, d in call.store.collection(f"storage/{f}/{bucket}")]
    items: list[Json] = []
    prefixes: dict[str, None] = {}
    for document in sorted(found, key=lambda one: (one["name"], one["generation"])):
        rest = document["name"].removeprefix(prefix)
        if not document["name"].startswith(prefix):
            continue
        if delimiter and delimiter in rest:
            prefixes[prefix + rest.partition(delimiter)[0] + delimiter] = None
        else:
            items.append({k: v for k, v in document.items() if k != "_content"})
    answer: Json = {"kind": "storage#objects"}
    if prefixes:
        answer["prefixes"] = list(prefixes)
    return answer | ({"items": items} if items else {})


async def delete(call: Call) -> Raw:
    """`objects.delete`: a generation permanently, else the live version."""
    found, bucket = _load(call), load_bucket(call)
    if "timeDeleted" in found:
        call.store.delete(_old_key(found))
        return Raw(status=204)
    _retire(call, bucket, found)
    if call.one("generation"):
        call.store.delete(_old_key(found))
    return Raw(status=204)
