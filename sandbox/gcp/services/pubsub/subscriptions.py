"""Pull subscriptions. A message that is not acknowledged in time is delivered again."""

from __future__ import annotations

import time

from sandbox.gcp.collections import Collection
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call
from sandbox.gcp.services.pubsub.messages import ERRORS, ID, PREFIX
from sandbox.gcp.services.pubsub.topics import TOPICS

_DEADLINE = 10


def _complete(call: Call, subscription: Json, _: Json | None) -> None:
    TOPICS.load(call.state, subscription.get("topic") or "")
    if (subscription.get("pushConfig") or {}).get("pushEndpoint"):
        raise ApiError(501, "sandbox does not emulate subscriptions that push")
    subscription.setdefault("ackDeadlineSeconds", _DEADLINE)
    subscription.setdefault("messageRetentionDuration", "604800s")
    subscription |= {"state": "ACTIVE", "pushConfig": {}}


async def _pull(call: Call) -> Json:
    subscription = SUBSCRIPTIONS.target(call)
    folder = f"{SUBSCRIPTIONS.key(subscription['name'])}/messages"
    most = int(call.body["maxMessages"])
    received: list[Json] = []
    for name, kept in list(call.store.collection(folder)):
        if kept["until"] <= time.time() and len(received) < most:
            until = time.time() + int(subscription["ackDeadlineSeconds"])
            call.store.put(f"{folder}/{name}", {**kept, "until": until})
            received.append({"ackId": name, "message": kept["message"]})
    return {"receivedMessages": received} if received else {}


async def _acknowledge(call: Call) -> Json:
    name = SUBSCRIPTIONS.target(call)["name"]
    for ack in call.body.get("ackIds") or []:
        call.store.delete(f"{SUBSCRIPTIONS.key(name)}/messages/{ack}")
    return {}


SUBSCRIPTIONS = Collection(
    service=PREFIX,
    path="projects.subscriptions",
    noun="Subscription",
    messages=ERRORS,
    verbs=("create", "get", "list", "delete"),
    iam=True,
    id_pattern=ID,
    empty=(None, {}, 0),
    complete=_complete,
    children=("messages",),
    custom={"pull": _pull, "acknowledge": _acknowledge},
)
