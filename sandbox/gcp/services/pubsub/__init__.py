"""The emulated Pub/Sub: topics, subscriptions that pull, and messages between them.

Push, snapshots and schemas are not emulated. What others publish goes through `messages`.
"""

from __future__ import annotations

from sandbox.gcp import iam_store
from sandbox.gcp.discovery import Json
from sandbox.gcp.service import Call, Handler, Service
from sandbox.gcp.services.pubsub import subscriptions, topics
from sandbox.gcp.services.pubsub.messages import PREFIX, load


def _resource(call: Call) -> str:
    name = call.url_path.rpartition(":")[0]
    load(call.state, name)
    return f"{PREFIX}/{name}"


async def _get_policy(call: Call) -> Json:
    return iam_store.get(call.state, _resource(call))


async def _set_policy(call: Call) -> Json:
    return iam_store.put(call.state, _resource(call), call.body.get("policy") or {})


async def _test_permissions(call: Call) -> Json:
    _resource(call)
    return iam_store.granted(call.body)


_POLICY: dict[str, Handler] = {
    "getIamPolicy": _get_policy,
    "setIamPolicy": _set_policy,
    "testIamPermissions": _test_permissions,
}
SERVICE = Service(
    "pubsub",
    {
        **{f"pubsub.projects.topics.{v}": h for v, h in (topics.METHODS | _POLICY).items()},
        **{
            f"pubsub.projects.subscriptions.{v}": h
            for v, h in (subscriptions.METHODS | _POLICY).items()
        },
    },
)
