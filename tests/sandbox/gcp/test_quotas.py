"""Quotas: what the API shows, counts and refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from facts.machines import machine_type
from facts.quotas import Metric, Node, hidden, of_node
from tests.sandbox.gcp.emulator import PROJECT, Client, PretendedControlPlanes, emulator

COMPUTE = f"/compute/v1/projects/{PROJECT}"
REGION = "us-central1"
Json = dict[str, Any]


def run(scenario: Callable[[Client], Awaitable[None]]) -> None:
    async def main() -> None:
        async with emulator(control_planes=PretendedControlPlanes()) as client:
            await scenario(client)

    asyncio.run(main())


async def quota(client: Client, metric: str, region: str = "") -> Json:
    path = f"{COMPUTE}/regions/{region}" if region else COMPUTE
    listed = (await client.call("GET", path))["quotas"]
    return next(one for one in listed if one["metric"] == metric)


async def limit(client: Client, metric: str, value: float, region: str = "") -> None:
    body = {"project": PROJECT, "metric": metric, "limit": value, "region": region}
    await client.call("PUT", "/sandbox/v1/quotas", body)


def node(name: str, **more: Any) -> Node:
    machine = machine_type(name)
    assert machine is not None
    return Node(machine=machine, region=REGION, **more)


def test_a_resource_over_a_quota_is_refused_as_google_does() -> None:
    async def scenario(client: Client) -> None:
        await limit(client, "STATIC_ADDRESSES", 1, REGION)
        addresses = f"{COMPUTE}/regions/{REGION}/addresses"
        await client.call("POST", addresses, {"name": "one"})
        refused = await client.call("POST", addresses, {"name": "two"}, status=403)
        text = "Quota 'STATIC_ADDRESSES' exceeded.  Limit: 1.0 in region us-central1."
        assert refused["error"]["message"] == text
        assert refused["error"]["errors"][0]["reason"] == "quotaExceeded"
        # Another kind of address, and another region, have quotas of their own.
        await client.call("POST", f"{COMPUTE}/global/addresses", {"name": "two"})
        shown = await quota(client, "STATIC_ADDRESSES", REGION)
        assert shown == {"metric": "STATIC_ADDRESSES", "limit": 1.0, "usage": 1.0}
        await client.call("DELETE", f"{addresses}/one")
        await client.call("POST", addresses, {"name": "two"})

    run(scenario)


@pytest.mark.parametrize(
    ("collection", "body", "metric"),
    [
        ("urlMaps", None, "URL_MAPS"),
        ("healthChecks", {"type": "TCP", "tcpHealthCheck": {"port": 80}}, "HEALTH_CHECKS"),
        (
            "backendServices",
            {"loadBalancingScheme": "EXTERNAL_MANAGED"},
            "GLOBAL_EXTERNAL_MANAGED_BACKEND_SERVICES",
        ),
        ("backendServices", {}, "GLOBAL_EXTERNAL_PROXY_LB_BACKEND_SERVICES"),
        ("securityPolicies", {}, "SECURITY_POLICIES"),
        ("networks", {"autoCreateSubnetworks": False}, "NETWORKS"),
    ],
)
def test_a_quota_of_the_project(collection: str, body: Json | None, metric: str) -> None:
    async def scenario(client: Client) -> None:
        await limit(client, metric, 0)
        asked = {"name": "one", **(body or {})}
        path = f"{COMPUTE}/global/{collection}"
        refused = await client.call("POST", path, asked, status=403)
        assert refused["error"]["message"] == f"Quota '{metric}' exceeded.  Limit: 0.0 globally."

    run(scenario)


def test_policies_of_a_region_have_a_quota_of_their_own() -> None:
    async def scenario(client: Client) -> None:
        policies = f"{COMPUTE}/regions/{REGION}/securityPolicies"
        await limit(client, "SECURITY_POLICIES_PER_REGION", 1, REGION)
        await client.call("POST", policies, {"name": "one"})
        refused = await client.call("POST", policies, {"name": "two"}, status=403)
        assert "SECURITY_POLICIES_PER_REGION" in refused["error"]["message"]
        assert (await quota(client, "SECURITY_POLICIES"))["usage"] == 0

    run(scenario)


def test_nodes_count_and_a_pool_over_the_quota_is_refused() -> None:
    async def scenario(client: Client) -> None:
        await client.make(
            initialNodeCount=None, nodePools=[{"name": "a", "initialNodeCount": 2, "config": N2}]
        )
        assert (await quota(client, "N2_CPUS", REGION))["usage"] == 8
        assert (await quota(client, "CPUS_ALL_REGIONS"))["usage"] == 8
        assert (await quota(client, "INSTANCE_GROUPS", REGION))["usage"] == 1
        await limit(client, "N2_CPUS", 10, REGION)
        pools = f"{client.cluster('main')}/nodePools"
        asked = {"nodePool": {"name": "b", "initialNodeCount": 1, "config": N2}}
        refused = await client.call("POST", pools, asked, status=403)
        assert refused["error"]["message"] == (
            'Insufficient regional quota to satisfy request: resource "N2_CPUS": request requires '
            "'4.0' and is short '2.0'. project has a quota of '10.0' with '2.0' available. View "
            "and manage quotas at "
            f"https://console.cloud.google.com/iam-admin/quotas?usage=USED&project={PROJECT}."
        )
        assert refused["error"]["status"] == "PERMISSION_DENIED"
        # A cluster whose own nodes exceed two quotas names both.
        await limit(client, "INSTANCES", 2, REGION)
        more = {"name": "other", "nodePools": [{"name": "a", "initialNodeCount": 1, "config": N2}]}
        refused = await client.call("POST", client.cluster(), {"cluster": more}, status=403)
        text = refused["error"]["message"]
        assert text.count("insufficient regional quota") == 2
        assert "(1)" in text
        assert "(2)" in text

    run(scenario)


N2 = {"machineType": "n2-standard-4"}


def test_a_limit_that_there_is_not_is_refused() -> None:
    async def scenario(client: Client) -> None:
        body = {"project": PROJECT, "metric": "N2_CPU", "limit": 1, "region": REGION}
        refused = await client.call("PUT", "/sandbox/v1/quotas", body, status=400)
        assert "N2_CPU" in refused["error"]
        body = {**body, "metric": "N2_CPUS", "region": "us-centrall"}
        refused = await client.call("PUT", "/sandbox/v1/quotas", body, status=400)
        assert "us-centrall" in refused["error"]

    run(scenario)


def test_what_a_gpu_node_counts_as() -> None:
    found = of_node(node("g2-standard-8", disk="pd-ssd", disk_gb=200))
    assert found == {
        Metric("INSTANCES", REGION): 1,
        Metric("CPUS", REGION): 8,
        Metric("CPUS_ALL_REGIONS"): 8,
        Metric("NVIDIA_L4_GPUS", REGION): 1,
        Metric("GPUS_ALL_REGIONS"): 1,
        Metric("SSD_TOTAL_GB", REGION): 200,
    }


def test_a_spot_node_counts_against_the_quota_of_spot_where_there_is_one() -> None:
    found = of_node(node("g2-standard-8", spot=True))
    (gpus,) = (one for one in found if "L4" in one.name)
    assert gpus.name == "PREEMPTIBLE_NVIDIA_L4_GPUS"
    assert gpus.settled({(REGION, gpus.name): 1.0}).name == "PREEMPTIBLE_NVIDIA_L4_GPUS"
    assert gpus.settled({(REGION, gpus.name): 0.0}).name == "NVIDIA_L4_GPUS"
    (cpus,) = (one for one in found if one.name == "PREEMPTIBLE_CPUS")
    assert cpus.settled({}).name == "CPUS"


def test_quotas_that_the_compute_api_does_not_show() -> None:
    assert list(hidden(node("n2-standard-4"))) == []
    assert list(hidden(node("c4-standard-4"))) == ["CPUS_PER_VM_FAMILY of C4"]
    assert list(hidden(node("a3-highgpu-8g"))) == ["GPUS_PER_GPU_FAMILY of nvidia-h100-80gb"]


def test_a_group_does_not_grow_where_the_zone_has_nothing_left_or_the_quota_is_used_up() -> None:
    async def scenario(client: Client) -> None:
        pool = {"name": "a", "initialNodeCount": 1, "config": N2}
        made = await client.make(initialNodeCount=None, nodePools=[pool])
        group = made["nodePools"][0]["instanceGroupUrls"][0]
        path = f"/compute/v1/{group.partition('/v1/')[2]}"

        async def grow(size: int) -> tuple[int, list[str]]:
            await client.call("POST", f"{path}/resize?size={size}")
            shown = await client.call("GET", client.cluster("main"))
            errors = (await client.call("GET", f"{path}/listErrors")).get("items", [])
            return shown["currentNodeCount"], [one["error"]["code"] for one in errors]

        stock: Json = {"project": PROJECT, "zone": "us-central1-a", "machineType": "n2-standard-4"}
        await client.call("PUT", "/sandbox/v1/stock-out", {**stock, "exhausted": True})
        assert await grow(3) == (1, ["ZONE_RESOURCE_POOL_EXHAUSTED"] * 2)
        await client.call("PUT", "/sandbox/v1/stock-out", {**stock, "exhausted": False})
        spot = {**stock, "provisioning": "spot", "exhausted": True}
        await client.call("PUT", "/sandbox/v1/stock-out", spot)
        await limit(client, "N2_CPUS", 10, REGION)
        size, errors = await grow(3)
        assert (size, errors[2:]) == (2, ["QUOTA_EXCEEDED"])
        assert await grow(1) == (1, errors)

    run(scenario)
