"""Hubs and spokes of Network Connectivity Center."""

from __future__ import annotations

from typing import Any

from tests.sandbox.gcp.emulated_cloud import Cloud

ROOT = "/networkconnectivity/v1"
GLOBAL = f"{ROOT}/projects/p/locations/global"
HUB = "projects/p/locations/global/hubs/main"


def made(cloud: Cloud, path: str, body: dict[str, Any]) -> Any:
    """Make a resource and wait for its operation."""
    first = cloud.call("POST", path, body)
    assert first.keys() == {"name", "metadata"}
    return cloud.call("GET", f"{ROOT}/{first['name']}")


def test_a_hub_has_googles_defaults(cloud: Cloud) -> None:
    done = made(cloud, f"{GLOBAL}/hubs?hubId=main", {"labels": {"team": "network"}})
    assert done["done"] is True
    assert done["response"]["@type"].endswith("networkconnectivity.v1.Hub")
    hub = cloud.call("GET", f"{ROOT}/{HUB}")
    assert (hub["policyMode"], hub["presetTopology"], hub["state"]) == ("PRESET", "MESH", "ACTIVE")
    assert hub["routeTables"] == [f"{HUB}/routeTables/default"]


def test_a_spoke_links_one_resource_of_its_location(cloud: Cloud) -> None:
    made(cloud, f"{GLOBAL}/hubs?hubId=main", {})
    network = "https://www.googleapis.com/compute/v1/projects/p/global/networks/default"
    spoke = {"hub": HUB, "linkedVpcNetwork": {"uri": network}}
    made(cloud, f"{GLOBAL}/spokes?spokeId=vpc", spoke)
    shown = cloud.call("GET", f"{GLOBAL}/spokes/vpc")
    assert (shown["spokeType"], shown["group"]) == ("VPC_NETWORK", f"{HUB}/groups/default")
    regional = f"{ROOT}/projects/p/locations/us-central1/spokes?spokeId=other"
    cloud.call("POST", regional, spoke, status=400)
    cloud.call("POST", f"{GLOBAL}/spokes?spokeId=none", {"hub": HUB}, status=400)


def test_a_hub_with_spokes_stays(cloud: Cloud) -> None:
    made(cloud, f"{GLOBAL}/hubs?hubId=main", {})
    network = "projects/p/global/networks/default"
    spoke = {"hub": HUB, "linkedVpcNetwork": {"uri": network}}
    made(cloud, f"{GLOBAL}/spokes?spokeId=vpc", spoke)
    cloud.call("DELETE", f"{ROOT}/{HUB}", status=400)
    cloud.call("DELETE", f"{GLOBAL}/spokes/vpc")
    cloud.call("DELETE", f"{ROOT}/{HUB}")
    error = cloud.call("GET", f"{ROOT}/{HUB}?alt=json", status=404)["error"]
    assert error == {
        "code": 404,
        "message": f"Resource '{HUB}' was not found",
        "status": "NOT_FOUND",
    }
