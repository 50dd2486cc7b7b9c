"""Backup for GKE: backup plans and backups."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.sandbox.gcp.emulator import (
    PROJECT,
    Client,
    Json,
    PretendedControlPlanes,
    emulator,
)

HERE = f"projects/{PROJECT}/locations/us-central1"
PLANS = f"/gkebackup/v1/{HERE}/backupPlans"
PLAN: Json = {
    "cluster": f"projects/{PROJECT}/locations/us-central1-a/clusters/main",
    "backupSchedule": {"cronSchedule": "0 3 * * *"},
    "retentionPolicy": {"backupRetainDays": 14, "backupDeleteLockDays": 7},
    "backupConfig": {"allNamespaces": True, "includeSecrets": True, "includeVolumeData": True},
}


async def plan(client: Client, **more: Any) -> Json:
    """A cluster and its plan."""
    await client.make(addonsConfig={"gkeBackupAgentConfig": {"enabled": True}})
    operation = await client.call("POST", f"{PLANS}?backupPlanId=nightly", PLAN | more)
    done = await client.call("GET", f"/gkebackup/v1/{operation['name']}")
    assert done["done"]
    assert done["metadata"]["verb"] == "create"
    made: Json = await client.call("GET", f"{PLANS}/nightly")
    return made


def test_a_plan_is_created_updated_and_deleted() -> None:
    async def run() -> None:
        async with emulator() as client:
            made = await plan(client)
            assert made["name"] == f"{HERE}/backupPlans/nightly"
            assert made["state"] == "READY"
            assert (await client.call("GET", PLANS))["backupPlans"] == [made]
            retention = {"retentionPolicy": {"backupRetainDays": 30}}
            await client.call("PATCH", f"{PLANS}/nightly?updateMask=retentionPolicy", retention)
            changed = await client.call("GET", f"{PLANS}/nightly")
            assert changed["retentionPolicy"] == {"backupRetainDays": 30}
            assert changed["etag"] != made["etag"]
            await client.call("DELETE", f"{PLANS}/nightly")
            await client.call("GET", f"{PLANS}/nightly", status=404)

    asyncio.run(run())


def test_the_first_plan_installs_the_agent() -> None:
    async def run() -> None:
        async with emulator() as client:
            made = await client.make()
            assert "gkeBackupAgentConfig" not in made["addonsConfig"]
            await client.call("POST", f"{PLANS}?backupPlanId=nightly", PLAN)
            after = await client.call("GET", client.cluster("main"))
            assert after["addonsConfig"]["gkeBackupAgentConfig"] == {"enabled": True}

    asyncio.run(run())


def test_the_agent_needs_the_api_enabled() -> None:
    async def run() -> None:
        async with emulator() as client:
            services = f"/serviceusage/v1/projects/{PROJECT}/services"
            for name in ("container", "compute"):
                await client.call("POST", f"{services}/{name}.googleapis.com:enable", {})
            client.app.state.enforce_enabled_services = True
            asked: Json = {
                "name": "main",
                "initialNodeCount": 1,
                "addonsConfig": {"gkeBackupAgentConfig": {"enabled": True}},
            }
            refused = await client.call("POST", client.cluster(), {"cluster": asked}, status=403)
            assert "Backup for GKE API has not been used" in refused["error"]["message"]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cluster": f"projects/{PROJECT}/locations/us-central1/clusters/none"}, "was not found"),
        ({"cluster": "main"}, "Invalid cluster"),
        ({"backupConfig": {}}, "exactly one scope"),
        ({"backupSchedule": {"cronSchedule": "61 3 * * *"}}, "Invalid cron_schedule"),
        ({"backupSchedule": {"cronSchedule": "0 0 3 * * *"}}, "Invalid cron_schedule"),
        ({"backupSchedule": {"cronSchedule": "0 3 30 2 *"}}, "Invalid cron_schedule"),
        ({"retentionPolicy": {}}, "backup_retain_days must be set with a schedule"),
        ({"retentionPolicy": {"backupRetainDays": 400}}, "between 0 and 365"),
        (
            {"retentionPolicy": {"backupRetainDays": 3, "backupDeleteLockDays": 7}},
            "must not be less than backup_delete_lock_days",
        ),
        (
            {
                "backupConfig": {
                    "allNamespaces": True,
                    "encryptionKey": {
                        "gcpKmsEncryptionKey": f"{HERE}/keyRings/ring/cryptoKeys/none"
                    },
                }
            },
            "(or it may not exist)",
        ),
    ],
)
def test_an_invalid_plan_is_refused(change: Json, reason: str) -> None:
    async def run() -> None:
        async with emulator() as client:
            await client.make()
            path = f"{PLANS}?backupPlanId=nightly"
            refused = await client.call("POST", path, PLAN | change, status=400)
            assert reason in refused["error"]["message"]
            await client.call("GET", f"{PLANS}/nightly", status=404)

    asyncio.run(run())


def test_a_plans_cluster_is_immutable() -> None:
    async def run() -> None:
        async with emulator() as client:
            await plan(client)
            other = {"cluster": PLAN["cluster"].replace("main", "other")}
            path = f"{PLANS}/nightly?updateMask=cluster"
            refused = await client.call("PATCH", path, other, status=400)
            assert "'cluster' is immutable" in refused["error"]["message"]
            await client.call("POST", f"{PLANS}?backupPlanId=nightly", PLAN, status=409)

    asyncio.run(run())


def test_a_locked_retention_and_a_deactivated_plan_do_not_change() -> None:
    async def run() -> None:
        async with emulator() as client:
            locked = {"backupRetainDays": 14, "locked": True}
            await plan(client, retentionPolicy=locked)
            path = f"{PLANS}/nightly"
            shorter = {"retentionPolicy": {"backupRetainDays": 1}}
            await client.call("PATCH", f"{path}?updateMask=retentionPolicy", shorter, status=400)
            await client.call("PATCH", f"{path}?updateMask=deactivated", {"deactivated": True})
            assert (await client.call("GET", path))["state"] == "DEACTIVATED"
            text = {"description": "x"}
            await client.call("PATCH", f"{path}?updateMask=description", text, status=400)

    asyncio.run(run())


def test_a_locked_backup_and_its_plan_cannot_be_deleted() -> None:
    async def run() -> None:
        async with emulator() as client:
            await plan(client)
            backups = f"{PLANS}/nightly/backups"
            await client.call("POST", f"{backups}?backupId=now", {})
            (made,) = (await client.call("GET", backups))["backups"]
            assert made["state"] == "SUCCEEDED"
            assert made["containsSecrets"]
            assert made["containsVolumeData"]
            days = datetime.fromisoformat(made["retainExpireTime"]) - datetime.now(UTC)
            assert days.days == 13
            refused = await client.call("DELETE", f"{backups}/now", status=400)
            assert "before its delete lock expires" in refused["error"]["message"]
            refused = await client.call("DELETE", f"{PLANS}/nightly", status=400)
            assert "has Backups" in refused["error"]["message"]
            unlocked = {"retentionPolicy": {"backupRetainDays": 14}}
            await client.call("PATCH", f"{PLANS}/nightly?updateMask=retentionPolicy", unlocked)
            await client.call("POST", f"{backups}?backupId=later", {})
            await client.call("DELETE", f"{backups}/later")

    asyncio.run(run())


def test_a_plan_has_an_iam_policy() -> None:
    async def run() -> None:
        async with emulator() as client:
            await plan(client)
            binding = {"role": "roles/gkebackup.viewer", "members": ["user:a@acme.example"]}
            policy = {"policy": {"bindings": [binding]}}
            await client.call("POST", f"{PLANS}/nightly:setIamPolicy", policy)
            found = await client.call("GET", f"{PLANS}/nightly:getIamPolicy")
            assert found["bindings"] == [binding]

    asyncio.run(run())


def test_a_backup_counts_the_contents_that_its_plan_selects() -> None:
    async def run() -> None:
        async with emulator(control_planes=PretendedControlPlanes()) as client:
            await plan(client)
            await client.call("POST", f"{PLANS}/nightly/backups?backupId=all", {})
            made = await client.call("GET", f"{PLANS}/nightly/backups/all")
            assert (made["podCount"], made["volumeCount"], made["resourceCount"]) == (8, 1, 12)
            after = await client.call("GET", f"{PLANS}/nightly")
            assert (after["protectedPodCount"], after["protectedNamespaceCount"]) == (8, 1)
            some = {"backupConfig": {"selectedNamespaces": {"namespaces": ["models"]}}}
            await client.call("PATCH", f"{PLANS}/nightly?updateMask=backupConfig", some)
            await client.call("POST", f"{PLANS}/nightly/backups?backupId=some", {})
            made = await client.call("GET", f"{PLANS}/nightly/backups/some")
            assert (made["podCount"], made["resourceCount"]) == (5, 8)

    asyncio.run(run())
