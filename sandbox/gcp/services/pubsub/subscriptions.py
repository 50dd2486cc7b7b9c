"""Subscriptions. A message that is not acknowledged in time is delivered again.

Nothing is pushed: a push subscription has its settings, and keeps its messages.
"""

from __future__ import annotations

import time

from sandbox.gcp.collections import Collection
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call, State
from sandbox.gcp.services.pubsub.messages import ERRORS, ID, PREFIX
from sandbox.gcp.services.pubsub.topics import TOPICS

_DEADLINE = 10
_DEADLINES = (10, 600)
_ATTEMPTS = (5, 100)
_VERSION = "x-goog-version"
_DELETED = "_deleted-topic_"


def _complete(call: Call, subscription: Json, old: Json | None) -> None:
    if old is None or subscription["topic"] != _DELETED:
        TOPICS.load(call.state, subscription.get("topic") or "")
    subscription.setdefault("ackDeadlineSeconds", _DEADLINE)
    subscription.setdefault("messageRetentionDuration", "604800s")
    subscription.setdefault("expirationPolicy", {"ttl": "2678400s"})
    subscription["state"] = "ACTIVE"
    low, high = _DEADLINES
    if not low <= int(subscription["ackDeadlineSeconds"]) <= high:
        raise _invalid(f"ack_deadline_seconds: it must be between {low} and {high} seconds.")
    policy = subscription.get("deadLetterPolicy") or {}
    if policy.get("deadLetterTopic"):
        attempts = policy.setdefault("maxDeliveryAttempts", _ATTEMPTS[0])
        if not _ATTEMPTS[0] <= int(attempts) <= _ATTEMPTS[1]:
            raise _invalid("max_delivery_attempts: it must be between 5 and 100.")
    _complete_push(subscription)


def _complete_push(subscription: Json) -> None:
    push = subscription.setdefault("pushConfig", {})
    endpoint = push.get("pushEndpoint")
    if not endpoint:
        return
    if not str(endpoint).startswith("https://"):
        raise _invalid(f"push_endpoint (url={endpoint}): it must be an HTTPS URL.")
    push["attributes"] = {_VERSION: "v1"} | (push.get("attributes") or {})
    token = push.get("oidcToken")
    if token is not None and not token.get("serviceAccountEmail"):
        raise _invalid("oidc_token.service_account_email: it must be set.")


def _invalid(what: str) -> ApiError:
    return ApiError(400, f"Invalid value for {what}")


async def _modify_push(call: Call) -> Json:
    subscription = SUBSCRIPTIONS.target(call)
    subscription["pushConfig"] = call.body.get("pushConfig") or {}
    _complete_push(subscription)
    call.store.put(SUBSCRIPTIONS.key(subscription["name"]), subscription)
    return {}


def _shown(_: State, subscription: Json) -> Json:
    """Without zero values, and without the push attribute that the service sets itself."""
    shown = {k: v for k, v in subscription.items() if v not in (False, None, [], "")}
    push = dict(shown.get("pushConfig") or {})
    attributes = {k: v for k, v in (push.get("attributes") or {}).items() if k != _VERSION}
    push.pop("attributes", None)
    if attributes:
        push["attributes"] = attributes
    wrapper = push.get("noWrapper")
    if wrapper is not None and not wrapper.get("writeMetadata"):
        push["noWrapper"] = {}
    return shown | {"pushConfig": push}


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
    iam=True,
    id_pattern=ID,
    patch_field="subscription",
    empty=(None, {}, 0),
    mutable=frozenset(
        [
            "ackDeadlineSeconds",
            "bigqueryConfig",
            "cloudStorageConfig",
            "deadLetterPolicy",
            "enableExactlyOnceDelivery",
            "expirationPolicy",
            "labels",
            "messageRetentionDuration",
            "messageTransforms",
            "pushConfig",
            "retainAckedMessages",
            "retryPolicy",
            "tags",
        ]
    ),
    complete=_complete,
    show=_shown,
    children=("messages",),
    custom={"pull": _pull, "acknowledge": _acknowledge, "modifyPushConfig": _modify_push},
)
