"""IAM, Resource Manager and Service Usage through HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.sandbox.gcp.emulator import PROJECT, Client, emulator

ACCOUNTS = f"/iam/v1/projects/{PROJECT}/serviceAccounts"
CRM = f"/cloudresourcemanager/v1/projects/{PROJECT}"
SERVICES = f"/serviceusage/v1/projects/{PROJECT}/services"
EMAIL = f"nodes-1@{PROJECT}.iam.gserviceaccount.com"


async def _account(client: Client) -> Any:
    body = {"accountId": "nodes-1", "serviceAccount": {"displayName": "Nodes"}}
    return await client.call("POST", ACCOUNTS, body)


async def _grant(client: Client, member: str, role: str = "roles/logging.logWriter") -> Any:
    policy = await client.call("POST", f"{CRM}:getIamPolicy", {})
    policy["bindings"] = [*policy.get("bindings", []), {"role": role, "members": [member]}]
    return await client.call("POST", f"{CRM}:setIamPolicy", {"policy": policy})


def test_a_service_account_lives_from_create_to_delete() -> None:
    async def run() -> None:
        async with emulator() as client:
            made = await _account(client)
            assert made["email"] == EMAIL
            assert len(made["uniqueId"]) == 21
            assert await client.call("GET", f"{ACCOUNTS}/{EMAIL}") == made
            by_id = await client.call("GET", f"/iam/v1/projects/-/serviceAccounts/{EMAIL}")
            assert by_id == made
            change = {"serviceAccount": {"displayName": "All"}, "updateMask": "display_name"}
            await client.call("PATCH", f"{ACCOUNTS}/{EMAIL}", change)
            assert (await client.call("GET", f"{ACCOUNTS}/{EMAIL}"))["displayName"] == "All"
            await client.call("POST", f"{ACCOUNTS}/{EMAIL}:disable", {})
            assert (await client.call("GET", f"{ACCOUNTS}/{EMAIL}"))["disabled"] is True
            await client.call("DELETE", f"{ACCOUNTS}/{EMAIL}")
            gone = await client.call("GET", f"{ACCOUNTS}/{EMAIL}", status=404)
            assert gone["error"]["status"] == "NOT_FOUND"

    asyncio.run(run())


def test_a_service_accounts_id_is_unique_and_well_formed() -> None:
    async def run() -> None:
        async with emulator() as client:
            await _account(client)
            body = {"accountId": "nodes-1"}
            taken = await client.call("POST", ACCOUNTS, body, status=409)
            assert taken["error"]["status"] == "ALREADY_EXISTS"
            await client.call("POST", ACCOUNTS, {"accountId": "a"}, status=400)
            await client.call("POST", ACCOUNTS, {"accountId": "Nodes-One"}, status=400)

    asyncio.run(run())


def test_a_stale_etag_is_refused() -> None:
    async def run() -> None:
        async with emulator() as client:
            await _account(client)
            old = await client.call("POST", f"{CRM}:getIamPolicy", {})
            await _grant(client, f"serviceAccount:{EMAIL}")
            refused = await client.call("POST", f"{CRM}:setIamPolicy", {"policy": old}, status=409)
            assert refused["error"]["status"] == "ABORTED"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("member", "role", "message"),
    [
        (f"serviceAccount:absent@{PROJECT}.iam.gserviceaccount.com", "roles/viewer", "not exist"),
        ("somebody", "roles/viewer", "unknown type"),
        ("user:a@acme.example", "roles/storage.objectVeiwer", "not supported"),
        (f"serviceAccount:{PROJECT}.svc.id.goog[ns/app]", "roles/viewer", "Identity Pool"),
    ],
)
def test_a_policy_of_unknown_members_is_refused(member: str, role: str, message: str) -> None:
    async def run() -> None:
        async with emulator() as client:
            await _account(client)
            policy = {"bindings": [{"role": role, "members": [member]}]}
            path = f"{CRM}:setIamPolicy"
            refused = await client.call("POST", path, {"policy": policy}, status=400)
            assert message in refused["error"]["message"]

    asyncio.run(run())


def test_a_cluster_creates_its_workload_identity_pool() -> None:
    async def run() -> None:
        async with emulator() as client:
            await _account(client)
            pool = f"{PROJECT}.svc.id.goog"
            await client.make(workloadIdentityConfig={"workloadPool": pool})
            member = f"serviceAccount:{pool}[serving/server]"
            binding = {"role": "roles/iam.workloadIdentityUser", "members": [member]}
            path = f"{ACCOUNTS}/{EMAIL}"
            answer = await client.call(
                "POST", f"{path}:setIamPolicy", {"policy": {"bindings": [binding]}}
            )
            assert answer["bindings"] == [binding]

    asyncio.run(run())


def test_a_deleted_account_stays_in_policies_as_deleted() -> None:
    async def run() -> None:
        async with emulator() as client:
            made = await _account(client)
            await _grant(client, f"serviceAccount:{EMAIL}")
            await client.call("DELETE", f"{ACCOUNTS}/{EMAIL}")
            policy = await client.call("POST", f"{CRM}:getIamPolicy", {})
            members = [m for binding in policy["bindings"] for m in binding["members"]]
            assert f"deleted:serviceAccount:{EMAIL}?uid={made['uniqueId']}" in members
            await _grant(client, "user:a@acme.example")  # it can still be written back

    asyncio.run(run())


def test_bindings_of_one_role_are_merged() -> None:
    async def run() -> None:
        async with emulator() as client:
            await _grant(client, "user:b@acme.example")
            policy = await _grant(client, "user:a@acme.example")
            found = [b for b in policy["bindings"] if b["role"] == "roles/logging.logWriter"]
            assert [b["members"] for b in found] == [["user:a@acme.example", "user:b@acme.example"]]

    asyncio.run(run())


def test_every_well_formed_project_exists() -> None:
    async def run() -> None:
        async with emulator() as client:
            v1 = await client.call("GET", CRM)
            v3 = await client.call("GET", CRM.replace("/v1/", "/v3/"))
            assert v1["lifecycleState"] == v3["state"] == "ACTIVE"
            assert v3["name"] == f"projects/{v1['projectNumber']}"
            await client.call("GET", "/cloudresourcemanager/v1/projects/Bad_Id", status=403)

    asyncio.run(run())


def test_enabling_an_api_enables_its_dependencies() -> None:
    async def run() -> None:
        async with emulator() as client:
            container, compute = (f"{name}.googleapis.com" for name in ("container", "compute"))
            assert (await client.call("GET", f"{SERVICES}/{compute}"))["state"] == "DISABLED"
            operation = await client.call("POST", f"{SERVICES}/{container}:enable", {})
            done = await client.call("GET", f"/serviceusage/v1/{operation['name']}")
            assert done["done"] is True
            assert done["response"]["service"]["state"] == "ENABLED"
            assert (await client.call("GET", f"{SERVICES}/{compute}"))["state"] == "ENABLED"
            refused = await client.call("POST", f"{SERVICES}/{compute}:disable", {}, status=400)
            assert refused["error"]["status"] == "FAILED_PRECONDITION"
            body = {"disableDependentServices": True}
            await client.call("POST", f"{SERVICES}/{compute}:disable", body)
            assert (await client.call("GET", f"{SERVICES}/{container}"))["state"] == "DISABLED"

    asyncio.run(run())


def test_calls_to_a_disabled_api_are_refused_if_enforced() -> None:
    async def run() -> None:
        async with emulator() as client:
            client.app.state.enforce_enabled_services = True
            path = f"/compute/v1/projects/{PROJECT}/global/networks"
            refused = await client.call("GET", path, status=403)
            assert "has not been used in project" in refused["error"]["message"]
            assert refused["error"]["errors"][0]["reason"] == "accessNotConfigured"
            clusters = await client.call("GET", client.cluster(), status=403)
            assert clusters["error"]["details"][0]["reason"] == "SERVICE_DISABLED"
            await client.call("POST", f"{SERVICES}/container.googleapis.com:enable", {})
            await client.call("GET", path)
            await client.call("GET", client.cluster())

    asyncio.run(run())
