"""Key rings, keys and key versions."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from facts.zones import is_region
from sandbox.gcp.collections import Collection, Messages
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import invalid_argument
from sandbox.gcp.service import Call, State
from sandbox.gcp.services.cloudkms import versions
from sandbox.well_known_types import moment, seconds

_MESSAGES = Messages(
    missing="{noun} {name} not found.",
    exists="{noun} {name} already exists.",
    bad_location="The request concerns location '{location}' but was sent to location 'global'.",
    bad_id="{noun} id must match {pattern}: {id!r}.",
)
_DAY = 86400
_LONGEST_ROTATION = 876_000 * 3600
_DESTROY_DELAY = (_DAY, 120 * _DAY)
_SYMMETRIC = "ENCRYPT_DECRYPT"
# Purpose → the beginnings of the names of its algorithms.
# https://docs.cloud.google.com/kms/docs/algorithms
_ALGORITHMS = {
    _SYMMETRIC: ("GOOGLE_SYMMETRIC_ENCRYPTION", "EXTERNAL_SYMMETRIC_ENCRYPTION"),
    "ASYMMETRIC_SIGN": ("RSA_SIGN_", "EC_SIGN_", "PQ_SIGN_"),
    "ASYMMETRIC_DECRYPT": ("RSA_DECRYPT_",),
    "KEY_ENCAPSULATION": ("ML_KEM_", "KEM_"),
    "MAC": ("HMAC_",),
    "RAW_ENCRYPT_DECRYPT": ("AES_",),
}
_MULTI_REGIONS = frozenset({"global", "asia", "europe", "us", "eur4", "nam4", "asia1"})


def _complete_key(_: Call, key: Json, old: Json | None) -> None:
    purpose = key.get("purpose")
    if purpose not in _ALGORITHMS:
        raise invalid_argument("CryptoKey.purpose must be specified.")
    defaults = {"protectionLevel": "SOFTWARE"}
    if purpose == _SYMMETRIC:
        defaults["algorithm"] = _ALGORITHMS[purpose][0]
    before = (old or {}).get("versionTemplate") or defaults
    template = key["versionTemplate"] = {**before, **(key.get("versionTemplate") or {})}
    if not template.get("algorithm"):
        raise invalid_argument(
            f"CryptoKey.version_template.algorithm must be specified for purpose {purpose}."
        )
    if not template["algorithm"].startswith(_ALGORITHMS[purpose]):
        raise invalid_argument(
            f"The algorithm {template['algorithm']} is not allowed for the purpose {purpose}."
        )
    if purpose != _SYMMETRIC and (key.get("rotationPeriod") or key.get("nextRotationTime")):
        raise invalid_argument(f"Keys of purpose {purpose} are not rotated automatically.")
    key.setdefault("destroyScheduledDuration", f"{30 * _DAY}s")
    low, high = _DESTROY_DELAY
    if not low <= _seconds(key["destroyScheduledDuration"]) <= high:
        raise invalid_argument("destroy_scheduled_duration must be between 24 hours and 120 days.")
    _check_rotation(key)


def _check_rotation(key: Json) -> None:
    period, at = key.get("rotationPeriod"), key.get("nextRotationTime")
    if not period:
        return
    if not at:
        raise invalid_argument("next_rotation_time must be set when rotation_period is set.")
    if not _DAY <= _seconds(period) <= _LONGEST_ROTATION:
        raise invalid_argument(
            "rotation_period must be at least 24 hours and at most 876,000 hours."
        )
    if _moment(at) < datetime.now(UTC):
        raise invalid_argument("next_rotation_time must be in the future.")


def _seconds(duration: str) -> float:
    try:
        return seconds(duration)
    except ValueError:
        raise invalid_argument(f"Invalid duration: {duration!r}.") from None


def _moment(timestamp: str) -> datetime:
    try:
        return moment(timestamp)
    except ValueError:
        raise invalid_argument(f"Invalid timestamp: {timestamp!r}.") from None


def _create_first_version(call: Call, key: Json) -> None:
    if call.one("skipInitialVersionCreation").lower() != "true":
        versions.make(call.state, key)


async def _update_primary(call: Call) -> Json:
    key = KEYS.target(call)
    if key["purpose"] != _SYMMETRIC:
        raise invalid_argument(f"Keys of purpose {key['purpose']} have no primary version.")
    path = f"{key['name']}/cryptoKeyVersions/{call.body['cryptoKeyVersionId']}"
    chosen = VERSIONS.load(call.state, path)
    versions.refuse_unless_enabled(chosen)
    key["_primary"] = chosen["name"]
    call.store.put(KEYS.key(key["name"]), key)
    return KEYS.shown(call.state, key)


def _with_primary(state: State, key: Json) -> Json:
    """A key with the version that it encrypts with."""
    if not key.get("_primary"):
        return key
    return key | {"primary": versions.shown(VERSIONS.load(state, key["_primary"]))}


async def _create_version(call: Call) -> Json:
    return versions.make(call.state, KEYS.load(call.state, call.url_path.rpartition("/")[0]))


async def _destroy_version(call: Call) -> Json:
    version = VERSIONS.target(call)
    key = KEYS.load(call.state, version["name"].partition("/cryptoKeyVersions/")[0])
    version = versions.destroyed(version, key["destroyScheduledDuration"])
    call.store.put(VERSIONS.key(version["name"]), version)
    return version


async def _restore_version(call: Call) -> Json:
    version = versions.restored(VERSIONS.target(call))
    call.store.put(VERSIONS.key(version["name"]), version)
    return version


def _complete_version(_: Call, version: Json, old: Json | None) -> None:
    if old is not None:
        versions.check_switch(old, version.get("state"))


_RING_OR_KEY: dict[str, Any] = {
    "service": "cloudkms",
    "messages": _MESSAGES,
    "iam": True,
    "is_location": lambda where: where in _MULTI_REGIONS or is_region(where),
    "id_pattern": re.compile(r"[a-zA-Z0-9_-]{1,63}"),
    "stamps": ("createTime",),
    "total_size": True,
}
RINGS = Collection(
    path="projects.locations.keyRings",
    noun="KeyRing",
    verbs=("create", "get", "list"),
    id_parameter="keyRingId",
    **_RING_OR_KEY,
)
KEYS = Collection(
    path="projects.locations.keyRings.cryptoKeys",
    noun="CryptoKey",
    parent=RINGS,
    verbs=("create", "get", "list", "patch"),
    id_parameter="cryptoKeyId",
    empty=(None, {}, ""),
    mutable=frozenset({"labels", "rotationPeriod", "nextRotationTime", "versionTemplate"}),
    complete=_complete_key,
    after_create=_create_first_version,
    show=_with_primary,
    custom={"updatePrimaryVersion": _update_primary},
    **_RING_OR_KEY,
)
VERSIONS = Collection(
    service="cloudkms",
    path="projects.locations.keyRings.cryptoKeys.cryptoKeyVersions",
    noun="CryptoKeyVersion",
    parent=KEYS,
    # A key's first version is made with the key, so that creation is not the engine's.
    verbs=("get", "list", "patch"),
    messages=replace(_MESSAGES, no_mask=versions.ONLY_STATE, immutable=versions.ONLY_STATE),
    mutable=frozenset({"state"}),
    complete=_complete_version,
    show=lambda _, version: versions.shown(version),
    order=lambda version: int(version["name"].rpartition("/")[2]),
    total_size=True,
    custom={
        "create": _create_version,
        "destroy": _destroy_version,
        "restore": _restore_version,
    },
)
