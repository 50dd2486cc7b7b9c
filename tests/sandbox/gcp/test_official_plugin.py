"""What the official Google plugin needs of the emulated API, and our own plugin does not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.sandbox.gcp.emulated_cloud import Cloud
from tests.sandbox.gcp.emulator import PretendedControlPlanes, emulator

ZONE = {"name": "z", "dnsName": "acme.example.", "description": "a zone"}
ZONES = "/dns/v1/projects/p/managedZones"


def test_compute_ignores_unknown_names_at_any_depth_and_does_not_keep_them(cloud: Cloud) -> None:
    body = {
        "name": "main",
        "autoCreateSubnetworks": False,
        "routingConfig": {"routingMode": "REGIONAL", "deleteBgpAlwaysCompareMed": False},
        "unheardOf": [{"a": 1}],
    }
    cloud.compute("POST", "global/networks", body)
    made = cloud.compute("GET", "global/networks/main")
    assert made["routingConfig"]["routingMode"] == "REGIONAL"
    assert "deleteBgpAlwaysCompareMed" not in made["routingConfig"]
    assert "unheardOf" not in made
    cloud.compute(
        "POST", "regions/us-central1/routers", {"name": "r", "network": "global/networks/main"}
    )
    nat = {
        "name": "n",
        "natIpAllocateOption": "AUTO_ONLY",
        "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
        "initialNatIps": [],
    }
    cloud.compute("PATCH", "regions/us-central1/routers/r", {"nats": [nat]})
    (kept,) = cloud.compute("GET", "regions/us-central1/routers/r")["nats"]
    assert kept["name"] == "n"
    assert "initialNatIps" not in kept


def test_compute_still_refuses_a_wrong_value_and_keeps_free_names(cloud: Cloud) -> None:
    cloud.refused("POST", "global/networks", {"name": "main", "autoCreateSubnetworks": "maybe"})
    address = {"name": "a", "labels": {"any-label": "kept"}}
    cloud.compute("POST", "global/addresses", address)
    assert cloud.compute("GET", "global/addresses/a")["labels"] == {"any-label": "kept"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/pubsub/v1/projects/p/topics/t", {"unheardOf": 1}),
        ("/certificatemanager/v1/projects/p/locations/global/certificateMaps", {"unheardOf": 1}),
        ("/container/v1beta1/projects/p/locations/l/clusters", {"cluster": {"unheardOf": 1}}),
    ],
)
def test_other_services_refuse_unknown_names(cloud: Cloud, path: str, body: Any) -> None:
    verb = "PUT" if "pubsub" in path else "POST"
    answer = cloud.request(verb, path, body)
    assert answer.status_code == 400
    assert 'Unknown name "unheardOf"' in answer.json()["error"]["message"]


def test_a_public_zone_has_no_private_visibility(cloud: Cloud) -> None:
    cloud.call("POST", ZONES, {**ZONE, "privateVisibilityConfig": {"networks": []}})
    assert "privateVisibilityConfig" not in cloud.call("GET", f"{ZONES}/z")
    cloud.call("PUT", f"{ZONES}/z", {**ZONE, "privateVisibilityConfig": {"networks": []}})
    assert "privateVisibilityConfig" not in cloud.call("GET", f"{ZONES}/z")
    networks = [
        {"networkUrl": "https://www.googleapis.com/compute/v1/projects/p/global/networks/n"}
    ]
    visible = {"privateVisibilityConfig": {"networks": networks}}
    cloud.call("POST", ZONES, {**ZONE, "name": "y", **visible}, status=400)
    cloud.call("POST", ZONES, {**ZONE, "name": "x", "visibility": "private", **visible})
    assert cloud.call("GET", f"{ZONES}/x")["privateVisibilityConfig"]["networks"] == networks


def test_a_project_has_a_billing_account(cloud: Cloud) -> None:
    path = "/cloudbilling/v1/projects/acme-ml-dev/billingInfo"
    info = cloud.call("GET", path)
    assert info["name"] == "projects/acme-ml-dev/billingInfo"
    assert info["projectId"] == "acme-ml-dev"
    assert info["billingEnabled"]
    # It is an account that budgets know.
    cloud.call("GET", f"/billingbudgets/v1/{info['billingAccountName']}/budgets")
    other = "billingAccounts/01ACE0-01ACE0-01ACE0"
    assert cloud.call("PUT", path, {"billingAccountName": other})["billingAccountName"] == other
    assert cloud.call("GET", path)["billingAccountName"] == other
    assert not cloud.call("PUT", path, {"billingAccountName": ""}).get("billingEnabled")
    cloud.call("PUT", path, {"billingAccountName": "accounts/1"}, status=400)


def test_a_bucket_has_no_anywhere_caches(cloud: Cloud) -> None:
    # Asked before a bucket is deleted, with the slash at the end.
    cloud.call("POST", "/storage/v1/b?project=p", {"name": "some-bucket-1"})
    found = cloud.call("GET", "/storage/v1/b/some-bucket-1/anywhereCaches/")
    assert found == {"kind": "storage#anywhereCaches"}
    cloud.call("GET", "/storage/v1/b/no-such-bucket/anywhereCaches", status=404)


def test_the_first_look_finds_a_container_operation_done() -> None:
    async def run() -> tuple[str, str, str]:
        planes = PretendedControlPlanes(gate=asyncio.Event())
        async with emulator(control_planes=planes) as client:
            client.app.state.patience = 20.0
            body = {"cluster": {"name": "main", "initialNodeCount": 1}}
            begun = await client.call("POST", client.cluster(), body)
            path = f"{client.cluster().removesuffix('clusters')}operations/{begun['name']}"
            # A client that waits by itself is answered at once.
            answer = await client.http.get(path, headers={"Prefer": "wait=0"})
            look = asyncio.create_task(client.call("GET", path))
            await asyncio.sleep(0.1)
            assert planes.gate is not None
            planes.gate.set()
            return begun["status"], answer.json()["status"], (await look)["status"]

    assert asyncio.run(run()) == ("RUNNING", "RUNNING", "DONE")


def test_with_a_latency_a_container_operation_takes_its_course() -> None:
    async def run() -> str:
        async with emulator() as client:
            client.app.state.patience = 20.0
            client.app.state.latency = 0.3
            body = {"cluster": {"name": "main", "initialNodeCount": 1}}
            begun = await client.call("POST", client.cluster(), body)
            path = f"{client.cluster().removesuffix('clusters')}operations/{begun['name']}"
            return str((await client.call("GET", path))["status"])

    assert asyncio.run(run()) == "RUNNING"
