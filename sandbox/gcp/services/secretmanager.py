"""The emulated Secret Manager API: secrets, their versions, and who may access them.

Payloads are kept as they are given; nothing is encrypted. Rotation is validated and stored, but no
message is published. Secrets that expire, tags, secret types and regional secrets are not emulated.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sandbox.gcp.collections import Collection, Messages
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, failed_precondition, invalid_argument
from sandbox.gcp.service import (
    Call,
    Handler,
    Service,
    State,
    by_number,
    fingerprint,
    now,
    project_number,
)
from sandbox.gcp.services import cloudresourcemanager
from sandbox.gcp.services.cloudkms import use
from sandbox.gcp.services.crc32c import crc32c
from sandbox.well_known_types import moment, seconds, timestamp

_MOST_BYTES = 65_536
_DAY = 86400
_ROTATION_PERIOD = (3600, 3_153_600_000)
_DESTROY_DELAY = (_DAY, 1000 * _DAY)
_NOT_EMULATED = ("customerManagedEncryption", "expireTime", "secretType", "tags", "ttl")
_MESSAGES = Messages(
    missing="Secret [projects/{number}/secrets/{id}] not found.",
    exists="Secret [projects/{number}/secrets/{id}] already exists.",
    bad_id="The provided Secret ID [{id}] does not match the expected format [{pattern}].",
    no_mask="The update mask must not be empty.",
    immutable="The field [{field}] of a {noun} cannot be updated.",
    stale="The provided etag does not match the current etag.",
)


def _ensure_project(call: Call) -> None:
    cloudresourcemanager.ensure(call.state, call.path["projectsId"])


def _complete_secret(call: Call, secret: Json, _: Json | None) -> None:
    for field in _NOT_EMULATED:
        if field in secret:
            raise ApiError(501, f"sandbox does not emulate Secret.{field}")
    _check_replication(call, secret.get("replication") or {})
    for topic in secret.get("topics") or []:
        if f"pubsub/{topic['name']}" not in call.store:
            raise ApiError(404, f"Topic [{topic['name']}] not found.")
    _check_rotation(secret)
    delay = secret.get("versionDestroyTtl")
    if delay and not _is_within(delay, _DESTROY_DELAY):
        raise invalid_argument("Secret.version_destroy_ttl must be between 24 hours and 1000 days.")


def _check_replication(call: Call, replication: Json) -> None:
    if len(replication.keys() & {"automatic", "userManaged"}) != 1:
        raise invalid_argument("Secret.replication must be either automatic or user_managed.")
    agent = f"service-{project_number(call.path['projectsId'])}"
    agent = f"{agent}@gcp-sa-secretmanager.iam.gserviceaccount.com"
    replicas = (replication.get("userManaged") or {}).get("replicas") or []
    if "userManaged" in replication and not replicas:
        raise invalid_argument("Secret.replication.user_managed.replicas must not be empty.")
    places = [("global", replication.get("automatic") or {})]
    places += [(str(one.get("location")), one) for one in replicas]
    for location, one in places:
        key = (one.get("customerManagedEncryption") or {}).get("kmsKeyName")
        try:
            if key:
                use.check(call.state, key, agent=agent, region=location)
        except use.UnusableKeyError as error:
            raise invalid_argument(str(error)) from None


def _check_rotation(secret: Json) -> None:
    rotation = secret.get("rotation")
    if not rotation:
        return
    if not secret.get("topics"):
        raise invalid_argument("Secret.topics must be set to configure rotation.")
    period, at = rotation.get("rotationPeriod"), rotation.get("nextRotationTime")
    if not at:
        raise invalid_argument("Secret.rotation.next_rotation_time must be set.")
    try:
        is_soon = moment(at) < datetime.now(UTC) + timedelta(minutes=5)
    except ValueError:
        raise invalid_argument(f"Invalid timestamp: {at!r}.") from None
    if is_soon:
        raise invalid_argument(
            "Secret.rotation.next_rotation_time must be at least 5 minutes in the future."
        )
    if period and not _is_within(period, _ROTATION_PERIOD):
        raise invalid_argument(
            "Secret.rotation.rotation_period must be between 1 hour and 100 years."
        )


def _is_within(duration: str, limits: tuple[int, int]) -> bool:
    try:
        return limits[0] <= seconds(duration) <= limits[1]
    except ValueError:
        raise invalid_argument(f"Invalid duration: {duration!r}.") from None


async def _add_version(call: Call) -> Json:
    secret = SECRETS.target(call)
    payload = call.body.get("payload") or {}
    data = _decoded(payload.get("data") or "")
    checksum = str(crc32c(data))
    if payload.get("dataCrc32c", checksum) != checksum:
        raise invalid_argument("The payload does not match its checksum.")
    folder = f"{call.url_path.rpartition(':')[0]}/versions"
    number = sum(1 for _ in call.store.collection(VERSIONS.key(folder))) + 1
    kind = "automatic" if "automatic" in secret["replication"] else "userManaged"
    replicas = (secret["replication"].get("userManaged") or {}).get("replicas") or []
    version: Json = {
        "name": by_number(f"{folder}/{number}"),
        "createTime": now(),
        "state": "ENABLED",
        "replicationStatus": {
            kind: {"replicas": [{"location": one["location"]} for one in replicas]}
            if replicas
            else {}
        },
        "_data": base64.b64encode(data).decode(),
        "_crc32c": checksum,
    }
    if "dataCrc32c" in payload:
        version["clientSpecifiedPayloadChecksum"] = True
    _keep(call.state, f"{folder}/{number}", version)
    return VERSIONS.shown(call.state, version)


def _decoded(data: str) -> bytes:
    try:
        # Google takes both alphabets, with and without padding.
        text = data.translate(str.maketrans("-_", "+/")).rstrip("=")
        content = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise invalid_argument(
            "Invalid value at 'payload.data' (TYPE_BYTES), Base64 decoding failed"
        ) from None
    if not content:
        raise invalid_argument("The payload must not be empty.")
    if len(content) > _MOST_BYTES:
        raise invalid_argument(f"The payload is {len(content)} bytes; at most {_MOST_BYTES}.")
    return content


def _keep(state: State, path: str, version: Json) -> None:
    version.pop("etag", None)
    version["etag"] = f'"{fingerprint(version)}"'
    state.store.put(VERSIONS.key(path), version)


def _version(call: Call) -> tuple[str, Json]:
    """Path and document of the version in the request: by number, alias, or `latest`."""
    folder = f"projects/{call.path['projectsId']}/secrets/{call.path['secretsId']}"
    wanted = call.path["versionsId"]
    secret = SECRETS.load(call.state, folder)
    if wanted == "latest":
        numbers = [
            int(name) for name, _ in call.store.collection(VERSIONS.key(f"{folder}/versions"))
        ]
        if not numbers:
            raise ApiError(404, f"Secret [{by_number(folder)}] not found or has no versions.")
        wanted = str(max(numbers))
    wanted = str((secret.get("versionAliases") or {}).get(wanted, wanted))
    path = f"{folder}/versions/{wanted}"
    return path, _by_now(call.state, path, VERSIONS.load(call.state, path))


def _by_now(state: State, path: str, version: Json) -> Json:
    """The version, destroyed if its delay is over."""
    due = version.get("scheduledDestroyTime")
    if due and due <= now():
        version = _destroyed(version, due)
        _keep(state, path, version)
    return version


def _destroyed(version: Json, at: str) -> Json:
    gone = ("_data", "_crc32c", "scheduledDestroyTime")
    rest = {k: v for k, v in version.items() if k not in gone}
    return rest | {"state": "DESTROYED", "destroyTime": at}


def _refuse_state(version: Json) -> ApiError:
    return failed_precondition(
        f"Secret Version [{version['name']}] is in {version['state']} state."
    )


async def _get_version(call: Call) -> Json:
    return VERSIONS.shown(call.state, _version(call)[1])


async def _access(call: Call) -> Json:
    _, version = _version(call)
    if version["state"] != "ENABLED":
        raise _refuse_state(version)
    payload = {"data": version["_data"], "dataCrc32c": version["_crc32c"]}
    return {"name": version["name"], "payload": payload}


def _change(change: Callable[[Call, Json], Json]) -> Handler:
    """A method that changes a version's state. A destroyed version stays destroyed."""

    async def method(call: Call) -> Json:
        path, version = _version(call)
        if call.body.get("etag") not in (None, "", version["etag"]):
            raise ApiError(409, _MESSAGES.stale, status="ABORTED")
        if version["state"] == "DESTROYED":
            raise _refuse_state(version)
        version = change(call, version)
        _keep(call.state, path, version)
        return VERSIONS.shown(call.state, version)

    return method


def _enable(_: Call, version: Json) -> Json:
    rest = {k: v for k, v in version.items() if k != "scheduledDestroyTime"}
    return rest | {"state": "ENABLED"}


def _disable(_: Call, version: Json) -> Json:
    return version | {"state": "DISABLED"}


def _destroy(call: Call, version: Json) -> Json:
    path = f"projects/{call.path['projectsId']}/secrets/{call.path['secretsId']}"
    delay = SECRETS.load(call.state, path).get("versionDestroyTtl")
    if not delay:
        return _destroyed(version, now())
    due = datetime.now(UTC) + timedelta(seconds=seconds(delay))
    return version | {"state": "DISABLED", "scheduledDestroyTime": timestamp(due)}


SECRETS = Collection(
    service="secretmanager",
    path="projects.secrets",
    noun="Secret",
    messages=_MESSAGES,
    iam=True,
    before_create=_ensure_project,
    id_parameter="secretId",
    id_pattern=re.compile(r"[a-zA-Z_0-9-]{1,255}"),
    name=by_number,
    stamps=("createTime",),
    etag=True,
    mutable=frozenset(
        {"annotations", "labels", "rotation", "topics", "versionAliases", "versionDestroyTtl"}
    ),
    complete=_complete_secret,
    children=("versions",),
    total_size=True,
    custom={"addVersion": _add_version},
)
VERSIONS = Collection(
    service="secretmanager",
    path="projects.secrets.versions",
    noun="Secret Version",
    messages=replace(
        _MESSAGES,
        missing="Secret Version [projects/{number}/secrets/{parent}/versions/{id}] not found.",
    ),
    parent=SECRETS,
    verbs=("list",),
    order=lambda version: -int(version["name"].rpartition("/")[2]),
    total_size=True,
    custom={
        "get": _get_version,
        "access": _access,
        "enable": _change(_enable),
        "disable": _change(_disable),
        "destroy": _change(_destroy),
    },
)
SERVICE = Service("secretmanager", SECRETS.handlers() | VERSIONS.handlers())
