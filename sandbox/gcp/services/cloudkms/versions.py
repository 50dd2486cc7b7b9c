"""Versions of keys: made, switched off, destroyed after a delay, restored before it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sandbox.gcp.discovery import Json
from sandbox.gcp.service import Call, Handler, State, now
from sandbox.gcp.services.cloudkms.places import PREFIX, bad, listed, load, not_ready

_SWITCHED = frozenset({"ENABLED", "DISABLED"})


def make(state: State, key: Json) -> Json:
    """A new version of a key; the first becomes its primary one."""
    folder = f"{key['name']}/cryptoKeyVersions"
    number = sum(1 for _ in state.store.collection(f"{PREFIX}/{folder}")) + 1
    version: Json = {
        "name": f"{folder}/{number}",
        "state": "ENABLED",
        "createTime": now(),
        "generateTime": now(),
        "protectionLevel": key["versionTemplate"]["protectionLevel"],
        "algorithm": key["versionTemplate"]["algorithm"],
    }
    state.store.put(f"{PREFIX}/{version['name']}", version)
    if "_primary" not in key:
        state.store.put(f"{PREFIX}/{key['name']}", {**key, "_primary": version["name"]})
    return version


def refuse_unless_enabled(version: Json) -> None:
    """Raise what Cloud KMS answers where a version cannot be used."""
    current = shown(version)["state"]
    if current != "ENABLED":
        raise not_ready(f"{version['name']} is not enabled, current state is: {current}.")


def shown(version: Json) -> Json:
    """A version as the API shows it: once its time is over, it is destroyed."""
    if version["state"] != "DESTROY_SCHEDULED" or version["destroyTime"] > now():
        return version
    return version | {"state": "DESTROYED", "destroyEventTime": version["destroyTime"]}


def _one(call: Call) -> Json:
    return load(call.state, call.url_path.rpartition(":")[0] or call.url_path)


async def _create(call: Call) -> Json:
    return shown(make(call.state, load(call.state, call.url_path.rpartition("/")[0])))


async def _get(call: Call) -> Json:
    return shown(load(call.state, call.url_path))


async def _list(call: Call) -> Json:
    load(call.state, call.url_path.rpartition("/")[0])
    found = call.store.collection(f"{PREFIX}/{call.url_path}")
    return listed(call, "cryptoKeyVersions", [shown(body) for _, body in found])


async def _patch(call: Call) -> Json:
    version, wanted = load(call.state, call.url_path), call.body.get("state")
    if call.one("updateMask") != "state" or wanted not in _SWITCHED:
        raise bad("Only the state of a CryptoKeyVersion can be updated, to ENABLED or DISABLED.")
    if shown(version)["state"] not in _SWITCHED:
        raise not_ready(f"{version['name']} is {shown(version)['state']}.")
    version["state"] = wanted
    call.store.put(f"{PREFIX}/{version['name']}", version)
    return version


async def _destroy(call: Call) -> Json:
    version = _one(call)
    if shown(version)["state"] not in _SWITCHED:
        raise not_ready(f"{version['name']} is {shown(version)['state']} already.")
    key = load(call.state, version["name"].partition("/cryptoKeyVersions/")[0])
    wait = timedelta(seconds=float(key["destroyScheduledDuration"].removesuffix("s")))
    version |= {
        "state": "DESTROY_SCHEDULED",
        "destroyTime": (datetime.now(UTC) + wait).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    call.store.put(f"{PREFIX}/{version['name']}", version)
    return version


async def _restore(call: Call) -> Json:
    version = _one(call)
    if shown(version)["state"] != "DESTROY_SCHEDULED":
        raise not_ready(f"{version['name']} is {shown(version)['state']}: nothing to restore.")
    version = {k: v for k, v in version.items() if k != "destroyTime"} | {"state": "DISABLED"}
    call.store.put(f"{PREFIX}/{version['name']}", version)
    return version


VERSIONS: dict[str, Handler] = {
    "create": _create,
    "get": _get,
    "list": _list,
    "patch": _patch,
    "destroy": _destroy,
    "restore": _restore,
}
