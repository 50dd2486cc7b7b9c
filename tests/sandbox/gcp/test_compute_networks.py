"""Networks, subnetworks, routers, firewalls and addresses refuse what Google refuses."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from tests.sandbox.gcp.emulated_cloud import Cloud

REGION = "regions/europe-west4"


@pytest.fixture
def network(cloud: Cloud) -> Cloud:
    cloud.compute("POST", "global/networks", {"name": "main", "autoCreateSubnetworks": False})
    return cloud


def subnetwork(name: str = "nodes", cidr: str = "10.0.0.0/20", **more: Any) -> dict[str, Any]:
    return {"name": name, "network": "global/networks/main", "ipCidrRange": cidr, **more}


def secondary(cidr: str) -> list[dict[str, str]]:
    return [{"rangeName": "pods", "ipCidrRange": cidr}]


def test_a_network_starts_with_googles_defaults(network: Cloud) -> None:
    made = network.compute("GET", "global/networks/main")
    expected = {"bgpBestPathSelectionMode": "LEGACY", "routingMode": "REGIONAL"}
    assert made["routingConfig"] == expected
    assert "subnetworks" not in made


def test_auto_mode_gives_each_region_its_range(cloud: Cloud) -> None:
    cloud.compute("POST", "global/networks", {"name": "auto"})
    links = cloud.compute("GET", "global/networks/auto")["subnetworks"]
    regions = {one["name"] for one in cloud.compute("GET", "regions")["items"]}
    subnets = [cloud.call("GET", link) for link in links]
    ranges = {one["region"].rpartition("/")[2]: one["ipCidrRange"] for one in subnets}
    # Google opens these to a project on request.
    assert regions - ranges.keys() == {"me-central2", "us-central2", "us-east7", "us-west8"}
    assert len(set(ranges.values())) == len(ranges)
    assert ranges["us-central1"] == "10.128.0.0/20"
    assert ranges["europe-west4"] == "10.164.0.0/20"
    assert ranges["europe-north2"] == "10.226.0.0/20"
    whole = ipaddress.IPv4Network("10.128.0.0/9")
    assert all(ipaddress.IPv4Network(cidr).subnet_of(whole) for cidr in ranges.values())
    cloud.compute("DELETE", "global/networks/auto")


def test_a_subnetwork_has_its_gateway_and_holds_its_network(network: Cloud) -> None:
    body = subnetwork(secondaryIpRanges=secondary("10.4.0.0/14"))
    network.compute("POST", f"{REGION}/subnetworks", body)
    made = network.compute("GET", f"{REGION}/subnetworks/nodes")
    assert made["gatewayAddress"] == "10.0.0.1"
    assert made["network"].endswith("projects/p/global/networks/main")
    in_use = network.refused("DELETE", "global/networks/main")
    assert in_use["reason"] == "resourceInUseByAnotherResource"
    assert f"projects/p/{REGION}/subnetworks/nodes" in in_use["message"]
    network.compute("DELETE", f"{REGION}/subnetworks/nodes")
    network.compute("DELETE", "global/networks/main")


@pytest.mark.parametrize(
    "second",
    [
        subnetwork("more", "10.0.8.0/24"),
        subnetwork("more", "10.5.0.0/16"),
        subnetwork("more", "10.64.0.0/20", secondaryIpRanges=secondary("10.0.0.0/16")),
        subnetwork("more", "10.64.0.0/20", secondaryIpRanges=secondary("10.64.8.0/24")),
    ],
)
def test_ranges_of_a_network_must_not_overlap(network: Cloud, second: dict[str, Any]) -> None:
    first = subnetwork(secondaryIpRanges=secondary("10.4.0.0/14"))
    network.compute("POST", f"{REGION}/subnetworks", first)
    error = network.refused("POST", "regions/us-central1/subnetworks", second)
    assert "conflicts" in error["message"]


def test_ranges_of_two_networks_may_overlap(network: Cloud) -> None:
    network.compute("POST", f"{REGION}/subnetworks", subnetwork())
    network.compute("POST", "global/networks", {"name": "other", "autoCreateSubnetworks": False})
    other = subnetwork() | {"name": "other", "network": "global/networks/other"}
    network.compute("POST", f"{REGION}/subnetworks", other)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (subnetwork(cidr="10.0.0.1/20"), 400),
        (subnetwork(cidr="banana"), 400),
        ({"name": "nodes", "network": "global/networks/main"}, 400),
        (subnetwork() | {"network": "global/networks/absent"}, 404),
    ],
)
def test_an_invalid_subnetwork_is_refused(
    network: Cloud, body: dict[str, Any], status: int
) -> None:
    network.refused("POST", f"{REGION}/subnetworks", body, status=status)


def test_an_unknown_region_is_refused(network: Cloud) -> None:
    network.refused("POST", "regions/mars-north1/subnetworks", subnetwork())


def test_a_nat_is_added_to_a_router_and_removed(network: Cloud) -> None:
    body = {"name": "router", "network": "global/networks/main"}
    network.compute("POST", f"{REGION}/routers", body)
    nat = {
        "name": "nat",
        "natIpAllocateOption": "AUTO_ONLY",
        "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
        "subnetworks": [],
    }
    operation = network.compute("PATCH", f"{REGION}/routers/router", {"nats": [nat]})
    assert operation["operationType"] == "patch"
    (made,) = network.compute("GET", f"{REGION}/routers/router")["nats"]
    assert made["type"] == "PUBLIC"
    assert made["endpointTypes"] == ["ENDPOINT_TYPE_VM"]
    assert "subnetworks" not in made
    network.compute("PATCH", f"{REGION}/routers/router", {"nats": []})
    assert "nats" not in network.compute("GET", f"{REGION}/routers/router")


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"allowed": [{"IPProtocol": "tcp"}], "denied": [{"IPProtocol": "udp"}]},
        {"allowed": [{"IPProtocol": "tcp"}], "sourceRanges": ["10.0.0.0/64"]},
    ],
)
def test_an_invalid_firewall_rule_is_refused(network: Cloud, rule: dict[str, Any]) -> None:
    body = {"name": "rule", "network": "global/networks/main", **rule}
    network.refused("POST", "global/firewalls", body)


def test_a_firewall_rule_has_googles_defaults(network: Cloud) -> None:
    allowed = [{"IPProtocol": "tcp", "ports": ["80"]}]
    body = {"name": "rule", "network": "global/networks/main", "allowed": allowed}
    network.compute("POST", "global/firewalls", body)
    made = network.compute("GET", "global/firewalls/rule")
    assert (made["direction"], made["priority"], made["disabled"]) == ("INGRESS", 1000, False)
    assert made["sourceRanges"] == ["0.0.0.0/0"]
    assert made["logConfig"] == {"enable": False}


def test_addresses_are_loopback_and_differ(cloud: Cloud) -> None:
    for name in ("one", "two"):
        cloud.compute("POST", "global/addresses", {"name": name})
    one, two = (cloud.compute("GET", f"global/addresses/{n}")["address"] for n in ("one", "two"))
    assert one != two
    assert ipaddress.ip_address(one).is_loopback


def test_changing_labels_needs_the_current_fingerprint(cloud: Cloud) -> None:
    cloud.compute("POST", "global/addresses", {"name": "one"})
    path = "global/addresses/one"
    current = cloud.compute("GET", path)["labelFingerprint"]
    change = {"labels": {"team": "ml"}, "labelFingerprint": current}
    cloud.compute("POST", f"{path}/setLabels", change)
    assert cloud.compute("GET", path)["labels"] == {"team": "ml"}
    stale = cloud.refused("POST", f"{path}/setLabels", change, status=412)
    assert stale["reason"] == "conditionNotMet"


def test_a_peering_range_is_taken_from_what_is_free(network: Cloud) -> None:
    network.compute("POST", f"{REGION}/subnetworks", subnetwork())
    body = {
        "addressType": "INTERNAL",
        "purpose": "VPC_PEERING",
        "network": "global/networks/main",
        "prefixLength": 16,
    }
    for name in ("one", "two"):
        network.compute("POST", "global/addresses", body | {"name": name})
    found = [network.compute("GET", f"global/addresses/{n}")["address"] for n in ("one", "two")]
    assert found == ["10.1.0.0", "10.2.0.0"]
    taken = body | {"name": "three", "address": "10.2.0.0"}
    network.refused("POST", "global/addresses", taken)


def test_a_subnetwork_for_private_nat_has_no_stack_type(network: Cloud) -> None:
    body = {"name": "nat", "network": "global/networks/main", "ipCidrRange": "10.9.0.0/24"}
    network.compute("POST", f"{REGION}/subnetworks", {**body, "purpose": "PRIVATE_NAT"})
    made = network.compute("GET", f"{REGION}/subnetworks/nat")
    assert (made["purpose"], made.get("stackType")) == ("PRIVATE_NAT", None)
