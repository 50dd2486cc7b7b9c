"""Clusters through the API: defaults, refusals, updates, and the resources behind them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sandbox.gcp.services.container.versions import KUBERNETES
from tests.sandbox.gcp.emulator import PROJECT, PretendedControlPlanes, emulator

COMPUTE = f"/compute/v1/projects/{PROJECT}"
CLUSTERS = f"/container/v1beta1/projects/{PROJECT}/locations/us-central1-a/clusters"


def test_a_cluster_is_created_with_googles_defaults() -> None:
    async def run() -> None:
        async with emulator() as client:
            made = await client.make()
            assert made["status"] == "RUNNING"
            assert made["releaseChannel"] == {"channel": "REGULAR"}
            assert made["currentMasterVersion"].startswith(f"{KUBERNETES}-gke.")
            assert made["shieldedNodes"] == {"enabled": True}
            assert made["ipAllocationPolicy"]["servicesIpv4CidrBlock"] == "34.118.224.0/20"
            pool = made["nodePools"][0]
            assert (pool["name"], pool["config"]["machineType"]) == ("default-pool", "e2-medium")
            assert made["currentNodeCount"] == 1

    asyncio.run(run())


def test_a_regional_cluster_has_its_nodes_in_three_zones() -> None:
    async def run() -> None:
        async with emulator() as client:
            made = await client.make("europe-west4", initialNodeCount=2)
            assert made["locations"] == [f"europe-west4-{zone}" for zone in "abc"]
            assert made["currentNodeCount"] == 6
            assert len(made["instanceGroupUrls"]) == 3
            assert "/locations/europe-west4/clusters/main" in made["selfLink"]

    asyncio.run(run())


def test_v1_and_the_old_zonal_paths_show_the_same_cluster() -> None:
    async def run() -> None:
        async with emulator() as client:
            beta = await client.make()
            v1 = await client.call("GET", CLUSTERS.replace("v1beta1", "v1") + "/main")
            zonal = CLUSTERS.replace("v1beta1", "v1").replace("locations", "zones")
            assert await client.call("GET", f"{zonal}/main") == v1
            assert "protectConfig" in beta
            assert "protectConfig" not in v1
            assert v1["id"] == beta["id"]
            listed = await client.call(
                "GET", f"/container/v1/projects/{PROJECT}/locations/-/clusters"
            )
            assert [cluster["name"] for cluster in listed["clusters"]] == ["main"]

    asyncio.run(run())


REFUSALS = [
    ({"name": "Main"}, "Invalid value for field 'cluster.name'"),
    ({"initialNodeCount": 0}, "initial_node_count must be greater than zero"),
    ({"nodeConfig": {"machineType": "n9-standard-4"}}, "does not exist in zone"),
    (
        {
            "nodeConfig": {
                "machineType": "n1-standard-4",
                "accelerators": [{"acceleratorType": "nvidia-nope", "acceleratorCount": "1"}],
            }
        },
        'Accelerator type "nvidia-nope" does not exist in zone us-central1-a',
    ),
    ({"network": "absent"}, 'Network "absent" does not exist'),
    ({"subnetwork": "absent"}, 'Subnetwork "absent" does not exist in region "us-central1"'),
    (
        {"ipAllocationPolicy": {"clusterSecondaryRangeName": "absent"}},
        'Pod secondary range "absent" does not exist',
    ),
    ({"ipAllocationPolicy": {"clusterIpv4CidrBlock": "10.128.0.0/14"}}, "overlaps with 10.128."),
    ({"workloadIdentityConfig": {"workloadPool": "other.svc.id.goog"}}, "acme-dev-1.svc.id.goog"),
    ({"initialClusterVersion": "1.12"}, 'Master version "1.12" is unsupported'),
    ({"locations": ["europe-west4-a"]}, "not a valid node location"),
    (
        {"privateClusterConfig": {"masterIpv4CidrBlock": "172.16.0.0/24"}},
        "the netmask must be /28",
    ),
    (
        {
            "initialNodeCount": None,
            "nodePools": [
                {
                    "name": "a",
                    "autoscaling": {"enabled": True, "minNodeCount": 3, "maxNodeCount": 1},
                }
            ],
        },
        "the minimum (3) exceeds the maximum (1)",
    ),
    (
        {
            "initialNodeCount": None,
            "nodePools": [{"name": "a", "management": {"autoUpgrade": False}}],
        },
        "cannot be false when release_channel REGULAR is set",
    ),
    (
        {"nodeConfig": {"serviceAccount": f"absent@{PROJECT}.iam.gserviceaccount.com"}},
        "does not exist",
    ),
]


@pytest.mark.parametrize(("body", "message"), REFUSALS)
def test_an_invalid_cluster_is_refused(body: dict[str, object], message: str) -> None:
    async def run() -> None:
        async with emulator() as client:
            assert message in await client.refused(body)
            await client.call("GET", f"{CLUSTERS}/main", status=404)

    asyncio.run(run())


def test_a_location_that_does_not_exist_is_refused() -> None:
    async def run() -> None:
        async with emulator() as client:
            assert 'Location "us-moon1"' in await client.refused({}, location="us-moon1")

    asyncio.run(run())


def test_a_taken_name_and_a_missing_cluster_get_googles_messages() -> None:
    async def run() -> None:
        async with emulator() as client:
            await client.make()
            body = {"cluster": {"name": "main", "initialNodeCount": 1}}
            taken = await client.call("POST", CLUSTERS, body, status=409)
            assert taken["error"]["status"] == "ALREADY_EXISTS"
            missing = await client.call("GET", f"{CLUSTERS}/other", status=404)
            path = f"projects/{PROJECT}/zones/us-central1-a/clusters/other"
            assert missing["error"]["message"] == f"Not found: {path}."
            pool = await client.call("GET", f"{CLUSTERS}/main/nodePools/x", status=404)
            assert pool["error"]["message"] == 'Not found: node pool "x" not found.'

    asyncio.run(run())


def test_two_clusters_of_a_network_do_not_share_addresses() -> None:
    async def run() -> None:
        async with emulator() as client:
            one = await client.make()
            two = await client.make(name="second")
            assert one["clusterIpv4Cidr"] != two["clusterIpv4Cidr"]

    asyncio.run(run())


async def _network(client: object, *, ranges: bool = True) -> None:
    call = client.call  # type: ignore[attr-defined]
    await call(
        "POST", f"{COMPUTE}/global/networks", {"name": "vpc", "autoCreateSubnetworks": False}
    )
    subnet = {
        "name": "nodes",
        "network": f"projects/{PROJECT}/global/networks/vpc",
        "ipCidrRange": "10.0.0.0/20",
        "secondaryIpRanges": [
            {"rangeName": "pods", "ipCidrRange": "10.4.0.0/14"},
            {"rangeName": "services", "ipCidrRange": "10.8.0.0/20"},
        ],
    }
    await call("POST", f"{COMPUTE}/regions/us-central1/subnetworks", subnet)


NAMED: dict[str, Any] = {
    "network": "vpc",
    "subnetwork": "nodes",
    "ipAllocationPolicy": {
        "useIpAliases": True,
        "clusterSecondaryRangeName": "pods",
        "servicesSecondaryRangeName": "services",
    },
}


def test_named_ranges_are_used_by_one_cluster_and_hold_their_network() -> None:
    async def run() -> None:
        async with emulator() as client:
            await _network(client)
            made = await client.make(**NAMED)
            assert made["clusterIpv4Cidr"] == "10.4.0.0/14"
            assert made["servicesIpv4Cidr"] == "10.8.0.0/20"
            assert 'already in use by cluster "main"' in await client.refused(
                {"name": "second", **NAMED}
            )
            for path in ("regions/us-central1/subnetworks/nodes", "global/networks/vpc"):
                held = await client.call("DELETE", f"{COMPUTE}/{path}", status=400)
                assert held["error"]["errors"][0]["reason"] == "resourceInUseByAnotherResource"
            await client.wait(await client.call("DELETE", f"{CLUSTERS}/main"))
            await client.call("DELETE", f"{COMPUTE}/regions/us-central1/subnetworks/nodes")
            await client.call("DELETE", f"{COMPUTE}/global/networks/vpc")

    asyncio.run(run())


def test_a_deleted_cluster_leaves_nothing_in_compute() -> None:
    async def run() -> None:
        async with emulator() as client:
            before = {key for key, _ in client.app.state.store.below("compute")}
            await client.make()
            groups = await client.call(
                "GET", f"{COMPUTE}/zones/us-central1-a/instanceGroupManagers"
            )
            assert len(groups["items"]) == 1
            rules = await client.call("GET", f"{COMPUTE}/global/firewalls")
            assert any(rule["name"].startswith("gke-main-") for rule in rules["items"])
            await client.wait(await client.call("DELETE", f"{CLUSTERS}/main"))
            left = {key for key, _ in client.app.state.store.below("compute")} - before
            assert [key for key in left if "/gke-" in key or "instanceGroup" in key] == []
            key = f"compute/projects/{PROJECT}/regions/us-central1/subnetworks/default"
            subnet = client.app.state.store.get(key)
            assert subnet is not None
            assert not subnet.get("secondaryIpRanges")

    asyncio.run(run())


NEWER = f"{KUBERNETES}-gke.1404000"
UPDATES = [
    ({"desiredLoggingConfig": {"componentConfig": {}}}, ("loggingService", "none")),
    ({"desiredShieldedNodes": {}}, ("shieldedNodes", {})),
    ({"desiredReleaseChannel": {"channel": "RAPID"}}, ("releaseChannel", {"channel": "RAPID"})),
    ({"desiredMasterVersion": NEWER}, ("currentMasterVersion", NEWER)),
]  # fmt: skip


@pytest.mark.parametrize(("update", "expected"), UPDATES)
def test_an_update_shows(update: dict[str, object], expected: tuple[str, object]) -> None:
    async def run() -> None:
        async with emulator() as client:
            await client.make()
            operation = await client.call("PUT", f"{CLUSTERS}/main", {"update": update})
            await client.wait(operation)
            found = await client.call("GET", f"{CLUSTERS}/main")
            assert found[expected[0]] == expected[1]
            assert found["status"] == "RUNNING"

    asyncio.run(run())


def test_setting_labels_needs_the_current_fingerprint() -> None:
    async def run() -> None:
        async with emulator() as client:
            made = await client.make(resourceLabels={"a": "1"})
            stale = {"resourceLabels": {"a": "2"}, "labelFingerprint": "c3RhbGU="}
            await client.call("POST", f"{CLUSTERS}/main:setResourceLabels", stale, status=400)
            fresh = stale | {"labelFingerprint": made["labelFingerprint"]}
            await client.wait(
                await client.call("POST", f"{CLUSTERS}/main:setResourceLabels", fresh)
            )
            found = await client.call("GET", f"{CLUSTERS}/main")
            assert found["resourceLabels"] == {"a": "2"}
            assert found["labelFingerprint"] != made["labelFingerprint"]

    asyncio.run(run())


def test_a_cluster_has_one_operation_at_a_time() -> None:
    async def run() -> None:
        planes = PretendedControlPlanes(gate=asyncio.Event())
        async with emulator(control_planes=planes) as client:
            body = {"cluster": {"name": "main", "initialNodeCount": 1}}
            operation = await client.call("POST", CLUSTERS, body)
            found = await client.call("GET", f"{CLUSTERS}/main")
            assert found["status"] == "PROVISIONING"
            busy = await client.call("DELETE", f"{CLUSTERS}/main", status=400)
            assert busy["error"]["status"] == "FAILED_PRECONDITION"
            assert operation["name"] in busy["error"]["message"]
            assert planes.gate is not None
            planes.gate.set()
            await client.wait(operation)
            await client.wait(await client.call("DELETE", f"{CLUSTERS}/main"))
            assert ("delete", "main") in planes.calls

    asyncio.run(run())


def test_the_gateway_api_can_be_turned_on_in_a_running_cluster() -> None:
    async def run() -> None:
        planes = PretendedControlPlanes()
        async with emulator(control_planes=planes) as client:
            body = {"cluster": {"name": "main", "initialNodeCount": 1}}
            await client.wait(await client.call("POST", CLUSTERS, body))
            assert not planes.started.gateway_api
            for channel, expected in (("CHANNEL_STANDARD", True), ("CHANNEL_DISABLED", False)):
                change = {"update": {"desiredGatewayApiConfig": {"channel": channel}}}
                await client.wait(await client.call("PUT", f"{CLUSTERS}/main", change))
                assert planes.started.gateway_api is expected
            started = planes.calls.count(("start_controllers", "main"))
            other = {"update": {"desiredIntraNodeVisibilityConfig": {"enabled": True}}}
            await client.wait(await client.call("PUT", f"{CLUSTERS}/main", other))
            assert planes.calls.count(("start_controllers", "main")) == started

    asyncio.run(run())


def test_a_control_plane_that_fails_to_start_is_reported_with_the_reason() -> None:
    async def run() -> None:
        planes = PretendedControlPlanes(failure="etcd: no space left on device")
        async with emulator(control_planes=planes) as client:
            body = {"cluster": {"name": "main", "initialNodeCount": 1}}
            done = await client.wait(await client.call("POST", CLUSTERS, body))
            assert "no space left on device" in done["error"]["message"]
            found = await client.call("GET", f"{CLUSTERS}/main")
            assert found["status"] == "ERROR"
            assert "no space left on device" in found["statusMessage"]
            # Whoever waits for the pool is not left waiting.
            assert [pool["status"] for pool in found["nodePools"]] == ["ERROR"]
            await client.wait(await client.call("DELETE", f"{CLUSTERS}/main"))
            await client.call("GET", f"{CLUSTERS}/main", status=404)

    asyncio.run(run())


def test_clusters_and_running_operations_survive_a_restart(tmp_path: Path) -> None:
    async def run() -> None:
        body = {"cluster": {"name": "late", "initialNodeCount": 1}}
        first = PretendedControlPlanes()
        async with emulator(tmp_path / "state.sqlite", first) as client:
            await client.make()
            first.gate = asyncio.Event()  # never set: the daemon ends while it boots
            operation = await client.call("POST", CLUSTERS, body)
            await asyncio.sleep(0.05)
        second = PretendedControlPlanes()
        async with emulator(tmp_path / "state.sqlite", second) as client:
            assert ("start_controllers", "main") in second.calls
            assert len(second.nodes["main", "default-pool"]) == 1
            done = await client.wait(operation)
            assert "error" not in done
            found = await client.call("GET", f"{CLUSTERS}/late")
            assert (found["status"], found["endpoint"]) == ("RUNNING", "127.0.0.1:6443")

    asyncio.run(run())


def test_a_version_of_the_server_config_can_be_created() -> None:
    async def run() -> None:
        async with emulator() as client:
            path = f"/container/v1/projects/{PROJECT}/locations/us-central1/serverConfig"
            config = await client.call("GET", path)
            for channel in config["channels"]:
                assert channel["defaultVersion"] in config["validMasterVersions"]
            made = await client.make(initialClusterVersion=config["validMasterVersions"][0])
            assert made["currentMasterVersion"] == config["validMasterVersions"][0]

    asyncio.run(run())


def windows(hours: int, recurrence: str) -> dict[str, Any]:
    """A cluster's maintenance policy: windows of `hours` by a recurrence rule."""
    times = {
        "startTime": "2026-01-03T02:00:00Z",
        "endTime": f"2026-01-03T{2 + hours:02d}:00:00Z",
    }
    recurring = {"window": times, "recurrence": recurrence}
    return {"maintenancePolicy": {"window": {"recurringWindow": recurring}}}


@pytest.mark.parametrize(
    ("hours", "recurrence"),
    [
        (4, "FREQ=WEEKLY;BYDAY=SA,SU"),
        (3, "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU"),
        (6, "FREQ=MONTHLY;BYSETPOS=1;BYDAY=SA,SU"),
        (20, "FREQ=DAILY;INTERVAL=20"),
        (20, "FREQ=DAILY;COUNT=40"),
        (20, "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30"),
    ],
)
def test_too_few_hours_of_maintenance_are_refused(hours: int, recurrence: str) -> None:
    async def run() -> None:
        async with emulator() as client:
            reason = await client.refused(windows(hours, recurrence))
            assert "longer than 32d without 48h maintenance availability" in reason
            assert "in windows of >=4h" in reason

    asyncio.run(run())


@pytest.mark.parametrize(
    ("hours", "recurrence"),
    [
        (6, "FREQ=WEEKLY;BYDAY=SA,SU"),
        (4, "FREQ=DAILY;INTERVAL=2"),
        (6, "FREQ=MONTHLY;BYDAY=SA,SU"),
        (12, "FREQ=WEEKLY"),
    ],
)
def test_enough_hours_of_maintenance_are_accepted(hours: int, recurrence: str) -> None:
    async def run() -> None:
        async with emulator() as client:
            made = await client.make(**windows(hours, recurrence))
            window = made["maintenancePolicy"]["window"]["recurringWindow"]
            assert window["recurrence"] == recurrence

    asyncio.run(run())


@pytest.mark.parametrize(
    "recurrence",
    [
        "FREQ=DAILY;INTERVAL=often",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;INTERVAL=99999999999999",
        "FREQ=HOURLY",
        "FREQ=DAILY\nEXRULE:FREQ=DAILY",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=WEEKLY;BYHOUR=99",
        "INTERVAL=1",
        "weekly",
        "",
    ],
)
def test_an_invalid_recurrence_rule_is_refused(recurrence: str) -> None:
    async def run() -> None:
        async with emulator() as client:
            assert "recurrence" in await client.refused(windows(6, recurrence))

    asyncio.run(run())


def test_a_window_needs_a_start_and_an_end() -> None:
    async def run() -> None:
        async with emulator() as client:
            policy = windows(6, "FREQ=DAILY")
            times = policy["maintenancePolicy"]["window"]["recurringWindow"]["window"]
            del times["endTime"]
            assert "a start and an end" in await client.refused(policy)

    asyncio.run(run())


@pytest.mark.parametrize("is_private", [True, False])
def test_a_private_api_server_has_a_private_address_only(is_private: bool) -> None:
    async def run() -> None:
        async with emulator(control_planes=PretendedControlPlanes()) as client:
            private = {"enablePrivateNodes": True, "enablePrivateEndpoint": is_private}
            made = await client.make(privateClusterConfig=private)
            shown = made["privateClusterConfig"]
            assert made["endpoint"] == "127.0.0.1:6443"
            kind = "privateEndpoint" if is_private else "publicEndpoint"
            assert shown[kind] == made["endpoint"]
            assert ("publicEndpoint" in shown) is not is_private
            # What is changed and taken back is as it was.
            before = shown
            for one in (not is_private, is_private):
                update = {"update": {"desiredEnablePrivateEndpoint": one}}
                await client.wait(await client.call("PUT", client.cluster("main"), update))
            again = await client.call("GET", client.cluster("main"))
            assert again["privateClusterConfig"] == before

    asyncio.run(run())
