"""Names, errors, and how a message comes from a topic to its subscriptions."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call, State, now

PREFIX = "pubsub"
_ID = re.compile(r"(?!goog)[A-Za-z][-A-Za-z0-9_.~+%]{2,254}")


def load(state: State, name: str) -> Json:
    """What bears this name. Raises 404."""
    found: Json | None = state.store.get(f"{PREFIX}/{name}")
    if found is None:
        raise ApiError(404, f"Resource not found (resource={name.rpartition('/')[2]}).")
    return found


def refuse_taken_or_malformed(call: Call) -> None:
    """Raise 400 or 409 where nothing new can bear the name of the path."""
    name = call.url_path.rpartition("/")[2]
    if not _ID.fullmatch(name):
        raise ApiError(400, f"Invalid resource name given (name={call.url_path}).")
    if f"{PREFIX}/{call.url_path}" in call.store:
        raise ApiError(409, f"Resource already exists in the project (resource={name}).")


def publish(state: State, topic: str, data: str, attributes: Mapping[str, str]) -> str:
    """Hand a message (base64) to every subscription of the topic; its id."""
    identity = str(int(time.time() * 1_000_000) * 1000 + secrets.randbelow(1000))
    message: Json = {"messageId": identity, "publishTime": now()}
    message |= {k: v for k, v in (("data", data), ("attributes", dict(attributes))) if v}
    folder = f"{PREFIX}/{'/'.join(topic.split('/')[:2])}/subscriptions"
    for name, body in list(state.store.collection(folder)):
        if body["topic"] == topic:
            key = f"{folder}/{name}/messages/{identity}"
            state.store.put(key, {"message": message, "until": 0.0})
    return identity
