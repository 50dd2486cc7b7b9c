"""The life of a key version: enabled or disabled, destroyed after a delay, restored before it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import failed_precondition, invalid_argument
from sandbox.gcp.service import State, now
from sandbox.well_known_types import seconds, timestamp

SWITCHABLE = frozenset({"ENABLED", "DISABLED"})
ONLY_STATE = "Only the state of a CryptoKeyVersion can be updated, to ENABLED or DISABLED."


def make(state: State, key: Json) -> Json:
    """Create a version of a key. The first of a symmetric key becomes its primary version."""
    folder = f"{key['name']}/cryptoKeyVersions"
    number = sum(1 for _ in state.store.collection(f"cloudkms/{folder}")) + 1
    version: Json = {
        "name": f"{folder}/{number}",
        "state": "ENABLED",
        "createTime": now(),
        "generateTime": now(),
        "protectionLevel": key["versionTemplate"]["protectionLevel"],
        "algorithm": key["versionTemplate"]["algorithm"],
    }
    state.store.put(f"cloudkms/{version['name']}", version)
    if "_primary" not in key and key["purpose"] == "ENCRYPT_DECRYPT":
        state.store.put(f"cloudkms/{key['name']}", {**key, "_primary": version["name"]})
    return version


def current_state(version: Json) -> str:
    """The version's state by now."""
    is_over = version["state"] == "DESTROY_SCHEDULED" and version["destroyTime"] <= now()
    return "DESTROYED" if is_over else str(version["state"])


def shown(version: Json) -> Json:
    """The version as the API shows it."""
    if current_state(version) != "DESTROYED":
        return version
    return version | {"state": "DESTROYED", "destroyEventTime": version["destroyTime"]}


def refuse_unless_enabled(version: Json) -> None:
    """Raise ApiError where a version cannot be used."""
    current = current_state(version)
    if current != "ENABLED":
        raise failed_precondition(f"{version['name']} is not enabled, current state is: {current}.")


def check_switch(old: Json, wanted: str | None) -> None:
    """Check the one change that a patch may make."""
    if wanted not in SWITCHABLE:
        raise invalid_argument(ONLY_STATE)
    if current_state(old) not in SWITCHABLE:
        raise failed_precondition(f"{old['name']} is {current_state(old)}.")


def destroyed(version: Json, delay: str) -> Json:
    """The version, scheduled to be destroyed after `delay`, a duration."""
    if current_state(version) not in SWITCHABLE:
        raise failed_precondition(f"{version['name']} is {current_state(version)} already.")
    at = datetime.now(UTC) + timedelta(seconds=seconds(delay))
    return version | {"state": "DESTROY_SCHEDULED", "destroyTime": timestamp(at)}


def restored(version: Json) -> Json:
    """The version, no longer scheduled to be destroyed. It comes back disabled."""
    if current_state(version) != "DESTROY_SCHEDULED":
        raise failed_precondition(
            f"{version['name']} is {current_state(version)}: nothing to restore."
        )
    return {k: v for k, v in version.items() if k != "destroyTime"} | {"state": "DISABLED"}
