"""Delivery of messages from a topic to its subscriptions, and what both collections share."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping

from sandbox.gcp.collections import Messages
from sandbox.gcp.discovery import Json
from sandbox.gcp.service import State, now

PREFIX = "pubsub"
ID = re.compile(r"(?!goog)[A-Za-z][-A-Za-z0-9_.~+%]{2,254}")
ERRORS = Messages(
    missing="Resource not found (resource={id}).",
    exists="Resource already exists in the project (resource={id}).",
    bad_id="Invalid resource name given (name={name}).",
    no_mask="The update_mask in the UpdateTopicRequest must be set.",
    immutable="Invalid update_mask provided: {field} is not updatable.",
)


def publish(state: State, topic: str, data: str, attributes: Mapping[str, str]) -> str:
    """Deliver a message (`data` in base64) to the topic's subscriptions; answers with its id."""
    identity = str(int(time.time() * 1_000_000) * 1000 + secrets.randbelow(1000))
    message: Json = {"messageId": identity, "publishTime": now()}
    message |= {k: v for k, v in (("data", data), ("attributes", dict(attributes))) if v}
    for key, _ in subscriptions_of(state, topic):
        state.store.put(f"{key}/messages/{identity}", {"message": message, "until": 0.0})
    return identity


def subscriptions_of(state: State, topic: str) -> list[tuple[str, Json]]:
    """Key and document of each subscription to a topic."""
    folder = f"{PREFIX}/{'/'.join(topic.split('/')[:2])}/subscriptions"
    found = state.store.collection(folder)
    return [(f"{folder}/{name}", body) for name, body in found if body["topic"] == topic]
