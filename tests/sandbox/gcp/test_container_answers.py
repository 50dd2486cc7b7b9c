"""Clusters: versions, mirrored fields, ranges, and what is in use."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.sandbox.gcp.emulator import PROJECT, Client, emulator

Json = dict[str, Any]
COMPUTE = f"/compute/v1/projects/{PROJECT}"
SUBNETS = f"{COMPUTE}/regions/us-central1/subnetworks"


def with_client(run: Callable[[Client], Awaitable[None]]) -> None:
    """Run against an emulator."""

    async def started() -> None:
        async with emulator() as client:
            await run(client)

    asyncio.run(started())


@pytest.mark.parametrize("minor", range(33, 38))
@pytest.mark.parametrize("form", ["1.{}", "1.{}.5-gke.1234567", "1.{}.0-gke.1000001"])
def test_every_supported_minor_version_can_be_asked_for(minor: int, form: str) -> None:
    async def run(client: Client) -> None:
        wanted = form.format(minor)
        channel = {"channel": "RAPID"}
        made = await client.make(initialClusterVersion=wanted, releaseChannel=channel)
        assert made["currentMasterVersion"].startswith(wanted)

    with_client(run)


@pytest.mark.parametrize(
    ("version", "channel"),
    [
        ("1.37", "STABLE"),
        ("1.30", "REGULAR"),
        ("1.38", "RAPID"),
        ("1.36.99-gke.1000000", "REGULAR"),
        ("1.36.3-gke.1", "REGULAR"),
        ("1.36.3-eks.1000000", "REGULAR"),
    ],
)
def test_a_version_that_the_channel_has_not(version: str, channel: str) -> None:
    async def run(client: Client) -> None:
        wanted = {"initialClusterVersion": version, "releaseChannel": {"channel": channel}}
        assert version in await client.refused(wanted)

    with_client(run)


def test_a_cluster_without_a_channel_joins_the_first_that_has_its_version() -> None:
    async def run(client: Client) -> None:
        made = await client.make(initialClusterVersion="1.37.1-gke.1000001")
        assert made["releaseChannel"] == {"channel": "RAPID"}

    with_client(run)


def test_control_planes_and_nodes_keep_their_distance() -> None:
    async def run(client: Client) -> None:
        await client.make(initialClusterVersion="1.35", releaseChannel={"channel": "RAPID"})
        path = client.cluster("main")
        far = {"update": {"desiredMasterVersion": "1.37"}}
        assert "minor version at a time" in str(await client.call("PUT", path, far, status=400))
        pool = {"nodePool": {"name": "old", "initialNodeCount": 1, "version": "1.32"}}
        await client.call("POST", f"{path}/nodePools", pool, status=400)
        near = {"update": {"desiredMasterVersion": "1.36"}}
        await client.wait(await client.call("PUT", path, near))

    with_client(run)


def mirrored(cluster: Json) -> tuple[Any, ...]:
    """What the newer and the older fields say of the endpoints."""
    newer = cluster["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]
    older = cluster["privateClusterConfig"]
    return (
        not newer.get("enablePublicEndpoint", False),
        older.get("enablePrivateEndpoint", False),
        newer.get("globalAccess", False),
        (older.get("masterGlobalAccessConfig") or {}).get("enabled", False),
    )


@pytest.mark.parametrize(
    "asked",
    [
        {
            "privateClusterConfig": {
                "enablePrivateNodes": True,
                "enablePrivateEndpoint": True,
                "masterGlobalAccessConfig": {"enabled": True},
            }
        },
        {
            "controlPlaneEndpointsConfig": {
                "ipEndpointsConfig": {"enablePublicEndpoint": False, "globalAccess": True}
            }
        },
    ],
)
def test_endpoint_settings_show_wherever_the_api_shows_them(asked: Json) -> None:
    async def run(client: Client) -> None:
        made = await client.make(**asked)
        assert mirrored(made) == (True, True, True, True)
        assert "publicEndpoint" not in made["privateClusterConfig"]
        addresses = {"enablePublicEndpoint": True, "globalAccess": False}
        newer = {"controlPlaneEndpointsConfig": {"ipEndpointsConfig": addresses}}
        update = {"desiredControlPlaneEndpointsConfig": newer["controlPlaneEndpointsConfig"]}
        await changed(client, update)
        assert mirrored(await client.call("GET", client.cluster("main"))) == (False,) * 4
        older = {"enablePrivateEndpoint": True, "masterGlobalAccessConfig": {"enabled": True}}
        await changed(client, {"desiredPrivateClusterConfig": older})
        assert mirrored(await client.call("GET", client.cluster("main"))) == (True,) * 4

    with_client(run)


async def changed(client: Client, update: Json) -> None:
    """Change the cluster and wait."""
    operation = await client.call("PUT", client.cluster("main"), {"update": update})
    assert "error" not in await client.wait(operation)


@pytest.mark.parametrize(("block", "managed"), [("/20", True), ("/22", False)])
def test_a_netmask_alone_takes_services_from_googles_range(block: str, managed: bool) -> None:
    async def run(client: Client) -> None:
        policy = {"useIpAliases": True, "servicesIpv4CidrBlock": block}
        made = await client.make(ipAllocationPolicy=policy)
        assert made["servicesIpv4Cidr"].endswith(block)
        assert (made["servicesIpv4Cidr"] == "34.118.224.0/20") is managed
        assert ("servicesSecondaryRangeName" not in made["ipAllocationPolicy"]) is managed

    with_client(run)


def test_the_marks_of_a_cluster_on_its_subnetwork() -> None:
    async def run(client: Client) -> None:
        await client.make()
        subnet = await client.call("GET", f"{SUBNETS}/default")
        (pods,) = subnet["secondaryIpRanges"]
        assert pods["reservedInternalRange"].endswith(f"/internalRanges/{pods['rangeName']}")
        await client.wait(await client.call("DELETE", client.cluster("main")))
        subnet = await client.call("GET", f"{SUBNETS}/default")
        assert subnet["privateIpGoogleAccess"] is True
        assert "secondaryIpRanges" not in subnet

    with_client(run)


async def own_network(client: Client) -> Json:
    """A subnetwork with ranges for pods and Services; the cluster's fields that name them."""
    network = {"name": "vpc", "autoCreateSubnetworks": False}
    await client.call("POST", f"{COMPUTE}/global/networks", network)
    ranges = [
        {"rangeName": "pods", "ipCidrRange": "10.4.0.0/14"},
        {"rangeName": "services", "ipCidrRange": "10.8.0.0/20"},
        {"rangeName": "spare", "ipCidrRange": "10.9.0.0/20"},
    ]
    subnet = {
        "name": "nodes",
        "network": "global/networks/vpc",
        "ipCidrRange": "10.0.0.0/20",
        "secondaryIpRanges": ranges,
    }
    await client.call("POST", SUBNETS, subnet)
    policy = {
        "useIpAliases": True,
        "clusterSecondaryRangeName": "pods",
        "servicesSecondaryRangeName": "services",
    }
    return {"network": "vpc", "subnetwork": "nodes", "ipAllocationPolicy": policy}


@pytest.mark.parametrize("name", ["pods", "services"])
def test_a_range_that_a_cluster_uses_does_not_change(name: str) -> None:
    async def run(client: Client) -> None:
        await client.make(**await own_network(client))
        path = f"{SUBNETS}/nodes"
        before = (await client.call("GET", path))["secondaryIpRanges"]
        moved = [
            one | {"ipCidrRange": "10.96.0.0/20"} if one["rangeName"] == name else one
            for one in before
        ]
        for ranges in (moved, [one for one in before if one["rangeName"] != name]):
            answer = await client.call("PATCH", path, {"secondaryIpRanges": ranges}, status=400)
            assert "main" in answer["error"]["message"]
        free = [one for one in before if one["rangeName"] != "spare"]
        await client.call("PATCH", path, {"secondaryIpRanges": free})
        await client.wait(await client.call("DELETE", client.cluster("main")))
        await client.call("PATCH", path, {"secondaryIpRanges": []})

    with_client(run)


async def used_group(client: Client) -> str:
    """A cluster whose default pool's instance group is behind a backend service; its zone."""
    made = await client.make(locations=["us-central1-a", "us-central1-b"])
    (group,) = (url for url in made["instanceGroupUrls"] if "/us-central1-b/" in url)
    check = {"name": "alive", "type": "HTTP"}
    await client.call("POST", f"{COMPUTE}/global/healthChecks", check)
    backend = {"group": group.replace("/instanceGroupManagers/", "/instanceGroups/")}
    service = {
        "name": "web",
        "loadBalancingScheme": "EXTERNAL_MANAGED",
        "healthChecks": ["global/healthChecks/alive"],
        "backends": [backend],
    }
    await client.call("POST", f"{COMPUTE}/global/backendServices", service)
    return str(group)


def test_a_pool_whose_group_a_backend_service_uses_stays() -> None:
    async def run(client: Client) -> None:
        group = await used_group(client)
        pool = f"{client.cluster('main')}/nodePools/default-pool"
        done = await client.wait(await client.call("DELETE", pool))
        assert "backendServices/web" in done["error"]["message"]
        shown = await client.call("GET", pool)
        assert (shown["status"], len(shown["instanceGroupUrls"])) == ("RUNNING_WITH_ERROR", 2)
        assert group in shown["instanceGroupUrls"]
        await client.call("DELETE", f"{COMPUTE}/global/backendServices/web")
        assert "error" not in await client.wait(await client.call("DELETE", pool))
        await client.call("GET", pool, status=404)

    with_client(run)


def test_a_zone_whose_group_a_backend_service_uses_stays() -> None:
    async def run(client: Client) -> None:
        await used_group(client)
        update = {"update": {"desiredLocations": ["us-central1-a"]}}
        await client.call("PUT", client.cluster("main"), update, status=400)
        pool = f"{client.cluster('main')}/nodePools/default-pool"
        await client.call("PUT", pool, {"locations": ["us-central1-a"]}, status=400)
        shown = await client.call("GET", client.cluster("main"))
        assert shown["locations"] == ["us-central1-a", "us-central1-b"]

    with_client(run)


def test_a_cluster_whose_group_a_backend_service_uses_stays() -> None:
    async def run(client: Client) -> None:
        await used_group(client)
        done = await client.wait(await client.call("DELETE", client.cluster("main")))
        assert "backendServices/web" in done["error"]["message"]
        assert (await client.call("GET", client.cluster("main")))["status"] == "DEGRADED"
        await client.call("DELETE", f"{COMPUTE}/global/backendServices/web")
        done = await client.wait(await client.call("DELETE", client.cluster("main")))
        assert "error" not in done

    with_client(run)


@pytest.mark.parametrize(
    "config",
    [
        {"machineType": "n2-standard-4", "diskType": "hyperdisk-balanced"},
        {"machineType": "e2-standard-4", "localSsdCount": 1},
        {"machineType": "e2-standard-4", "localNvmeSsdBlockConfig": {"localSsdCount": 1}},
        {"machineType": "e2-standard-4", "ephemeralStorageLocalSsdConfig": {"localSsdCount": 1}},
        {
            "machineType": "n1-standard-8",
            "accelerators": [{"acceleratorType": "nvidia-tesla-t4", "acceleratorCount": "3"}],
        },
    ],
)
def test_hardware_that_google_does_not_combine(config: Json) -> None:
    async def run(client: Client) -> None:
        await client.refused({"nodeConfig": config})

    with_client(run)


def test_additional_pod_ranges_come_and_go() -> None:
    async def run(client: Client) -> None:
        await client.make(**await own_network(client))
        more = {"podRangeNames": ["spare"]}
        await changed(client, {"additionalPodRangesConfig": more})
        policy = (await client.call("GET", client.cluster("main")))["ipAllocationPolicy"]
        assert policy["additionalPodRangesConfig"] == more
        await changed(client, {"removedAdditionalPodRangesConfig": more})
        policy = (await client.call("GET", client.cluster("main")))["ipAllocationPolicy"]
        assert "additionalPodRangesConfig" not in policy

    with_client(run)


def test_a_cluster_shows_what_gke_shows_now() -> None:
    async def run(client: Client) -> None:
        made = await client.make()
        assert made["addonsConfig"]["dnsCacheConfig"] == {"enabled": True}
        assert made["nodeCreationConfig"] == {"nodeCreationMode": "VIA_KUBELET"}
        image = made["nodePools"][0]["config"]["nodeImageConfig"]
        number, _, build = made["currentNodeVersion"].partition("-gke.")
        assert image["image"].startswith(f"gke-{number.replace('.', '')}-gke{build}-cos-")
        path = made["instanceGroupUrls"][0].removeprefix("https://www.googleapis.com")
        assert (await client.call("GET", path))["targetSizePolicy"] == {"mode": "INDIVIDUAL"}

    with_client(run)
