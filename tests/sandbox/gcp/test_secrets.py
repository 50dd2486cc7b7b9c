"""Secret Manager: secrets, versions, payloads and policies."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.gcp.service import project_number
from tests.sandbox.gcp.emulated_cloud import Cloud

SECRETS = "/secretmanager/v1/projects/acme-dev-1/secrets"
SECRET = f"{SECRETS}/token"
NAME = f"projects/{project_number('acme-dev-1')}/secrets/token"


@pytest.fixture
def secret(cloud: Cloud) -> Cloud:
    make(cloud)
    return cloud


def make(cloud: Cloud, *, status: int = 200, **body: Any) -> dict[str, Any]:
    wanted = {"replication": {"automatic": {}}, **body}
    made: dict[str, Any] = cloud.call("POST", f"{SECRETS}?secretId=token", wanted, status=status)
    return made


def add(cloud: Cloud, text: str, **payload: str) -> dict[str, Any]:
    data = base64.b64encode(text.encode()).decode()
    body = {"payload": {"data": data, **payload}}
    made: dict[str, Any] = cloud.call("POST", f"{SECRET}:addVersion", body)
    return made


def accessed(cloud: Cloud, version: str) -> str:
    payload = cloud.call("GET", f"{SECRET}/versions/{version}:access")["payload"]
    return base64.b64decode(payload["data"]).decode()


def test_a_secret_is_named_by_the_projects_number(cloud: Cloud) -> None:
    made = make(cloud, labels={"team": "ml"})
    assert made["name"] == NAME
    assert cloud.call("GET", SECRET) == made
    assert cloud.call("GET", SECRETS) == {"secrets": [made], "totalSize": 1}
    by_number = f"/secretmanager/v1/{NAME}"
    assert cloud.call("GET", by_number) == made


def test_a_name_is_taken_once(secret: Cloud) -> None:
    error = make(secret, status=409)["error"]
    assert error["message"] == f"Secret [{NAME}] already exists."
    assert error["status"] == "ALREADY_EXISTS"


def test_a_missing_secret_is_named_in_the_error(cloud: Cloud) -> None:
    error = cloud.call("GET", SECRET, status=404)["error"]
    assert error["message"] == f"Secret [{NAME}] not found."


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"replication": {}}, 400),
        ({"replication": {"userManaged": {"replicas": []}}}, 400),
        ({"ttl": "3600s"}, 501),
        ({"topics": [{"name": "projects/p/topics/none"}]}, 404),
        ({"rotation": {"nextRotationTime": "2099-01-01T00:00:00Z"}}, 400),
        ({"versionDestroyTtl": "60s"}, 400),
        ({"versionDestroyTtl": "a day"}, 400),
    ],
)
def test_an_invalid_secret_is_refused(cloud: Cloud, body: dict[str, Any], status: int) -> None:
    make(cloud, status=status, **body)
    cloud.call("GET", SECRET, status=404)


def test_a_rotation_needs_a_topic_and_a_future_time(cloud: Cloud) -> None:
    cloud.call("PUT", "/pubsub/v1/projects/p/topics/rotate", {})
    topics = [{"name": "projects/p/topics/rotate"}]
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
    make(cloud, status=400, topics=topics, rotation={"nextRotationTime": soon})
    rotation = {"nextRotationTime": "2099-01-01T00:00:00Z", "rotationPeriod": "86400s"}
    assert make(cloud, topics=topics, rotation=rotation)["rotation"] == rotation


def test_a_patch_changes_the_fields_of_its_mask(secret: Cloud) -> None:
    body = {"labels": {"team": "ml"}, "annotations": {"a": "b"}}
    changed = secret.call("PATCH", f"{SECRET}?updateMask=labels", body)
    assert changed["labels"] == {"team": "ml"}
    assert "annotations" not in changed
    secret.call("PATCH", f"{SECRET}?updateMask=replication", {}, status=400)
    secret.call("PATCH", SECRET, body, status=400)


def test_a_stale_etag_is_refused(secret: Cloud) -> None:
    etag = secret.call("GET", SECRET)["etag"]
    body = {"labels": {"team": "ml"}, "etag": etag}
    secret.call("PATCH", f"{SECRET}?updateMask=labels", body)
    error = secret.call("PATCH", f"{SECRET}?updateMask=labels", body, status=409)["error"]
    assert error["status"] == "ABORTED"
    secret.call("DELETE", f"{SECRET}?etag={etag}", status=409)


def test_versions_are_numbered_and_latest_is_the_newest(secret: Cloud) -> None:
    secret.call("GET", f"{SECRET}/versions/latest:access", status=404)
    for number in range(1, 12):
        assert add(secret, f"value {number}")["name"] == f"{NAME}/versions/{number}"
    assert accessed(secret, "latest") == "value 11"
    assert accessed(secret, "2") == "value 2"
    listed = secret.call("GET", f"{SECRET}/versions")["versions"]
    assert [one["name"].rpartition("/")[2] for one in listed] == [str(n) for n in range(11, 0, -1)]
    assert all("data" not in str(one.keys()) for one in listed)


def test_an_alias_resolves_to_a_version(secret: Cloud) -> None:
    add(secret, "one")
    add(secret, "two")
    aliases = {"versionAliases": {"live": "1"}}
    secret.call("PATCH", f"{SECRET}?updateMask=versionAliases", aliases)
    assert accessed(secret, "live") == "one"


def test_a_payload_comes_with_its_checksum(secret: Cloud) -> None:
    # The check value of CRC-32C for "123456789" is 0xE3069283.
    assert add(secret, "123456789", dataCrc32c="3808858755")["clientSpecifiedPayloadChecksum"]
    payload = secret.call("GET", f"{SECRET}/versions/1:access")["payload"]
    assert payload["dataCrc32c"] == "3808858755"
    wrong = {"payload": {"data": "YQ==", "dataCrc32c": "1"}}
    secret.call("POST", f"{SECRET}:addVersion", wrong, status=400)


@pytest.mark.parametrize(
    "data",
    ["", "not base64!", base64.b64encode(b"x" * 65_537).decode()],
    ids=["empty", "not base64", "too long"],
)
def test_an_invalid_payload_is_refused(secret: Cloud, data: str) -> None:
    secret.call("POST", f"{SECRET}:addVersion", {"payload": {"data": data}}, status=400)


def test_a_disabled_version_is_not_accessible_until_it_is_enabled(secret: Cloud) -> None:
    add(secret, "value")
    assert secret.call("POST", f"{SECRET}/versions/1:disable", {})["state"] == "DISABLED"
    error = secret.call("GET", f"{SECRET}/versions/1:access", status=400)["error"]
    assert error["message"] == f"Secret Version [{NAME}/versions/1] is in DISABLED state."
    assert error["status"] == "FAILED_PRECONDITION"
    secret.call("POST", f"{SECRET}/versions/latest:enable", {})
    assert accessed(secret, "1") == "value"


def test_a_destroyed_version_stays_destroyed(secret: Cloud) -> None:
    add(secret, "value")
    gone = secret.call("POST", f"{SECRET}/versions/1:destroy", {})
    assert gone["state"] == "DESTROYED"
    assert gone["destroyTime"]
    for verb in ("enable", "disable", "destroy"):
        secret.call("POST", f"{SECRET}/versions/1:{verb}", {}, status=400)
    assert add(secret, "next")["name"] == f"{NAME}/versions/2"


def test_delayed_destruction_can_be_undone(cloud: Cloud) -> None:
    make(cloud, versionDestroyTtl="86400s")
    add(cloud, "value")
    due = cloud.call("POST", f"{SECRET}/versions/1:destroy", {})
    assert (due["state"], "scheduledDestroyTime" in due) == ("DISABLED", True)
    back = cloud.call("POST", f"{SECRET}/versions/1:enable", {})
    assert (back["state"], "scheduledDestroyTime" in back) == ("ENABLED", False)
    assert accessed(cloud, "1") == "value"


def test_a_policy_is_deleted_with_its_secret(secret: Cloud) -> None:
    binding = {"role": "roles/secretmanager.secretAccessor", "members": ["user:a@example.com"]}
    body = {"policy": {"bindings": [binding]}}
    assert secret.call("POST", f"{SECRET}:setIamPolicy", body)["bindings"] == [binding]
    assert secret.call("GET", f"{SECRET}:getIamPolicy")["bindings"] == [binding]
    add(secret, "value")
    assert secret.call("DELETE", SECRET) == {}
    secret.call("GET", f"{SECRET}:getIamPolicy", status=404)
    make(secret)
    assert "bindings" not in secret.call("GET", f"{SECRET}:getIamPolicy")
    assert secret.call("GET", f"{SECRET}/versions") == {}


def test_a_secret_is_encrypted_only_with_a_usable_key(cloud: Cloud) -> None:
    key = "projects/p/locations/global/keyRings/r/cryptoKeys/k"
    automatic = {"customerManagedEncryption": {"kmsKeyName": key}}
    error = make(cloud, status=400, replication={"automatic": automatic})["error"]
    assert "denied on resource" in error["message"]


def test_regional_secrets_are_not_emulated(cloud: Cloud) -> None:
    cloud.call(
        "GET", "/secretmanager/v1/projects/acme-dev-1/locations/europe-west4/secrets", status=501
    )
