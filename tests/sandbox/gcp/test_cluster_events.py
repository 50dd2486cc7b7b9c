"""Pub/Sub topics, and the clusters that publish to them."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from tests.sandbox.gcp.emulated_cloud import Cloud
from tests.sandbox.gcp.emulator import PROJECT, Client, Json, emulator

TOPIC = "/pubsub/v1/projects/p/topics/events"
SUBSCRIPTION = "/pubsub/v1/projects/p/subscriptions/mine"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_message_reaches_each_subscription_until_it_is_acknowledged(cloud: Cloud) -> None:
    cloud.call("PUT", TOPIC, {"labels": {"team": "ml"}})
    for name in ("mine", "other"):
        path = SUBSCRIPTION.replace("mine", name)
        cloud.call("PUT", path, {"topic": "projects/p/topics/events"})
    sent = {"messages": [{"data": encoded("hello"), "attributes": {"kind": "test"}}]}
    (identity,) = cloud.call("POST", f"{TOPIC}:publish", sent)["messageIds"]
    (mine,) = cloud.call("POST", f"{SUBSCRIPTION}:pull", {"maxMessages": 10})["receivedMessages"]
    assert mine["message"]["messageId"] == identity
    assert mine["message"]["data"] == encoded("hello")
    assert mine["message"]["attributes"] == {"kind": "test"}
    # Handed out, and not again before its time is over.
    assert cloud.call("POST", f"{SUBSCRIPTION}:pull", {"maxMessages": 10}) == {}
    cloud.call("POST", f"{SUBSCRIPTION}:acknowledge", {"ackIds": [mine["ackId"]]})
    other = SUBSCRIPTION.replace("mine", "other")
    assert cloud.call("POST", f"{other}:pull", {"maxMessages": 10})["receivedMessages"]


def test_a_topic_is_changed_and_deleted_under_its_subscriptions(cloud: Cloud) -> None:
    cloud.call("PUT", TOPIC, {})
    cloud.call("PUT", TOPIC, {}, status=409)
    change = {
        "topic": {"messageRetentionDuration": "3600s"},
        "updateMask": "messageRetentionDuration",
    }
    assert cloud.call("PATCH", TOPIC, change)["messageRetentionDuration"] == "3600s"
    cloud.call("PUT", SUBSCRIPTION, {"topic": "projects/p/topics/events"})
    cloud.call("DELETE", TOPIC)
    cloud.call("GET", TOPIC, status=404)
    assert cloud.call("GET", SUBSCRIPTION)["topic"] == "_deleted-topic_"


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        (TOPIC, {"messageRetentionDuration": "60s"}, "between 10 minutes and 31 days"),
        (TOPIC.replace("events", "goog-events"), {}, "Invalid resource name"),
        (TOPIC.replace("events", "x"), {}, "Invalid resource name"),
    ],
)
def test_an_invalid_topic_is_refused(
    cloud: Cloud, path: str, body: dict[str, Any], reason: str
) -> None:
    assert reason in cloud.call("PUT", path, body, status=400)["error"]["message"]


def test_a_subscription_needs_its_topic(cloud: Cloud) -> None:
    body = {"topic": "projects/p/topics/none"}
    error = cloud.call("PUT", SUBSCRIPTION, body, status=404)["error"]
    assert error["message"] == "Resource not found (resource=none)."


EVENTS = f"projects/{PROJECT}/topics/events"


def told(topic: str = EVENTS, *kinds: str) -> Json:
    chosen = {"filter": {"eventType": list(kinds)}} if kinds else {}
    return {"pubsub": {"enabled": True, "topic": topic, **chosen}}


async def listening(client: Client) -> str:
    """A topic, and what listens to it."""
    await client.call("PUT", f"/pubsub/v1/{EVENTS}", {})
    path = f"/pubsub/v1/projects/{PROJECT}/subscriptions/mine"
    await client.call("PUT", path, {"topic": EVENTS})
    return path


async def upgrade(client: Client) -> tuple[str, str]:
    """Upgrade the control plane; the versions before and after."""
    before = (await client.call("GET", client.cluster("main")))["currentMasterVersion"]
    where = client.cluster("").rpartition("/")[0]
    config = await client.call("GET", f"{where}/serverConfig")
    after = config["validMasterVersions"][0]
    wanted = {"update": {"desiredMasterVersion": after}}
    await client.wait(await client.call("PUT", client.cluster("main"), wanted))
    return before, after


async def received(client: Client, subscription: str) -> list[Json]:
    answer = await client.call("POST", f"{subscription}:pull", {"maxMessages": 10})
    return [one["message"] for one in answer.get("receivedMessages", ())]


def test_an_upgrade_publishes_an_event() -> None:
    async def run() -> None:
        async with emulator() as client:
            subscription = await listening(client)
            await client.make(releaseChannel={"channel": "RAPID"}, notificationConfig=told())
            before, after = await upgrade(client)
            (message,) = await received(client, subscription)
            attributes = message["attributes"]
            assert attributes["cluster_name"] == "main"
            assert attributes["type_url"].endswith("UpgradeEvent")
            payload = json.loads(attributes["payload"])
            assert payload["resourceType"] == "MASTER"
            assert (payload["currentVersion"], payload["targetVersion"]) == (before, after)

    asyncio.run(run())


@pytest.mark.parametrize(
    "config", [told(EVENTS, "SECURITY_BULLETIN_EVENT"), {"pubsub": {"enabled": False}}]
)
def test_unsubscribed_events_are_not_published(config: Json) -> None:
    async def run() -> None:
        async with emulator() as client:
            subscription = await listening(client)
            await client.make(releaseChannel={"channel": "RAPID"}, notificationConfig=config)
            await upgrade(client)
            assert await received(client, subscription) == []

    asyncio.run(run())


def test_a_cluster_with_a_missing_topic_is_refused() -> None:
    async def run() -> None:
        async with emulator() as client:
            reason = await client.refused({"notificationConfig": told()})
            assert f'Pub/Sub topic "{EVENTS}" does not exist' in reason
            elsewhere = told(EVENTS.replace(PROJECT, "other-project"))
            reason = await client.refused({"notificationConfig": elsewhere})
            assert "must be in the project of the cluster" in reason
            assert "must have the form" in await client.refused(
                {"notificationConfig": told("events")}
            )
            await client.make()
            wanted = {"update": {"desiredNotificationConfig": told()}}
            await client.call("PUT", client.cluster("main"), wanted, status=400)
            await listening(client)
            await client.wait(await client.call("PUT", client.cluster("main"), wanted))

    asyncio.run(run())
