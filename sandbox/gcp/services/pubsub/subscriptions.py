"""Subscriptions that pull: what is not acknowledged in time is handed out again."""

from __future__ import annotations

import time

from sandbox.gcp import iam_store
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.filters import page
from sandbox.gcp.service import Call, Handler
from sandbox.gcp.services.pubsub.messages import PREFIX, load, refuse_taken_or_malformed

_DEADLINE = 10


async def _create(call: Call) -> Json:
    refuse_taken_or_malformed(call)
    load(call.state, call.body.get("topic") or "")
    if (call.body.get("pushConfig") or {}).get("pushEndpoint"):
        raise ApiError(501, "sandbox does not emulate subscriptions that push")
    made: Json = {"ackDeadlineSeconds": _DEADLINE, "messageRetentionDuration": "604800s"}
    made |= {k: v for k, v in call.body.items() if v not in (None, {}, 0)}
    made |= {"name": call.url_path, "state": "ACTIVE", "pushConfig": {}}
    call.store.put(f"{PREFIX}/{call.url_path}", made)
    return made


async def _get(call: Call) -> Json:
    return load(call.state, call.url_path)


async def _list(call: Call) -> Json:
    found = [body for _, body in call.store.collection(f"{PREFIX}/{call.url_path}")]
    chosen, token = page(call, found)
    answer: Json = {"subscriptions": chosen} if chosen else {}
    return answer | ({"nextPageToken": token} if token else {})


async def _delete(call: Call) -> Json:
    name = load(call.state, call.url_path)["name"]
    for message, _ in list(call.store.collection(f"{PREFIX}/{name}/messages")):
        call.store.delete(f"{PREFIX}/{name}/messages/{message}")
    iam_store.delete(call.state, f"{PREFIX}/{name}")
    call.store.delete(f"{PREFIX}/{name}")
    return {}


async def _pull(call: Call) -> Json:
    subscription = load(call.state, call.url_path.rpartition(":")[0])
    folder, most = f"{PREFIX}/{subscription['name']}/messages", int(call.body["maxMessages"])
    received: list[Json] = []
    for name, kept in list(call.store.collection(folder)):
        if kept["until"] <= time.time() and len(received) < most:
            until = time.time() + int(subscription["ackDeadlineSeconds"])
            call.store.put(f"{folder}/{name}", {**kept, "until": until})
            received.append({"ackId": name, "message": kept["message"]})
    return {"receivedMessages": received} if received else {}


async def _acknowledge(call: Call) -> Json:
    name = load(call.state, call.url_path.rpartition(":")[0])["name"]
    for ack in call.body.get("ackIds") or []:
        call.store.delete(f"{PREFIX}/{name}/messages/{ack}")
    return {}


METHODS: dict[str, Handler] = {
    "create": _create,
    "get": _get,
    "list": _list,
    "delete": _delete,
    "pull": _pull,
    "acknowledge": _acknowledge,
}
