"""Firewall rules decide which backends the load balancer and its health checks reach."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest

from sandbox.traffic.load_balancer.firewalls import FRONT_ENDS, Rule, Target, admitted
from tests.sandbox.traffic.load_balancer.rig import FRONT_ENDS as OPEN
from tests.sandbox.traffic.load_balancer.rig import PREFIX, Rig
from tests.sandbox.traffic.load_balancer.test_balancer_configuration import base, configured, link

TCP = [{"IPProtocol": "tcp", "ports": ["8501"]}]
RANGES = ["130.211.0.0/22", "35.191.0.0/16"]
POD = Target(
    addresses=IPv4Network("10.8.0.7"), tags=frozenset({"gke-node"}), account="nodes@p.example"
)


def _rule(**body: Any) -> dict[str, Any]:
    if "denied" not in body:
        body.setdefault("allowed", TCP)
    return {"sourceRanges": RANGES, **body}


def _admitted(*bodies: dict[str, Any], target: Target = POD, port: int = 8501) -> bool:
    rules = [rule for body in bodies if (rule := Rule.read(body))]
    return all(admitted(rules, source, target, port) for source in FRONT_ENDS)


def test_what_no_rule_allows_is_denied() -> None:
    assert not _admitted()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, True),
        ({"allowed": [{"IPProtocol": "all"}]}, True),
        ({"allowed": [{"IPProtocol": "TCP"}]}, True),
        ({"allowed": [{"IPProtocol": "6", "ports": ["8000-9000"]}]}, True),
        ({"allowed": [{"IPProtocol": "udp"}]}, False),
        ({"allowed": [{"IPProtocol": "tcp", "ports": ["8500", "8502-9000"]}]}, False),
        ({"disabled": True}, False),
        ({"direction": "EGRESS"}, False),
        ({"sourceRanges": RANGES[:1]}, False),
        ({"sourceRanges": ["35.191.0.0/17", RANGES[0]]}, False),
        ({"sourceRanges": ["35.191.0.0/17", "35.191.128.0/17", RANGES[0]]}, True),
        ({"sourceRanges": ["0.0.0.0/0"]}, True),
        ({"sourceRanges": ["::/0"]}, False),
        ({"sourceRanges": None}, True),
        ({"sourceRanges": None, "sourceTags": ["proxy"]}, False),
        ({"sourceRanges": None, "sourceServiceAccounts": ["a@p.example"]}, False),
        ({"targetTags": ["other", "gke-node"]}, True),
        ({"targetTags": ["other"]}, False),
        ({"targetServiceAccounts": ["nodes@p.example"]}, True),
        ({"targetServiceAccounts": ["others@p.example"]}, False),
        ({"destinationRanges": ["10.8.0.0/14"]}, True),
        ({"destinationRanges": ["10.128.0.0/20"]}, False),
    ],
)
def test_an_allow_rule_admits_what_it_names(body: dict[str, Any], expected: bool) -> None:
    assert _admitted(_rule(**body)) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"priority": 1000}, False),
        ({"priority": 999}, False),
        ({"priority": 0}, False),
        ({"priority": 1001}, True),
        ({"priority": 0, "disabled": True}, True),
        ({"priority": 0, "sourceRanges": ["35.191.4.0/24"]}, False),
        ({"priority": 0, "sourceRanges": ["10.0.0.0/8"]}, True),
        ({"priority": 0, "denied": [{"IPProtocol": "tcp", "ports": ["1-1024"]}]}, True),
        ({"priority": 0, "targetTags": ["other"]}, True),
        ({"priority": 0, "destinationRanges": ["10.8.0.0/24"]}, False),
        ({"priority": 0, "destinationRanges": ["10.9.0.0/24"]}, True),
    ],
)
def test_a_deny_rule_wins_unless_an_allow_rule_comes_before(
    body: dict[str, Any], expected: bool
) -> None:
    deny = _rule(**{"denied": [{"IPProtocol": "all"}], **body})
    assert _admitted(_rule(), deny) is expected
    assert _admitted(deny, _rule()) is expected


def test_an_allow_rule_of_a_part_leaves_the_rest_to_later_rules() -> None:
    exception = _rule(priority=10, sourceRanges=["35.191.0.0/20", RANGES[0]])
    deny = _rule(priority=20, denied=[{"IPProtocol": "tcp"}])
    assert not _admitted(exception, deny, _rule())
    assert _admitted(_rule(priority=10), deny)


def test_a_range_of_nodes_is_admitted_as_a_whole() -> None:
    nodes = Target(addresses=IPv4Network("10.0.0.0/20"))
    half = ["10.0.0.0/21"]
    assert not _admitted(_rule(destinationRanges=half), target=nodes)
    deny = _rule(priority=1, denied=[{"IPProtocol": "tcp"}], destinationRanges=half)
    assert not _admitted(_rule(), deny, target=nodes)


def _endpoint(documents: dict[str, Any]) -> Any:
    files = configured(documents).files
    [file] = [body for name, body in files.items() if name.startswith("eds")]
    return file["resources"][0]["endpoints"][0]["lb_endpoints"][0]["endpoint"]


FIREWALL = "compute/projects/p/global/firewalls/front-ends"
GROUP = "compute/projects/p/zones/europe-west4-a/networkEndpointGroups/g"


def _where(documents: dict[str, Any]) -> tuple[bool, bool]:
    """Whether an endpoint is checked, and whether it is asked, where something listens."""
    found = _endpoint(documents)
    config = found.get("health_check_config") or {}
    port = found["address"]["socket_address"]["port_value"]
    return config.get("port_value", port) != 1, port != 1


def _documents() -> dict[str, Any]:
    documents = base()
    # The model server answers on its serving port; the health check asks port 80.
    key = "compute-endpoints/projects/p/zones/europe-west4-a/networkEndpointGroups/g/e"
    documents[key] = {"ipAddress": "10.64.1.7", "port": 80, "instance": "node"}
    return documents


def test_another_networks_rule_opens_nothing() -> None:
    documents = _documents()
    assert _where(documents) == (True, True)
    documents[GROUP]["network"] = link("global/networks/main")
    assert _where(documents) == (False, False)
    documents[FIREWALL]["network"] = link("global/networks/main")
    assert _where(documents) == (True, True)


def test_a_rule_is_looked_for_in_the_networks_project() -> None:
    documents = _documents()
    documents[GROUP]["network"] = link("global/networks/main").replace("/p/", "/host/")
    rule = documents.pop(FIREWALL)
    rule["network"] = documents[GROUP]["network"]
    assert _where(documents) == (False, False)
    documents[FIREWALL.replace("/p/", "/host/")] = rule
    assert _where(documents) == (True, True)


def test_targets_are_the_nodes_tags_and_service_account() -> None:
    documents = _documents()
    documents[FIREWALL]["targetTags"] = ["gke-main-node"]
    assert _where(documents) == (False, False)
    group = {"_instances": ["node"], "_tags": ["gke-main-node"], "_serviceAccount": "a@p.example"}
    documents["compute/projects/p/zones/europe-west4-a/instanceGroups/grp"] = group
    assert _where(documents) == (True, True)
    del documents[FIREWALL]["targetTags"]
    documents[FIREWALL]["targetServiceAccounts"] = ["a@p.example"]
    assert _where(documents) == (True, True)
    documents[FIREWALL]["targetServiceAccounts"] = ["b@p.example"]
    assert _where(documents) == (False, False)


def test_a_port_that_is_only_checked_needs_a_rule_too() -> None:
    documents = _documents()
    check = documents["compute/projects/p/global/healthChecks/main"]
    check["httpHealthCheck"]["port"] = 81
    allowed = documents[FIREWALL]["allowed"] = [{"IPProtocol": "tcp", "ports": ["80"]}]
    found = _endpoint(documents)
    assert found["address"]["socket_address"]["port_value"] == 9000
    assert found["health_check_config"] == {"port_value": 1}
    allowed[0]["ports"] = ["81"]
    found = _endpoint(documents)
    assert found["address"]["socket_address"] == {"address": "127.64.1.7", "port_value": 1}


def test_requests_of_a_regional_load_balancer_come_from_its_proxies() -> None:
    documents = _documents()
    for name in [one for one in documents if "/global/backendServices/" in one]:
        service = documents.pop(name)
    url_map = documents["compute/projects/p/global/urlMaps/main"]
    regional = "regions/europe-west4/backendServices/main"
    documents[f"compute/projects/p/{regional}"] = service
    url_map["defaultService"] = link(regional)
    url_map["pathMatchers"][0]["routeRules"][0]["service"] = link(regional)
    subnet = {
        "network": link("global/networks/default"), "region": link("regions/europe-west4"),
        "purpose": "REGIONAL_MANAGED_PROXY", "ipCidrRange": "10.129.0.0/23",
    }  # fmt: skip
    documents["compute/projects/p/regions/europe-west4/subnetworks/proxies"] = subnet
    assert _where(documents) == (True, False)
    documents[FIREWALL]["sourceRanges"] = [*RANGES, "10.129.0.0/23"]
    assert _where(documents) == (True, True)


def test_a_rule_that_changes_closes_and_opens_a_backend(rig: Rig) -> None:
    check = {"type": "HTTP", "checkIntervalSec": 1, "timeoutSec": 1, "healthyThreshold": 1}
    rig.put("global/healthChecks/wall", {**check, "httpHealthCheck": {"requestPath": "/"}})
    service = rig.service("walled", 0, 1, healthChecks=[f"{PREFIX}global/healthChecks/wall"])
    rig.url_map(defaultService=service)
    rig.until(lambda: rig.get("/").status_code == 200)
    name = "global/firewalls/front-ends"
    try:
        rig.put(name, {**OPEN, "sourceRanges": RANGES[:1]})
        rig.apply()
        rig.until(lambda: "tcp:8501" in rig.get("/").text)
        answer = rig.get("/")
        page = answer.text
        assert answer.status_code == 503
        assert "35.191.0.0/16" in page, page
        assert "projects/p/global/networks/default" in page
        rig.put(name, OPEN)
        rig.apply()
        rig.until(lambda: rig.get("/").status_code == 200)
        # Without a rule for the requests themselves nobody answers either.
        rig.put("global/firewalls/shut", {**OPEN, "allowed": [], "denied": [{"IPProtocol": "tcp"}]})
        rig.apply()
        rig.until(lambda: rig.get("/").status_code == 503)
    finally:
        rig.documents.pop("compute/projects/p/global/firewalls/shut", None)
        rig.put(name, OPEN)
        rig.apply()
        rig.until(lambda: rig.get("/").status_code == 200)
