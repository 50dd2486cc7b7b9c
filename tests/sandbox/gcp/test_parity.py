"""The emulator's answers equal Google's in every available recording."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest

from cli import recordings
from sandbox.gcp.app import create_app
from sandbox.gcp.service import project_number
from tests.sandbox.gcp import likeness, parity, recorded
from tests.sandbox.gcp.placeholders import Binding

RECORDINGS = sorted(parity.FOLDER.glob("*.http.log"))


@pytest.mark.skipif(not RECORDINGS, reason=recordings.notice())
def test_answers_agree_with_the_recordings(capsys: pytest.CaptureFixture[str]) -> None:
    scores = asyncio.run(parity.score_all(RECORDINGS))
    with capsys.disabled():
        print("\n" + parity.table(scores))
    whole = parity.total(scores)
    unlike = [d for s in scores.values() for d in s.differences if " outcome " in d]
    assert not unlike, "\n".join(unlike)
    assert whole.recall >= 0.99
    assert whole.precision >= 0.995
    assert whole.values >= 0.97


LOG = """\
POST https://compute.googleapis.com/compute/v1/projects/${projectId}/global/networks
Content-Type: application/json

{
  "name": "${networkID}"
}

200 OK
Content-Type: application/json; charset=UTF-8

{
  "status": "RUNNING"
}

---

DELETE https://storage.googleapis.com/storage/v1/b/b-${uniqueId}

204 No Content
Content-Type: application/json

"""


def test_a_log_is_read_exchange_by_exchange() -> None:
    made, deleted = recorded.parse(LOG)
    assert (made.verb, made.status) == ("POST", 200)
    assert made.body == {"name": "${networkID}"}
    assert made.answer == {"status": "RUNNING"}
    assert (deleted.verb, deleted.status, deleted.body, deleted.answer) == (
        "DELETE",
        204,
        None,
        None,
    )


def test_a_missing_an_added_and_a_changed_field_each_cost() -> None:
    score = likeness.Score()
    likeness.compare({"a": 1, "b": 2, "id": "0"}, {"a": 3, "c": 2, "id": "17"}, score, "")
    assert (score.recall, score.precision) == (2 / 3, 2 / 3)
    assert score.values == 1 / 3


def replayed(*exchanges: recorded.Exchange) -> likeness.Score:
    """The score of some exchanges, against an emulator of their own."""

    async def run() -> likeness.Score:
        app = create_app(None)
        await app.start()
        transport = httpx.ASGITransport(app)
        try:
            async with httpx.AsyncClient(transport=transport) as client:
                binding = Binding(parity.PROJECT, project_number(parity.PROJECT), "p4r1tyx")
                return await parity.replay(exchanges, client, binding)
        finally:
            await app.stop()

    return asyncio.run(run())


def other_statuses(score: likeness.Score) -> list[str]:
    """The exchanges whose status was not the recorded one."""
    pairs = (
        (line, re.search(r" outcome \((\d+).* != \((\d+)", line)) for line in score.differences
    )
    return [line for line, found in pairs if found and found[1] != found[2]]


SUBNETS = "https://compute.googleapis.com/compute/v1/projects/${projectId}/regions/us-east1"


def subnet(cidr: str) -> tuple[recorded.Exchange, recorded.Exchange]:
    """The exchanges that find no subnetwork, and make one."""
    path = f"{SUBNETS}/subnetworks/${{subnetworkID}}"
    missing = recorded.Exchange("GET", path, None, 404, None)
    body = {"name": "${subnetworkID}", "network": "global/networks/vpc", "ipCidrRange": cidr}
    return missing, recorded.Exchange("POST", f"{SUBNETS}/subnetworks", body, 200, None)


def test_several_resources_with_one_placeholder_are_told_apart() -> None:
    vpc = {"name": "vpc", "autoCreateSubnetworks": False}
    networks = "https://compute.googleapis.com/compute/v1/projects/${projectId}/global/networks"
    path = f"{SUBNETS}/subnetworks/${{subnetworkID}}"
    ranges = ("10.1.0.0/20", "10.2.0.0/20", "10.3.0.0/20")
    reads = [recorded.Exchange("GET", path, None, 200, {"ipCidrRange": cidr}) for cidr in ranges]
    score = replayed(
        recorded.Exchange("POST", networks, vpc, 200, None),
        *(one for cidr in ranges for one in subnet(cidr)),
        *reads,
        recorded.Exchange("DELETE", path, None, 200, None),
        recorded.Exchange("GET", path, None, 404, None),
    )
    assert not other_statuses(score)
    assert not [line for line in score.differences if "ipCidrRange:" in line]


def test_a_placeholder_is_used_for_another_name() -> None:
    folder = "https://pubsub.googleapis.com/v1/projects/${projectId}/topics"
    topic = f"{folder}/${{topicID}}"

    def missing(name: str) -> recorded.Exchange:
        message = f"Not found: 'projects/${{projectId}}/topics/{name}'"
        return recorded.Exchange("GET", topic, None, 404, {"error": {"message": message}})

    made = [
        exchange
        for name in ("first-${uniqueId}", "second-${uniqueId}")
        for exchange in (
            missing(name),
            recorded.Exchange("PUT", topic, {}, 200, {"name": f"x/{name}"}),
            recorded.Exchange("GET", f"{folder}/{name}", None, 200, None),
        )
    ]
    score = replayed(*made)
    assert not other_statuses(score)


def test_a_name_that_the_server_made_up_is_learnt() -> None:
    folder = "https://monitoring.googleapis.com/v3/projects/${projectId}/notificationChannels"
    channel = {"type": "email", "labels": {"email_address": "a@example.com"}}
    name = "projects/${projectId}/notificationChannels/${channelID}"
    score = replayed(
        recorded.Exchange("POST", folder, channel, 200, {"name": name}),
        recorded.Exchange("GET", f"{folder}/${{channelID}}", None, 200, {"name": name}),
    )
    assert (score.outcome, score.values) == (1, 1)


def test_the_etag_of_a_policy_is_sent_back() -> None:
    topic = "https://pubsub.googleapis.com/v1/projects/${projectId}/topics/news"
    binding = {"role": "roles/pubsub.viewer", "members": ["user:a@example.com"]}
    policy = {"etag": "abcdef0123A=", "bindings": [binding]}
    read = recorded.Exchange("GET", f"{topic}:getIamPolicy", None, 200, {"etag": "abcdef0123A="})
    write = recorded.Exchange("POST", f"{topic}:setIamPolicy", {"policy": policy}, 200, policy)
    score = replayed(recorded.Exchange("PUT", topic, {}, 200, None), read, write, read, write)
    assert not other_statuses(score)


def test_what_google_shows_only_now_is_counted_apart() -> None:
    old, new = likeness.Score(), likeness.Score()
    given = {"name": "a", "nodeCreationConfig": {"nodeCreationMode": "VIA_KUBELET"}}
    likeness.compare({"name": "a"}, given, old, "", (1, 33, 2))
    likeness.compare({"name": "a"}, given, new, "", (1, 36, 0))
    assert (old.precision, old.newer_keys) == (1, 2)
    assert (new.precision, new.newer_keys) == (1 / 3, 0)
