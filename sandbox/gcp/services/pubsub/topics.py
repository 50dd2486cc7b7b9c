"""Topics."""

from __future__ import annotations

import copy

from sandbox.gcp import iam_store
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.filters import page
from sandbox.gcp.service import Call, Handler
from sandbox.gcp.services.pubsub.messages import (
    PREFIX,
    load,
    publish,
    refuse_taken_or_malformed,
)

_MUTABLE = frozenset(
    {"labels", "messageRetentionDuration", "messageStoragePolicy", "kmsKeyName", "schemaSettings"}
)
_RETENTION = (600, 31 * 86400)


def _check(topic: Json) -> Json:
    kept = topic.get("messageRetentionDuration")
    low, high = _RETENTION
    if kept and not low <= float(kept.removesuffix("s")) <= high:
        raise ApiError(
            400,
            "Invalid value for message_retention_duration: it must be between 10 minutes and "
            "31 days.",
        )
    return topic


async def _create(call: Call) -> Json:
    refuse_taken_or_malformed(call)
    topic = copy.deepcopy({k: v for k, v in call.body.items() if v not in (None, {})})
    topic = _check(topic | {"name": call.url_path})
    call.store.put(f"{PREFIX}/{call.url_path}", topic)
    return topic


async def _get(call: Call) -> Json:
    return load(call.state, call.url_path)


async def _list(call: Call) -> Json:
    found = [body for _, body in call.store.collection(f"{PREFIX}/{call.url_path}")]
    chosen, token = page(call, found)
    answer: Json = {"topics": chosen} if chosen else {}
    return answer | ({"nextPageToken": token} if token else {})


async def _patch(call: Call) -> Json:
    old = load(call.state, call.url_path)
    given = call.body.get("topic") or {}
    mask = call.body.get("updateMask") or call.one("updateMask")
    fields = {part.partition(".")[0] for part in str(mask).split(",") if part}
    if not fields:
        raise ApiError(400, "The update_mask in the UpdateTopicRequest must be set.")
    if wrong := sorted(fields - _MUTABLE):
        raise ApiError(400, f"Invalid update_mask provided: {wrong[0]} is not updatable.")
    fresh = {k: v for k, v in old.items() if k not in fields}
    fresh |= {k: given[k] for k in fields if given.get(k) not in (None, {})}
    call.store.put(f"{PREFIX}/{old['name']}", _check(fresh))
    return fresh


async def _delete(call: Call) -> Json:
    name = load(call.state, call.url_path)["name"]
    folder = f"{PREFIX}/{'/'.join(name.split('/')[:2])}/subscriptions"
    for one, body in list(call.store.collection(folder)):
        if body["topic"] == name:
            call.store.put(f"{folder}/{one}", {**body, "topic": "_deleted-topic_"})
    iam_store.delete(call.state, f"{PREFIX}/{name}")
    call.store.delete(f"{PREFIX}/{name}")
    return {}


async def _publish(call: Call) -> Json:
    name = load(call.state, call.url_path.rpartition(":")[0])["name"]
    messages = call.body.get("messages") or []
    if not messages:
        raise ApiError(400, "The value for message_count is too small; it must be at least 1.")
    ids = []
    for one in messages:
        if not one.get("data") and not one.get("attributes"):
            raise ApiError(400, "One or more messages in the publish request is empty.")
        ids.append(publish(call.state, name, one.get("data", ""), one.get("attributes") or {}))
    return {"messageIds": ids}


METHODS: dict[str, Handler] = {
    "create": _create,
    "get": _get,
    "list": _list,
    "patch": _patch,
    "delete": _delete,
    "publish": _publish,
}
