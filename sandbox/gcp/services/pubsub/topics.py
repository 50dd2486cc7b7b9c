"""Topics."""

from __future__ import annotations

from sandbox.gcp.collections import Collection
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call
from sandbox.gcp.services.pubsub.messages import ERRORS, ID, PREFIX, publish, subscriptions_of
from sandbox.well_known_types import seconds

_RETENTION = (600, 31 * 86400)


def _check_retention(_: Call, topic: Json, __: Json | None) -> None:
    kept = topic.get("messageRetentionDuration")
    low, high = _RETENTION
    if kept and not low <= _seconds(kept) <= high:
        raise ApiError(
            400,
            "Invalid value for message_retention_duration: it must be between 10 minutes and "
            "31 days.",
        )


def _seconds(duration: str) -> float:
    try:
        return seconds(duration)
    except ValueError as error:
        raise ApiError(400, f"Invalid value for message_retention_duration: {error}") from None


def _detach_subscriptions(call: Call, topic: Json) -> None:
    for key, body in subscriptions_of(call.state, topic["name"]):
        call.store.put(key, {**body, "topic": "_deleted-topic_"})


async def _publish(call: Call) -> Json:
    name = TOPICS.target(call)["name"]
    messages = call.body.get("messages") or []
    if not messages:
        raise ApiError(400, "The value for message_count is too small; it must be at least 1.")
    ids = []
    for one in messages:
        if not one.get("data") and not one.get("attributes"):
            raise ApiError(400, "One or more messages in the publish request is empty.")
        ids.append(publish(call.state, name, one.get("data", ""), one.get("attributes") or {}))
    return {"messageIds": ids}


TOPICS = Collection(
    service=PREFIX,
    path="projects.topics",
    noun="Topic",
    messages=ERRORS,
    iam=True,
    id_pattern=ID,
    patch_field="topic",
    empty=(None, {}),
    mutable=frozenset(
        [
            "labels",
            "messageRetentionDuration",
            "messageStoragePolicy",
            "kmsKeyName",
            "schemaSettings",
        ]
    ),
    complete=_check_retention,
    before_delete=_detach_subscriptions,
    custom={"publish": _publish},
)
