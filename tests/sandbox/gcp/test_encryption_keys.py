"""Cloud KMS, and clusters that encrypt their Secrets with its keys."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.gcp.service import project_number
from tests.sandbox.gcp.emulated_cloud import Cloud
from tests.sandbox.gcp.emulator import PROJECT, Client, emulator

KMS = "/cloudkms/v1/projects/p/locations/europe-west4/keyRings"
KEY = f"{KMS}/ring/cryptoKeys/key"
NAME = "projects/p/locations/europe-west4/keyRings/ring/cryptoKeys/key"
ROLE = "roles/cloudkms.cryptoKeyEncrypterDecrypter"


@pytest.fixture
def ring(cloud: Cloud) -> Cloud:
    cloud.call("POST", f"{KMS}?keyRingId=ring")
    return cloud


def make_key(cloud: Cloud, **body: Any) -> dict[str, Any]:
    wanted = {"purpose": "ENCRYPT_DECRYPT", **body}
    made: dict[str, Any] = cloud.call("POST", f"{KMS}/ring/cryptoKeys?cryptoKeyId=key", wanted)
    return made


def test_a_new_key_has_a_primary_version(ring: Cloud) -> None:
    key = make_key(ring, labels={"team": "ml"})
    assert key["name"] == NAME
    assert key["primary"]["name"] == f"{NAME}/cryptoKeyVersions/1"
    assert key["primary"]["state"] == "ENABLED"
    assert key["destroyScheduledDuration"] == "2592000s"
    assert ring.call("GET", KEY) == key
    assert ring.call("GET", f"{KMS}/ring/cryptoKeys")["cryptoKeys"] == [key]
    assert ring.call("GET", KMS)["keyRings"][0]["name"] == NAME.partition("/cryptoKeys")[0]


def test_rings_and_keys_cannot_be_deleted_or_created_twice(ring: Cloud) -> None:
    make_key(ring)
    for path in (f"{KMS}/ring", KEY):
        assert (
            "sandbox does not emulate" in ring.call("DELETE", path, status=501)["error"]["message"]
        )
    error = ring.call("POST", f"{KMS}?keyRingId=ring", status=409)["error"]
    assert error["message"] == f"KeyRing {NAME.partition('/cryptoKeys')[0]} already exists."
    body = {"purpose": "ENCRYPT_DECRYPT"}
    ring.call("POST", f"{KMS}/ring/cryptoKeys?cryptoKeyId=key", body, status=409)


def test_a_malformed_rotation_is_refused(ring: Cloud) -> None:
    for rotation in (
        {"rotationPeriod": "7776000s", "nextRotationTime": "soon"},
        {"rotationPeriod": "90 days", "nextRotationTime": "2099-01-01T00:00:00Z"},
    ):
        body = {"purpose": "ENCRYPT_DECRYPT", **rotation}
        path = f"{KMS}/ring/cryptoKeys?cryptoKeyId=key"
        assert "Invalid" in ring.call("POST", path, body, status=400)["error"]["message"]


def test_a_rotation_period_needs_a_next_rotation_time(ring: Cloud) -> None:
    at = (datetime.now(UTC) + timedelta(days=90)).strftime("%Y-%m-%dT%H:%M:%SZ")
    key = make_key(ring, rotationPeriod="7776000s", nextRotationTime=at)
    assert key["nextRotationTime"] == at
    off = ring.call("PATCH", f"{KEY}?updateMask=rotationPeriod,nextRotationTime", {})
    assert "rotationPeriod" not in off
    assert "nextRotationTime" not in off


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"purpose": None}, "purpose must be specified"),
        ({"rotationPeriod": "7776000s"}, "next_rotation_time must be set"),
        ({"destroyScheduledDuration": "60s"}, "between 24 hours and 120 days"),
        (
            {"rotationPeriod": "60s", "nextRotationTime": "2100-01-01T00:00:00Z"},
            "at least 24 hours",
        ),
        (
            {"rotationPeriod": "7776000s", "nextRotationTime": "2001-01-01T00:00:00Z"},
            "in the future",
        ),
    ],
)
def test_an_invalid_key_is_refused(ring: Cloud, body: dict[str, Any], reason: str) -> None:
    wanted = {"purpose": "ENCRYPT_DECRYPT", **body}
    path = f"{KMS}/ring/cryptoKeys?cryptoKeyId=key"
    assert reason in ring.call("POST", path, wanted, status=400)["error"]["message"]
    ring.call("GET", KEY, status=404)


def test_a_patch_cannot_change_a_keys_purpose(ring: Cloud) -> None:
    make_key(ring, labels={"team": "ml"})
    changed = ring.call("PATCH", f"{KEY}?updateMask=labels", {"labels": {"team": "other"}})
    assert changed["labels"] == {"team": "other"}
    error = ring.call("PATCH", f"{KEY}?updateMask=purpose", {"purpose": "MAC"}, status=400)["error"]
    assert "'purpose' of a CryptoKey cannot be updated" in error["message"]


def test_a_version_can_be_restored_until_its_delay_is_over(ring: Cloud) -> None:
    make_key(ring)
    version = f"{KEY}/cryptoKeyVersions/1"
    doomed = ring.call("POST", f"{version}:destroy", {})
    assert doomed["state"] == "DESTROY_SCHEDULED"
    days = datetime.fromisoformat(doomed["destroyTime"]) - datetime.now(UTC)
    assert timedelta(days=29) < days <= timedelta(days=30)
    ring.call("POST", f"{version}:destroy", {}, status=400)
    assert ring.call("POST", f"{version}:restore", {})["state"] == "DISABLED"
    assert (
        ring.call("PATCH", f"{version}?updateMask=state", {"state": "ENABLED"})["state"]
        == "ENABLED"
    )


def test_the_primary_version_can_be_changed(ring: Cloud) -> None:
    make_key(ring)
    second = ring.call("POST", f"{KEY}/cryptoKeyVersions", {})
    assert second["name"] == f"{NAME}/cryptoKeyVersions/2"
    key = ring.call("POST", f"{KEY}:updatePrimaryVersion", {"cryptoKeyVersionId": "2"})
    assert key["primary"]["name"] == second["name"]
    listed = ring.call("GET", f"{KEY}/cryptoKeyVersions")["cryptoKeyVersions"]
    assert [one["state"] for one in listed] == ["ENABLED", "ENABLED"]


def test_a_keys_policy_refuses_unknown_roles(ring: Cloud) -> None:
    make_key(ring)
    binding = {"role": ROLE, "members": ["user:a@acme.example"]}
    ring.call("POST", f"{KEY}:setIamPolicy", {"policy": {"bindings": [binding]}})
    assert ring.call("GET", f"{KEY}:getIamPolicy")["bindings"] == [binding]
    wrong = {"bindings": [{**binding, "role": "roles/cloudkms.cryptoKeyEncryptor"}]}
    error = ring.call("POST", f"{KEY}:setIamPolicy", {"policy": wrong}, status=400)["error"]
    assert "cryptoKeyEncryptor is not supported" in error["message"]


def key_in(location: str) -> str:
    return f"projects/{PROJECT}/locations/{location}/keyRings/ring/cryptoKeys/key"


async def granted_key(client: Client, location: str = "us-central1", *, grant: bool = True) -> str:
    """A key that Kubernetes Engine may use."""
    name = key_in(location)
    ring = name.partition("/keyRings/")[0]
    await client.call("POST", f"/cloudkms/v1/{ring}/keyRings?keyRingId=ring")
    body = {"purpose": "ENCRYPT_DECRYPT"}
    await client.call("POST", f"/cloudkms/v1/{ring}/keyRings/ring/cryptoKeys?cryptoKeyId=key", body)
    if grant:
        await grant_key(client, name, "container-engine-robot")
    return name


async def grant_key(client: Client, name: str, domain: str) -> None:
    """Let the service agent of the domain use the key."""
    agent = f"service-{project_number(PROJECT)}@{domain}.iam.gserviceaccount.com"
    bindings = [{"role": ROLE, "members": [f"serviceAccount:{agent}"]}]
    policy = {"policy": {"bindings": bindings}}
    await client.call("POST", f"/cloudkms/v1/{name}:setIamPolicy", policy)


def encryption(key: str) -> dict[str, str]:
    return {"state": "ENCRYPTED", "keyName": key}


@pytest.mark.parametrize("location", ["us-central1", "us-central1-a"])
def test_a_cluster_encrypts_with_a_key_in_its_region(location: str) -> None:
    async def run() -> None:
        async with emulator() as client:
            key = await granted_key(client)
            made = await client.make(location, databaseEncryption=encryption(key))
            shown = made["databaseEncryption"]
            assert shown["keyName"] == key
            assert shown["currentState"] == "CURRENT_STATE_ENCRYPTED"

    asyncio.run(run())


def test_a_cluster_refuses_an_unusable_key() -> None:
    async def run() -> None:
        async with emulator() as client:
            missing = encryption(key_in("us-central1"))
            told = await client.refused({"databaseEncryption": missing})
            assert "Permission 'cloudkms.cryptoKeyVersions.useToEncrypt' denied" in told
            assert "(or it may not exist)" in told
            unnamed = await client.refused({"databaseEncryption": {"state": "ENCRYPTED"}})
            assert "key_name must be set" in unnamed
            malformed = await client.refused({"databaseEncryption": encryption("my-key")})
            assert 'Invalid key name "my-key"' in malformed
            ungranted = await granted_key(client, grant=False)
            told = await client.refused({"databaseEncryption": encryption(ungranted)})
            assert "container-engine-robot.iam.gserviceaccount.com the role" in told
            elsewhere = await granted_key(client, "europe-west4")
            told = await client.refused({"databaseEncryption": encryption(elsewhere)})
            assert 'is in location "europe-west4"' in told
            assert '"us-central1"' in told

    asyncio.run(run())


@pytest.mark.parametrize("location", ["us-central1", "us", "global"])
def test_compute_engine_must_be_allowed_to_use_the_key_of_boot_disks(location: str) -> None:
    async def run() -> None:
        async with emulator() as client:
            config = {"bootDiskKmsKey": key_in(location)}
            told = await client.refused({"nodeConfig": config})
            assert f"Cloud KMS error when using key {key_in(location)}: Permission" in told
            await granted_key(client, location)  # Kubernetes Engine's agent does not suffice
            told = await client.refused({"nodeConfig": config})
            assert "@compute-system.iam.gserviceaccount.com the role" in told
            await grant_key(client, key_in(location), "compute-system")
            await client.make(nodeConfig=config)

    asyncio.run(run())


def test_a_cluster_refuses_a_key_with_a_destroyed_version() -> None:
    async def run() -> None:
        async with emulator() as client:
            key = await granted_key(client)
            version = f"/cloudkms/v1/{key}/cryptoKeyVersions/1"
            await client.call("POST", f"{version}:destroy", {})
            told = await client.refused({"databaseEncryption": encryption(key)})
            assert "is not enabled, current state is: DESTROY_SCHEDULED" in told
            await client.call("POST", f"{version}:restore", {})
            await client.call("PATCH", f"{version}?updateMask=state", {"state": "ENABLED"})
            await client.make(databaseEncryption=encryption(key))

    asyncio.run(run())


def test_encryption_is_turned_on_and_off_in_place() -> None:
    async def run() -> None:
        async with emulator() as client:
            made = await client.make()
            assert made["databaseEncryption"]["state"] == "DECRYPTED"
            path = client.cluster("main")
            wanted = {"update": {"desiredDatabaseEncryption": encryption(key_in("us-central1"))}}
            await client.call("PUT", path, wanted, status=400)
            await granted_key(client)
            await client.wait(await client.call("PUT", path, wanted))
            after = await client.call("GET", path)
            assert after["databaseEncryption"]["state"] == "ENCRYPTED"
            assert after["id"] == made["id"]
            off = {"update": {"desiredDatabaseEncryption": {"state": "DECRYPTED"}}}
            await client.wait(await client.call("PUT", path, off))
            assert (await client.call("GET", path))["databaseEncryption"]["state"] == "DECRYPTED"

    asyncio.run(run())
