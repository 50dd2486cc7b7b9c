"""Key rings and keys. Neither is ever deleted."""

from __future__ import annotations

from datetime import datetime

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call, Handler, State, now
from sandbox.gcp.services.cloudkms import versions
from sandbox.gcp.services.cloudkms.places import PREFIX, bad, listed, load, new_name

_DAY = 86400
_LONGEST_ROTATION = 876_000 * 3600
_KEPT_DESTROYED = (_DAY, 120 * _DAY)
_ALGORITHMS = {"ENCRYPT_DECRYPT": "GOOGLE_SYMMETRIC_ENCRYPTION"}
_MUTABLE = frozenset({"labels", "rotationPeriod", "nextRotationTime", "versionTemplate"})


async def _create_ring(call: Call) -> Json:
    name = new_name(call, "keyRingId", "KeyRing")
    ring: Json = {"name": name, "createTime": now()}
    call.store.put(f"{PREFIX}/{name}", ring)
    return ring


async def _get(call: Call) -> Json:
    return shown(call.state, load(call.state, call.url_path))


async def _list_rings(call: Call) -> Json:
    found = [body for _, body in call.store.collection(f"{PREFIX}/{call.url_path}")]
    return listed(call, "keyRings", found)


async def _create_key(call: Call) -> Json:
    load(call.state, call.url_path.rpartition("/")[0])
    name = new_name(call, "cryptoKeyId", "CryptoKey")
    key: Json = {k: v for k, v in call.body.items() if v not in (None, {}, "")}
    if key.get("purpose") not in _ALGORITHMS:
        if not key.get("purpose"):
            raise bad("CryptoKey.purpose must be specified.")
        raise ApiError(501, f"sandbox does not emulate keys of purpose {key['purpose']}")
    template = {"protectionLevel": "SOFTWARE", **(key.get("versionTemplate") or {})}
    template.setdefault("algorithm", _ALGORITHMS[key["purpose"]])
    key |= {"name": name, "createTime": now(), "versionTemplate": template}
    key.setdefault("destroyScheduledDuration", f"{30 * _DAY}s")
    low, high = _KEPT_DESTROYED
    if not low <= seconds(key["destroyScheduledDuration"]) <= high:
        raise bad("destroy_scheduled_duration must be between 24 hours and 120 days.")
    _check_rotation(key)
    call.store.put(f"{PREFIX}/{name}", key)
    if call.one("skipInitialVersionCreation").lower() != "true":
        versions.make(call.state, key)
        key = load(call.state, name)
    return shown(call.state, key)


def _check_rotation(key: Json) -> None:
    period, at = key.get("rotationPeriod"), key.get("nextRotationTime")
    if not period:
        return
    if not at:
        raise bad("next_rotation_time must be set when rotation_period is set.")
    if not _DAY <= seconds(period) <= _LONGEST_ROTATION:
        raise bad("rotation_period must be at least 24 hours and at most 876,000 hours.")
    if datetime.fromisoformat(at) < datetime.fromisoformat(now()):
        raise bad("next_rotation_time must be in the future.")


async def _list_keys(call: Call) -> Json:
    load(call.state, call.url_path.rpartition("/")[0])
    found = call.store.collection(f"{PREFIX}/{call.url_path}")
    return listed(call, "cryptoKeys", [shown(call.state, body) for _, body in found])


async def _patch_key(call: Call) -> Json:
    key = load(call.state, call.url_path)
    fields = {part.partition(".")[0] for part in call.one("updateMask").split(",") if part}
    if not fields:
        raise bad("update_mask must not be empty.")
    if wrong := sorted(fields - _MUTABLE):
        raise bad(f"Field {wrong[0]!r} of a CryptoKey cannot be updated.")
    fresh = {k: v for k, v in key.items() if k not in fields}
    fresh |= {k: call.body[k] for k in fields if call.body.get(k) not in (None, "", {})}
    if "versionTemplate" in fields:
        fresh["versionTemplate"] = {**key["versionTemplate"], **fresh.get("versionTemplate", {})}
    _check_rotation(fresh)
    call.store.put(f"{PREFIX}/{key['name']}", fresh)
    return shown(call.state, fresh)


async def _update_primary(call: Call) -> Json:
    key = load(call.state, call.url_path.rpartition(":")[0])
    chosen = load(call.state, f"{key['name']}/cryptoKeyVersions/{call.body['cryptoKeyVersionId']}")
    versions.refuse_unless_enabled(chosen)
    key["_primary"] = chosen["name"]
    call.store.put(f"{PREFIX}/{key['name']}", key)
    return shown(call.state, key)


def shown(state: State, document: Json) -> Json:
    """A ring or a key as the API shows it, with the version that it encrypts with."""
    answer = {k: v for k, v in document.items() if not k.startswith("_")}
    if document.get("_primary"):
        answer["primary"] = versions.shown(load(state, document["_primary"]))
    return answer


def seconds(duration: str) -> float:
    """The seconds of a duration as the API writes it. Raises 400."""
    try:
        return float(duration.removesuffix("s"))
    except ValueError:
        raise bad(f"Invalid duration: {duration!r}.") from None


RINGS: dict[str, Handler] = {"create": _create_ring, "get": _get, "list": _list_rings}
KEYS: dict[str, Handler] = {
    "create": _create_key,
    "get": _get,
    "list": _list_keys,
    "patch": _patch_key,
    "updatePrimaryVersion": _update_primary,
}
