"""The parts of a load balancer: references, refusals, defaults."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.gcp.emulated_cloud import Cloud

ZONE = "zones/europe-west4-a"
HEALTH = {"name": "health", "type": "HTTP"}
SERVICE = {
    "name": "service",
    "loadBalancingScheme": "EXTERNAL_MANAGED",
    "healthChecks": ["global/healthChecks/health"],
}


@pytest.fixture
def chain(cloud: Cloud) -> Cloud:
    """Health check, backend service, URL map, proxy, address and forwarding rule."""
    cloud.compute("POST", "global/healthChecks", HEALTH)
    cloud.compute("POST", "global/backendServices", SERVICE)
    url_map = {"name": "routes", "defaultService": "global/backendServices/service"}
    cloud.compute("POST", "global/urlMaps", url_map)
    proxy = {"name": "proxy", "urlMap": "global/urlMaps/routes"}
    cloud.compute("POST", "global/targetHttpProxies", proxy)
    cloud.compute("POST", "global/addresses", {"name": "front"})
    rule = {
        "name": "rule",
        "IPAddress": "global/addresses/front",
        "loadBalancingScheme": "EXTERNAL_MANAGED",
        "portRange": "80",
        "target": "global/targetHttpProxies/proxy",
    }
    cloud.compute("POST", "global/forwardingRules", rule)
    return cloud


def test_a_resource_in_use_is_not_deleted(chain: Cloud) -> None:
    order = [
        "global/forwardingRules/rule",
        "global/targetHttpProxies/proxy",
        "global/urlMaps/routes",
        "global/backendServices/service",
        "global/healthChecks/health",
    ]
    for held in order[1:]:
        assert chain.refused("DELETE", held)["reason"] == "resourceInUseByAnotherResource"
    for free in order:
        chain.compute("DELETE", free)
        assert chain.request("GET", f"/compute/v1/projects/p/{free}").status_code == 404


def test_an_address_lists_its_forwarding_rule(chain: Cloud) -> None:
    address = chain.compute("GET", "global/addresses/front")
    rule = chain.compute("GET", "global/forwardingRules/rule")
    assert rule["IPAddress"] == address["address"]
    assert rule["portRange"] == "80-80"
    assert address["status"] == "IN_USE"
    assert [u.rpartition("/")[2] for u in address["users"]] == ["rule"]
    chain.refused("DELETE", "global/addresses/front")


@pytest.mark.parametrize("scheme", ["EXTERNAL_MANAGED", "INTERNAL_MANAGED"])
def test_a_regional_rule_needs_a_subnetwork_for_its_proxies(cloud: Cloud, scheme: str) -> None:
    region = "regions/europe-west4"
    service = {"name": "service", "loadBalancingScheme": scheme}
    cloud.compute("POST", f"{region}/backendServices", service)
    url_map = {"name": "routes", "defaultService": f"{region}/backendServices/service"}
    cloud.compute("POST", f"{region}/urlMaps", url_map)
    proxy = {"name": "proxy", "urlMap": f"{region}/urlMaps/routes"}
    cloud.compute("POST", f"{region}/targetHttpProxies", proxy)
    cloud.compute("POST", "global/networks", {"name": "main", "autoCreateSubnetworks": False})
    rule = {
        "name": "rule",
        "loadBalancingScheme": scheme,
        "network": "global/networks/main",
        "portRange": "80",
        "target": f"{region}/targetHttpProxies/proxy",
    }
    subnetwork = {
        "name": "nodes",
        "network": "global/networks/main",
        "ipCidrRange": "10.0.0.0/20",
    }
    cloud.compute("POST", f"{region}/subnetworks", subnetwork)
    elsewhere = subnetwork | {
        "name": "elsewhere",
        "network": "global/networks/default",
        "ipCidrRange": "10.1.0.0/23",
        "purpose": "REGIONAL_MANAGED_PROXY",
        "role": "ACTIVE",
    }
    cloud.compute("POST", f"{region}/subnetworks", elsewhere)
    error = cloud.refused("POST", f"{region}/forwardingRules", rule)
    assert "An active proxy-only subnetwork is required in the same region" in error["message"]

    proxies = elsewhere | {"name": "proxies", "network": "global/networks/main"}
    cloud.compute("POST", f"{region}/subnetworks", proxies)
    cloud.compute("POST", f"{region}/forwardingRules", rule)


def test_a_rule_that_takes_a_taken_port_is_refused(chain: Cloud) -> None:
    second = {
        "name": "second",
        "IPAddress": "global/addresses/front",
        "loadBalancingScheme": "EXTERNAL_MANAGED",
        "portRange": "80",
        "target": "global/targetHttpProxies/proxy",
    }
    assert "in-use" in chain.refused("POST", "global/forwardingRules", second)["message"]


def test_a_classic_rule_on_a_managed_service_is_refused(chain: Cloud) -> None:
    rule = {"name": "second", "portRange": "8080", "target": "global/targetHttpProxies/proxy"}
    error = chain.refused("POST", "global/forwardingRules", rule)
    assert "loadBalancingScheme" in error["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("urlMaps", {"name": "x", "defaultService": "global/backendServices/absent"}),
        ("targetHttpProxies", {"name": "x", "urlMap": "global/urlMaps/absent"}),
        ("backendServices", SERVICE | {"name": "x", "healthChecks": ["global/healthChecks/no"]}),
    ],
)
def test_a_reference_to_a_missing_resource_is_refused(
    chain: Cloud, path: str, body: dict[str, Any]
) -> None:
    assert chain.refused("POST", f"global/{path}", body, status=404)["reason"] == "notFound"


def test_a_stale_fingerprint_changes_nothing(chain: Cloud) -> None:
    path = "global/backendServices/service"
    stale = chain.compute("GET", path)["fingerprint"]
    chain.compute("PATCH", path, {"timeoutSec": 10, "fingerprint": stale})
    error = chain.refused("PATCH", path, {"timeoutSec": 20, "fingerprint": stale}, status=412)
    assert error["reason"] == "conditionNotMet"
    assert chain.compute("GET", path)["timeoutSec"] == 10


def test_an_update_unsets_omitted_fields(chain: Cloud) -> None:
    path = "global/backendServices/service"
    chain.compute("PATCH", path, {"description": "first", "timeoutSec": 10})
    fresh = chain.compute("GET", path)["fingerprint"]
    chain.compute("PUT", path, SERVICE | {"fingerprint": fresh})
    made = chain.compute("GET", path)
    assert (made["description"], made["timeoutSec"]) == ("", 30)


def test_a_secret_is_never_shown(chain: Cloud) -> None:
    iap = {"enabled": True, "oauth2ClientId": "id", "oauth2ClientSecret": "hush"}
    chain.compute("PATCH", "global/backendServices/service", {"iap": iap})
    answer = chain.request("GET", "/compute/v1/projects/p/global/backendServices/service")
    assert "hush" not in answer.text
    assert len(answer.json()["iap"]["oauth2ClientSecretSha256"]) == 64


@pytest.mark.parametrize("scheme", ["EXTERNAL", "EXTERNAL_MANAGED", "INTERNAL_SELF_MANAGED"])
def test_circuit_breakers_are_for_meshes(cloud: Cloud, scheme: str) -> None:
    body = {
        "name": "guarded",
        "loadBalancingScheme": scheme,
        "circuitBreakers": {"maxConnections": 10},
    }
    if scheme.startswith("EXTERNAL"):
        message = cloud.refused("POST", "global/backendServices", body)["message"]
        assert message.startswith("Invalid value for field 'resource.circuitBreakers'")
        assert scheme in message
    else:
        cloud.compute("POST", "global/backendServices", body)


def endpoint_group(cloud: Cloud, name: str = "pods") -> str:
    body = {"name": name, "networkEndpointType": "GCE_VM_IP_PORT", "defaultPort": 8501}
    cloud.compute("POST", f"{ZONE}/networkEndpointGroups", body)
    return f"projects/p/{ZONE}/networkEndpointGroups/{name}"


@pytest.mark.parametrize(
    "backend",
    [
        {"balancingMode": "UTILIZATION"},
        {"balancingMode": "RATE"},
        {"balancingMode": "LUCK", "maxRatePerEndpoint": 5},
    ],
)
def test_an_invalid_balancing_mode_is_refused(chain: Cloud, backend: dict[str, Any]) -> None:
    group = endpoint_group(chain)
    change = {"backends": [backend | {"group": group}]}
    chain.refused("PATCH", "global/backendServices/service", change)


def test_a_group_is_a_backend_once_and_stays_while_it_is_one(chain: Cloud) -> None:
    group = endpoint_group(chain)
    backend = {"group": group, "balancingMode": "RATE", "maxRatePerEndpoint": 5}
    twice = {"backends": [backend, backend]}
    assert "Duplicate" in chain.refused("PATCH", "global/backendServices/service", twice)["message"]
    chain.compute("PATCH", "global/backendServices/service", {"backends": [backend]})
    path = group.removeprefix("projects/p/")
    assert chain.refused("DELETE", path)["reason"] == "resourceInUseByAnotherResource"
    chain.compute("PATCH", "global/backendServices/service", {"backends": []})
    chain.compute("DELETE", path)


def test_endpoints_are_attached_listed_and_detached(cloud: Cloud) -> None:
    path = endpoint_group(cloud).removeprefix("projects/p/")
    endpoints = [{"instance": "node-1", "ipAddress": f"10.4.0.{n}"} for n in (2, 3)]
    for _ in range(2):  # attaching twice changes nothing
        cloud.compute("POST", f"{path}/attachNetworkEndpoints", {"networkEndpoints": endpoints})
    listed = cloud.compute("POST", f"{path}/listNetworkEndpoints", {})["items"]
    assert [(e["networkEndpoint"]["ipAddress"], e["networkEndpoint"]["port"]) for e in listed] == [
        ("10.4.0.2", 8501),
        ("10.4.0.3", 8501),
    ]
    assert cloud.compute("GET", path)["size"] == 2
    gone = {"networkEndpoints": endpoints[:1]}
    cloud.compute("POST", f"{path}/detachNetworkEndpoints", gone)
    assert cloud.compute("GET", path)["size"] == 1
    cloud.refused("POST", f"{path}/detachNetworkEndpoints", gone)


def test_changing_named_ports_needs_the_current_fingerprint(cloud: Cloud) -> None:
    cloud.compute("POST", f"{ZONE}/instanceGroups", {"name": "group"})
    path = f"{ZONE}/instanceGroups/group"
    before = cloud.compute("GET", path)["fingerprint"]
    body = {"namedPorts": [{"name": "http", "port": 8501}], "fingerprint": before}
    cloud.compute("POST", f"{path}/setNamedPorts", body)
    assert cloud.compute("GET", path)["namedPorts"] == [{"name": "http", "port": 8501}]
    cloud.refused("POST", f"{path}/setNamedPorts", body, status=412)


def test_a_url_map_is_set_by_the_old_path_and_refused_if_absent(chain: Cloud) -> None:
    # One of the oldest methods: its path has no `global`.
    path = "targetHttpProxies/proxy/setUrlMap"
    chain.refused("POST", path, {"urlMap": "global/urlMaps/absent"}, status=404)
    second = {"name": "second", "defaultService": "global/backendServices/service"}
    chain.compute("POST", "global/urlMaps", second)
    assert (
        chain.compute("POST", path, {"urlMap": "global/urlMaps/second"})["operationType"]
        == "SetUrlMap"
    )
    assert chain.compute("GET", "global/targetHttpProxies/proxy")["urlMap"].endswith("/second")


def test_rules_of_a_security_policy_change_one_by_one(cloud: Cloud) -> None:
    cloud.compute("POST", "global/securityPolicies", {"name": "edge"})
    match = {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ["192.0.2.0/24"]}}
    rule = {"priority": 10, "action": "deny(403)", "match": match}
    path = "global/securityPolicies/edge"
    cloud.compute("POST", f"{path}/addRule", rule)
    cloud.refused("POST", f"{path}/addRule", rule)
    cloud.compute("POST", f"{path}/patchRule?priority=10", {"preview": True})
    assert cloud.compute("GET", f"{path}/getRule?priority=10")["preview"] is True
    cloud.compute("POST", f"{path}/removeRule?priority=10")
    assert [r["priority"] for r in cloud.compute("GET", path)["rules"]] == [2147483647]


def test_a_mask_clears_the_exclusions_of_a_rule_and_changes_nothing_else(cloud: Cloud) -> None:
    cloud.compute("POST", "global/securityPolicies", {"name": "edge"})
    waf = {"expr": {"expression": "evaluatePreconfiguredWaf('sqli-v33-stable')"}}
    bodies = {"targetRuleSet": "sqli-v33-stable", "requestBodiesToExclude": [{"op": "EQUALS_ANY"}]}
    excluded = {"exclusions": [bodies]}
    rule = {"priority": 10, "action": "deny(403)", "match": waf, "preconfiguredWafConfig": excluded}
    path = "global/securityPolicies/edge"
    cloud.compute("POST", f"{path}/addRule", rule)
    cloud.compute("POST", f"{path}/patchRule?priority=10", {"preview": True})
    left = cloud.compute("GET", f"{path}/getRule?priority=10")
    assert left["preconfiguredWafConfig"] == excluded
    mask = "updateMask=preconfigured_waf_config"
    cloud.compute("POST", f"{path}/patchRule?priority=10&{mask}", {"preview": False})
    left = cloud.compute("GET", f"{path}/getRule?priority=10")
    assert "preconfiguredWafConfig" not in left
    assert left["preview"] is True


def test_an_aggregated_list_has_every_scope(cloud: Cloud) -> None:
    endpoint_group(cloud)
    items = cloud.compute("GET", "aggregated/networkEndpointGroups")["items"]
    assert [g["name"] for g in items[ZONE]["networkEndpointGroups"]] == ["pods"]
    assert items["global"]["warning"]["code"] == "NO_RESULTS_ON_PAGE"


def test_the_features_of_an_ssl_policy_follow_its_profile(cloud: Cloud) -> None:
    body = {"name": "tls", "profile": "RESTRICTED", "minTlsVersion": "TLS_1_2"}
    assert cloud.compute("POST", "global/sslPolicies", body)["status"] == "DONE"
    restricted = cloud.compute("GET", "global/sslPolicies/tls")["enabledFeatures"]
    cloud.compute(
        "PATCH", "global/sslPolicies/tls", {"profile": "MODERN", "enabledFeatures": restricted}
    )
    modern = cloud.compute("GET", "global/sslPolicies/tls")["enabledFeatures"]
    assert set(restricted) < set(modern)
    cloud.refused("PATCH", "global/sslPolicies/tls", {"profile": "CUSTOM"})


def test_references_are_of_v1_unless_json_is_asked_for(chain: Cloud) -> None:
    path = "global/urlMaps/routes"
    assert "/compute/v1/" in chain.compute("GET", path)["defaultService"]
    assert "/compute/beta/" in chain.compute("GET", f"{path}?alt=json")["defaultService"]


def test_an_older_set_method_has_an_operation_type_of_its_own(chain: Cloud) -> None:
    chain.compute("POST", "global/backendServices", {"name": "tcp", "protocol": "TCP"})
    proxy = {"name": "tcp", "service": "global/backendServices/tcp"}
    chain.compute("POST", "global/targetTcpProxies", proxy)
    path = "global/targetTcpProxies/tcp"
    header = chain.compute("POST", f"{path}/setProxyHeader", {"proxyHeader": "PROXY_V1"})
    service = {"service": "global/backendServices/tcp"}
    backend = chain.compute("POST", f"{path}/setBackendService", service)
    assert header["operationType"] == "TargetTcpProxySetProxyHeader"
    assert backend["operationType"] == "TargetTcpProxySetBackendService"


def test_a_forwarding_rule_is_labelled_by_its_own_method_only(chain: Cloud) -> None:
    rule = chain.compute("GET", "global/forwardingRules/rule")
    labels = {"team": "vision"}
    second = {
        **{key: rule[key] for key in ("loadBalancingScheme", "target")},
        "name": "second",
        "portRange": "8080",
        "labels": labels,
    }
    chain.compute("POST", "global/forwardingRules", second)
    made = chain.compute("GET", "global/forwardingRules/second")
    assert "labels" not in made
    change = {"labels": labels, "labelFingerprint": made["labelFingerprint"]}
    operation = chain.compute("POST", "global/forwardingRules/second/setLabels", change)
    assert (operation["operationType"], operation["status"]) == ("setLabels", "DONE")
    assert chain.compute("GET", "global/forwardingRules/second")["labels"] == labels


def test_a_backend_service_has_no_settings_that_nobody_made(chain: Cloud) -> None:
    made = chain.compute("GET", "global/backendServices/service")
    assert "iap" not in made
    assert made["connectionDraining"] == {"drainingTimeoutSec": 0}
    off = {"enabled": False, "oauth2ClientId": "", "oauth2ClientSecret": ""}
    chain.compute("PATCH", "global/backendServices/service", {"iap": off})
    assert chain.compute("GET", "global/backendServices/service")["iap"]["enabled"] is False
