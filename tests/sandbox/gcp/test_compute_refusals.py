"""Compute Engine refuses what Google refuses: each case was accepted once, and failed for real."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.gcp.emulated_cloud import Cloud

Json = dict[str, Any]
POLICY = "global/securityPolicies/edge"
MATCH: Json = {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ["192.0.2.0/24"]}}


def bucket(**policy: Any) -> Json:
    return {
        "name": "files",
        "bucketName": "acme-files",
        "enableCdn": True,
        "cdnPolicy": policy,
    }


def service(name: str = "web", **fields: Any) -> Json:
    body: Json = {"name": name, "loadBalancingScheme": "EXTERNAL_MANAGED", **fields}
    return body


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"cacheMode": "USE_ORIGIN_HEADERS", "defaultTtl": 60}, "defaultTtl"),
        ({"cacheMode": "USE_ORIGIN_HEADERS", "clientTtl": 60}, "clientTtl"),
        ({"cacheMode": "FORCE_CACHE_ALL", "maxTtl": 60}, "maxTtl"),
        ({"cacheMode": "CACHE_ALL_STATIC", "maxTtl": 60, "defaultTtl": 61}, "defaultTtl"),
        ({"cacheMode": "CACHE_ALL_STATIC", "defaultTtl": -1}, "defaultTtl"),
    ],
)
def test_cdn_times_that_the_cache_mode_does_not_take(
    cloud: Cloud, policy: Json, field: str
) -> None:
    assert f"resource.cdnPolicy.{field}" in refused_bucket(cloud, policy)
    wanted = service(enableCDN=True, cdnPolicy=policy)
    error = cloud.refused("POST", "global/backendServices", wanted)
    assert f"resource.cdnPolicy.{field}" in error["message"]


def refused_bucket(cloud: Cloud, policy: Json) -> str:
    error = cloud.refused("POST", "global/backendBuckets", bucket(**policy))
    return str(error["message"])


def test_cdn_times_are_not_invented(cloud: Cloud) -> None:
    wanted = bucket(cacheMode="USE_ORIGIN_HEADERS")
    cloud.compute("POST", "global/backendBuckets", wanted)
    shown = cloud.compute("GET", "global/backendBuckets/files")["cdnPolicy"]
    assert shown == {"cacheMode": "USE_ORIGIN_HEADERS"}


def test_a_cdn_time_below_the_defaults_bounds_them(cloud: Cloud) -> None:
    cloud.compute("POST", "global/backendBuckets", bucket(maxTtl=600))
    shown = cloud.compute("GET", "global/backendBuckets/files")["cdnPolicy"]
    assert (shown["defaultTtl"], shown["clientTtl"]) == (600, 600)


def test_the_default_rule_of_a_security_policy_stays(cloud: Cloud) -> None:
    cloud.compute("POST", "global/securityPolicies", {"name": "edge"})
    cloud.refused("POST", f"{POLICY}/removeRule?priority=2147483647")
    assert [r["priority"] for r in cloud.compute("GET", POLICY)["rules"]] == [2147483647]


def test_a_patch_leaves_the_rules_of_a_security_policy(cloud: Cloud) -> None:
    cloud.compute("POST", "global/securityPolicies", {"name": "edge"})
    rule = {"priority": 1, "action": "allow", "match": MATCH}
    cloud.compute("PATCH", POLICY, {"description": "new", "rules": [rule]})
    shown = cloud.compute("GET", POLICY)
    assert shown["description"] == "new"
    assert [r["priority"] for r in shown["rules"]] == [2147483647]


def test_a_rule_without_a_priority_has_priority_0(cloud: Cloud) -> None:
    cloud.compute("POST", "global/securityPolicies", {"name": "edge"})
    cloud.compute("POST", f"{POLICY}/addRule", {"action": "deny(403)", "match": MATCH})
    assert [r["priority"] for r in cloud.compute("GET", POLICY)["rules"]] == [0, 2147483647]


@pytest.mark.parametrize(
    "expression",
    [
        "this is not cel(",
        "origin.region_code = 'DE'",
        "origin.region_code ==",
        "(origin.region_code == 'DE'",
        "request.path.startWith('/a')",
        "evaluatePreconfiguredWAF('sqli-v33-stable')",
        "'unfinished",
        "origin.region_code == 'DE' extra",
        "user.name == 'x'",
    ],
)
def test_an_expression_that_is_not_cel(cloud: Cloud, expression: str) -> None:
    rule = {"priority": 1, "action": "allow", "match": {"expr": {"expression": expression}}}
    body = {"name": "edge", "rules": [rule]}
    message = cloud.refused("POST", "global/securityPolicies", body)["message"]
    assert "match.expr.expression" in message
    assert "Error parsing" in message


@pytest.mark.parametrize(
    "expression",
    [
        "origin.region_code == 'DE' && request.path.matches('/v1/.*')",
        "evaluatePreconfiguredWaf('sqli-v33-stable', {'sensitivity': 1})",
        "evaluatePreconfiguredExpr('xss-stable', ['owasp-crs-v020901-id981136-xss'])",
        "!inIpRange(origin.ip, '192.0.2.0/24')",
        "has(request.headers['cookie']) && request.headers['cookie'].contains('80=BLAH')",
        "int(request.headers['content-length']) >= 1024 || token.recaptcha_action.score < 0.5",
        "request.path.lower().urlDecode().contains('..') ? true : false",
        "origin.asn in [64512, 64513]",
        'request.method == "POST"',
    ],
)
def test_an_expression_that_is_cel(cloud: Cloud, expression: str) -> None:
    rule = {"priority": 1, "action": "deny(403)", "match": {"expr": {"expression": expression}}}
    cloud.compute("POST", "global/securityPolicies", {"name": "edge", "rules": [rule]})


@pytest.mark.parametrize(
    ("kind", "field"),
    [("CLOUD_ARMOR_EDGE", "securityPolicy"), ("CLOUD_ARMOR", "edgeSecurityPolicy")],
)
def test_a_security_policy_of_the_other_kind(cloud: Cloud, kind: str, field: str) -> None:
    cloud.compute("POST", "global/securityPolicies", {"name": "edge", "type": kind})
    cloud.compute("POST", "global/backendServices", service())
    verb = f"set{field[0].upper()}{field[1:]}"
    cloud.refused("POST", f"global/backendServices/web/{verb}", {"securityPolicy": POLICY})
    wanted = service("other", **{field: POLICY})
    cloud.refused("POST", "global/backendServices", wanted)


def test_a_url_map_over_two_schemes(cloud: Cloud) -> None:
    cloud.compute("POST", "global/backendServices", service())
    classic = service("classic", loadBalancingScheme="EXTERNAL")
    cloud.compute("POST", "global/backendServices", classic)
    matcher = {"name": "all", "defaultService": "global/backendServices/classic"}
    routes = {
        "name": "routes",
        "defaultService": "global/backendServices/web",
        "hostRules": [{"hosts": ["a.example.com"], "pathMatcher": "all"}],
        "pathMatchers": [matcher],
    }
    cloud.refused("POST", "global/urlMaps", routes)


def test_a_load_balancing_scheme_does_not_change_in_place(cloud: Cloud) -> None:
    cloud.compute("POST", "global/backendServices", service())
    change = {"loadBalancingScheme": "EXTERNAL"}
    cloud.refused("PATCH", "global/backendServices/web", change)
    cloud.refused("PUT", "global/backendServices/web", {"name": "web"} | change)
    migrating = change | {"externalManagedMigrationState": "TEST_ALL_TRAFFIC"}
    cloud.compute("PATCH", "global/backendServices/web", migrating)


@pytest.mark.parametrize(
    "fields",
    [
        {"timeoutSec": 0},
        {"timeoutSec": -1},
        {"connectionDraining": {"drainingTimeoutSec": 3601}},
        {"connectionDraining": {"drainingTimeoutSec": -1}},
        {"affinityCookieTtlSec": 1_209_601},
        {"logConfig": {"enable": True, "sampleRate": 2}},
        {"logConfig": {"enable": True, "sampleRate": -0.1}},
        {"port": 65536},
        {"outlierDetection": {"maxEjectionPercent": 101}},
        {"outlierDetection": {"interval": {"seconds": "-1"}}},
        {"enableCDN": True, "cdnPolicy": {"serveWhileStale": 604_801}},
        {"enableCDN": True, "cdnPolicy": {"negativeCachingPolicy": [{"code": 404, "ttl": 1801}]}},
        {"customRequestHeaders": ["Host: a.example.com"]},
        {"customRequestHeaders": ["X-Google-Trace: 1"]},
        {"customRequestHeaders": ["x-goog-meta: 1"]},
        {"customRequestHeaders": ["no colon"]},
        {"customRequestHeaders": ["X-A: 1", "x-a: 2"]},
        {"customResponseHeaders": ["Connection: close"]},
        {"customResponseHeaders": ["bad name: 1"]},
    ],
)
def test_a_backend_service_out_of_bounds(cloud: Cloud, fields: Json) -> None:
    cloud.refused("POST", "global/backendServices", service(**fields))


def backed(*scalers: float, **fields: Any) -> Json:
    """A backend service over groups of these capacities."""
    groups = [
        {
            "group": f"zones/europe-west4-{zone}/instanceGroups/web",
            "capacityScaler": scaler,
            **fields,
        }
        for zone, scaler in zip("ab", scalers, strict=False)
    ]
    return service(backends=groups, healthChecks=["global/healthChecks/web"])


@pytest.fixture
def groups(cloud: Cloud) -> Cloud:
    """A cloud with two instance groups and a health check."""
    cloud.compute("POST", "global/healthChecks", {"name": "web", "type": "HTTP"})
    for zone in "ab":
        cloud.compute("POST", f"zones/europe-west4-{zone}/instanceGroups", {"name": "web"})
    return cloud


@pytest.mark.parametrize(
    ("scalers", "fields"),
    [
        ((2, 1), {}),
        ((0.05, 1), {}),
        ((-1, 1), {}),
        ((0,), {}),
        ((1, 1), {"maxUtilization": 1.5}),
        ((1, 1), {"balancingMode": "RATE", "maxRatePerInstance": -1}),
    ],
)
def test_a_backend_out_of_bounds(groups: Cloud, scalers: Any, fields: Json) -> None:
    error = groups.refused("POST", "global/backendServices", backed(*scalers, **fields))
    assert "resource.backends[0]." in error["message"]


def test_one_of_two_groups_may_be_drained(groups: Cloud) -> None:
    groups.compute("POST", "global/backendServices", backed(0, 0.1))
    groups.refused("PATCH", "global/backendServices/web", {"backends": backed(0)["backends"]})


@pytest.mark.parametrize(
    "fields",
    [
        {"checkIntervalSec": 0, "timeoutSec": 0},
        {"checkIntervalSec": 301},
        {"healthyThreshold": 0},
        {"unhealthyThreshold": 11},
        {"httpHealthCheck": {"port": 65536}},
    ],
)
def test_a_health_check_out_of_bounds(cloud: Cloud, fields: Json) -> None:
    cloud.refused("POST", "global/healthChecks", {"name": "web", "type": "HTTP"} | fields)


def test_a_firewall_of_a_priority_that_is_none(cloud: Cloud) -> None:
    rule = {"name": "web", "allowed": [{"IPProtocol": "tcp"}], "priority": 65536}
    cloud.refused("POST", "global/firewalls", rule)


def test_flow_logs_of_more_than_all_packets(cloud: Cloud) -> None:
    cloud.compute("POST", "global/networks", {"name": "vpc", "autoCreateSubnetworks": False})
    body = {"name": "nodes", "network": "global/networks/vpc", "ipCidrRange": "10.0.0.0/20"}
    logs = {"logConfig": {"enable": True, "flowSampling": 1.1}}
    cloud.refused("POST", "regions/europe-west4/subnetworks", body | logs)


def test_a_named_port_that_is_none(groups: Cloud) -> None:
    path = "zones/europe-west4-a/instanceGroups/web/setNamedPorts"
    groups.refused("POST", path, {"namedPorts": [{"name": "http", "port": 0}]})


def limiting(action: str, count: int = 100, seconds: int = 60) -> Json:
    """A rule that limits rates."""
    threshold = {"count": count, "intervalSec": seconds}
    ban = {"banDurationSec": 600} if action == "rate_based_ban" else {}
    options = {"conformAction": "allow", "exceedAction": "deny(429)", "enforceOnKey": "IP"}
    rates = {**options, "rateLimitThreshold": threshold, **ban}
    return {"priority": 1, "action": action, "match": MATCH, "rateLimitOptions": rates}


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (limiting("throttle", 1_000_001), "rateLimitThreshold.count"),
        (limiting("throttle", 0), "rateLimitThreshold.count"),
        (limiting("rate_based_ban", 10_001), "rateLimitThreshold.count"),
        (limiting("throttle", 100, 61), "rateLimitThreshold.intervalSec"),
    ],
)
def test_a_rate_that_cloud_armor_does_not_count(cloud: Cloud, rule: Json, field: str) -> None:
    cloud.compute("POST", "global/securityPolicies", {"name": "edge"})
    assert field in cloud.refused("POST", f"{POLICY}/addRule", rule)["message"]


def test_a_rule_that_bans_cannot_become_one_that_throttles(cloud: Cloud) -> None:
    cloud.compute("POST", "global/securityPolicies", {"name": "edge"})
    cloud.compute("POST", f"{POLICY}/addRule", limiting("throttle"))
    cloud.compute("POST", f"{POLICY}/patchRule?priority=1", limiting("rate_based_ban"))
    cloud.refused("POST", f"{POLICY}/patchRule?priority=1", limiting("throttle"))


@pytest.mark.parametrize("name", ["Host", "X-Google-Anything", "transfer-encoding", ""])
def test_a_header_action_that_no_load_balancer_takes(cloud: Cloud, name: str) -> None:
    cloud.compute("POST", "global/backendServices", service())
    routes = {
        "name": "routes",
        "defaultService": "global/backendServices/web",
        "headerAction": {"requestHeadersToAdd": [{"headerName": name, "headerValue": "1"}]},
    }
    cloud.refused("POST", "global/urlMaps", routes)


@pytest.mark.parametrize(
    "cidr", ["10.0.0.0/30", "10.0.0.0/32", "169.254.0.0/16", "169.254.10.0/24", "127.0.0.0/8"]
)
def test_a_subnetwork_in_a_range_that_google_does_not_take(cloud: Cloud, cidr: str) -> None:
    cloud.compute("POST", "global/networks", {"name": "vpc", "autoCreateSubnetworks": False})
    body = {"name": "nodes", "network": "global/networks/vpc", "ipCidrRange": cidr}
    cloud.refused("POST", "regions/europe-west4/subnetworks", body)
    wide: Json = body | {"ipCidrRange": "10.0.0.0/20"}
    wide["secondaryIpRanges"] = [{"rangeName": "pods", "ipCidrRange": cidr}]
    cloud.refused("POST", "regions/europe-west4/subnetworks", wide)


@pytest.mark.parametrize("ports", ["80-70", "65536", "0-70000", "http", "80-"])
def test_a_firewall_with_ports_that_are_none(cloud: Cloud, ports: str) -> None:
    allowed = [{"IPProtocol": "tcp", "ports": [ports]}]
    cloud.refused("POST", "global/firewalls", {"name": "web", "allowed": allowed})


def test_a_firewall_with_ports_of_a_protocol_without_ports(cloud: Cloud) -> None:
    allowed = [{"IPProtocol": "icmp", "ports": ["80"]}]
    cloud.refused("POST", "global/firewalls", {"name": "web", "allowed": allowed})


@pytest.mark.parametrize(
    "labels", [{"Team": "models"}, {"team": "Models"}, {"1team": "a"}, {"team": "a b"}]
)
def test_labels_in_a_form_that_google_does_not_take(cloud: Cloud, labels: Json) -> None:
    body = {"name": "ip", "labels": labels}
    cloud.refused("POST", "global/addresses", body)
    cloud.call("POST", "/storage/v1/b?project=p", {"name": "acme", "labels": labels}, status=400)
    topic = {"labels": labels}
    cloud.call("PUT", "/pubsub/v1/projects/p/topics/news", topic, status=400)


def test_labels_with_letters_of_any_language(cloud: Cloud) -> None:
    cloud.compute("POST", "global/addresses", {"name": "ip", "labels": {"équipe": "modèles_1"}})


@pytest.mark.parametrize("location", ["MARS", "europe-west99", "us-central1-a"])
def test_a_bucket_outside_of_googles_locations(cloud: Cloud, location: str) -> None:
    body = {"name": "acme", "location": location}
    error = cloud.call("POST", "/storage/v1/b?project=p", body, status=400)["error"]
    assert error["message"] == "The specified location constraint is not valid."


@pytest.mark.parametrize("location", ["EU", "eur4", "EUROPE-WEST4", "northamerica-south1"])
def test_a_bucket_in_googles_locations(cloud: Cloud, location: str) -> None:
    cloud.call("POST", "/storage/v1/b?project=p", {"name": "acme", "location": location})


def test_signed_url_keys_are_named_and_never_shown(cloud: Cloud) -> None:
    cloud.compute("POST", "global/backendBuckets", bucket())
    path = "global/backendBuckets/files"
    key = {"keyName": "first", "keyValue": "nZtRohdNF9m3cKM24IcK4w=="}
    cloud.compute("POST", f"{path}/addSignedUrlKey", key)
    cloud.refused("POST", f"{path}/addSignedUrlKey", key)
    cloud.refused("POST", f"{path}/addSignedUrlKey", {"keyName": "short", "keyValue": "abc"})
    shown = cloud.compute("GET", path)["cdnPolicy"]
    assert shown["signedUrlKeyNames"] == ["first"]
    assert key["keyValue"] not in str(shown)
    cloud.compute("POST", f"{path}/deleteSignedUrlKey?keyName=first")
    cloud.refused("POST", f"{path}/deleteSignedUrlKey?keyName=first")


def test_private_nat(cloud: Cloud) -> None:
    cloud.compute("POST", "global/networks", {"name": "vpc", "autoCreateSubnetworks": False})
    subnet = {"name": "nat", "network": "global/networks/vpc", "ipCidrRange": "10.9.0.0/24"}
    folder = "regions/europe-west4"
    cloud.compute("POST", f"{folder}/subnetworks", subnet | {"purpose": "PRIVATE_NAT"})
    source = {"sourceNatActiveRanges": [f"{folder}/subnetworks/nat"]}
    hub = "//networkconnectivity.googleapis.com/projects/p/locations/global/hubs/main"
    rule = {"ruleNumber": 100, "match": f"nexthop.hub == '{hub}'", "action": source}
    nat = {
        "name": "private",
        "type": "PRIVATE",
        "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
        "rules": [rule],
    }
    router = {"name": "r", "network": "global/networks/vpc", "nats": [nat]}
    cloud.compute("POST", f"{folder}/routers", router)
    shown = cloud.compute("GET", f"{folder}/routers/r")["nats"][0]
    assert shown["rules"] == [
        rule | {"action": {"sourceNatActiveRanges": [
            f"https://www.googleapis.com/compute/v1/projects/p/{folder}/subnetworks/nat"
        ]}}
    ]  # fmt: skip
    assert "natIpAllocateOption" not in shown
    assert (shown["minPortsPerVm"], shown["maxPortsPerVm"]) == (32, 65536)


def test_integers_of_64_bits_are_strings(cloud: Cloud) -> None:
    cloud.compute("POST", "global/backendBuckets", bucket(signedUrlCacheMaxAgeSec=3600))
    policy = cloud.compute("GET", "global/backendBuckets/files")["cdnPolicy"]
    assert policy["signedUrlCacheMaxAgeSec"] == "3600"


def test_flow_logs_are_turned_on_and_off_by_either_field(cloud: Cloud) -> None:
    cloud.compute("POST", "global/networks", {"name": "vpc", "autoCreateSubnetworks": False})
    body = {"name": "nodes", "network": "global/networks/vpc", "ipCidrRange": "10.0.0.0/20"}
    cloud.compute("POST", "regions/europe-west4/subnetworks", body)
    path = "regions/europe-west4/subnetworks/nodes"

    def patched(**fields: Any) -> tuple[bool, bool]:
        fingerprint = cloud.compute("GET", path)["fingerprint"]
        cloud.compute("PATCH", path, {"fingerprint": fingerprint, **fields})
        shown = cloud.compute("GET", path)
        return shown["enableFlowLogs"], shown["logConfig"]["enable"]

    assert patched(logConfig={"enable": True, "flowSampling": 0.1}) == (True, True)
    assert patched(description="nodes") == (True, True)
    assert patched(logConfig={"enable": False}) == (False, False)
    assert patched(enableFlowLogs=True) == (True, True)
    assert patched(enableFlowLogs=False) == (False, False)


def test_a_new_subnetwork_says_that_flow_logs_are_off(cloud: Cloud) -> None:
    cloud.compute("POST", "global/networks", {"name": "vpc", "autoCreateSubnetworks": False})
    body = {"name": "nodes", "network": "global/networks/vpc", "ipCidrRange": "10.0.0.0/20"}
    cloud.compute("POST", "regions/europe-west4/subnetworks", body)
    shown = cloud.compute("GET", "regions/europe-west4/subnetworks/nodes")
    assert (shown["enableFlowLogs"], shown["allowSubnetCidrRoutesOverlap"]) == (False, False)
