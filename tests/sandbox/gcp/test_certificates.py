"""Classic certificates, Certificate Manager, target proxies and Cloud DNS."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pairs import pair
from tests.sandbox.gcp.emulated_cloud import Cloud

MANAGER = "/certificatemanager/v1/projects/p/locations/global"
MAP = "//certificatemanager.googleapis.com/projects/p/locations/global/certificateMaps/map"
ZONES = "/dns/v1/projects/p/managedZones"
DOMAIN = "models.acme.example"


@pytest.fixture
def chain(cloud: Cloud) -> Cloud:
    """A URL map, an address, a DNS zone."""
    cloud.compute("POST", "global/healthChecks", {"name": "health", "type": "HTTP"})
    service = {
        "name": "service",
        "loadBalancingScheme": "EXTERNAL_MANAGED",
        "healthChecks": ["global/healthChecks/health"],
    }
    cloud.compute("POST", "global/backendServices", service)
    url_map = {"name": "routes", "defaultService": "global/backendServices/service"}
    cloud.compute("POST", "global/urlMaps", url_map)
    cloud.compute("POST", "global/addresses", {"name": "front"})
    cloud.call(
        "POST", ZONES, {"name": "acme", "dnsName": "acme.example.", "description": "of the tests"}
    )
    return cloud


def certificate(cloud: Cloud, name: str, *domains: str) -> dict[str, Any]:
    body = {"name": name, "type": "MANAGED", "managed": {"domains": list(domains)}}
    cloud.compute("POST", "global/sslCertificates", body)
    return classic(cloud, name)


def classic(cloud: Cloud, name: str) -> dict[str, Any]:
    managed: dict[str, Any] = cloud.compute("GET", f"global/sslCertificates/{name}")["managed"]
    return managed


def serve(cloud: Cloud, **proxy: Any) -> None:
    """An HTTPS proxy and its forwarding rule."""
    body = {"name": "tls", "urlMap": "global/urlMaps/routes", **proxy}
    cloud.compute("POST", "global/targetHttpsProxies", body)
    rule = {
        "name": "rule",
        "IPAddress": "global/addresses/front",
        "loadBalancingScheme": "EXTERNAL_MANAGED",
        "portRange": "443",
        "target": "global/targetHttpsProxies/tls",
    }
    cloud.compute("POST", "global/forwardingRules", rule)


def record(cloud: Cloud, name: str, kind: str, *data: str, status: int = 200) -> Any:
    added = {"name": name, "type": kind, "ttl": 300, "rrdatas": list(data)}
    return cloud.call("POST", f"{ZONES}/acme/changes", {"additions": [added]}, status=status)


def address(cloud: Cloud) -> str:
    return str(cloud.compute("GET", "global/addresses/front")["address"])


def manager(cloud: Cloud, collection: str, name: str, **body: Any) -> str:
    """Create a resource of Certificate Manager; its name."""
    kind = {
        "certificates": "certificateId",
        "certificateMaps": "certificateMapId",
        "certificateMaps/map/certificateMapEntries": "certificateMapEntryId",
        "dnsAuthorizations": "dnsAuthorizationId",
    }[collection]
    operation = cloud.call("POST", f"{MANAGER}/{collection}?{kind}={name}", body)
    done = cloud.call("GET", f"/certificatemanager/v1/{operation['name']}")
    assert done["done"]
    return str(done["response"]["name"])


def test_a_managed_certificate_is_active_once_its_domains_resolve_to_it(chain: Cloud) -> None:
    assert certificate(chain, "cert", DOMAIN, "b.acme.example")["status"] == "PROVISIONING"
    serve(chain, sslCertificates=["global/sslCertificates/cert"])
    assert classic(chain, "cert")["domainStatus"][DOMAIN] == "FAILED_NOT_VISIBLE"
    record(chain, f"{DOMAIN}.", "A", address(chain))
    found = classic(chain, "cert")
    assert found["status"] == "PROVISIONING"
    assert found["domainStatus"] == {DOMAIN: "ACTIVE", "b.acme.example": "FAILED_NOT_VISIBLE"}
    record(chain, "b.acme.example.", "CNAME", f"{DOMAIN}.")
    assert classic(chain, "cert")["status"] == "ACTIVE"


def test_issuing_takes_its_time_once_the_domains_are_proven(chain: Cloud) -> None:
    chain.app.state.issuance = 600
    certificate(chain, "cert", DOMAIN)
    serve(chain, sslCertificates=["global/sslCertificates/cert"])
    proof = manager(chain, "dnsAuthorizations", "models", domain=DOMAIN)
    managed = {"domains": [DOMAIN], "dnsAuthorizations": [proof]}
    name = f"/certificatemanager/v1/{manager(chain, 'certificates', 'm', managed=managed)}"
    wanted = chain.call("GET", f"/certificatemanager/v1/{proof}")["dnsResourceRecord"]
    record(chain, f"{DOMAIN}.", "A", address(chain))
    record(chain, wanted["name"], wanted["type"], wanted["data"])
    assert classic(chain, "cert")["domainStatus"] == {DOMAIN: "PROVISIONING"}
    assert "expireTime" not in chain.compute("GET", "global/sslCertificates/cert")
    shown = chain.call("GET", name)["managed"]
    assert (shown["state"], shown["authorizationAttemptInfo"][0]["state"]) == (
        "PROVISIONING",
        "AUTHORIZED",
    )
    assert "provisioningIssue" not in shown
    chain.call("PUT", "/sandbox/v1/certificates", {"seconds": 0})
    assert classic(chain, "cert")["status"] == "ACTIVE"
    assert chain.compute("GET", "global/sslCertificates/cert")["expireTime"]
    assert chain.call("GET", name)["managed"]["state"] == "ACTIVE"


def test_a_certificate_in_use_cannot_be_deleted_and_a_proxy_needs_one(chain: Cloud) -> None:
    certificate(chain, "old", DOMAIN)
    serve(chain, sslCertificates=["global/sslCertificates/old"])
    error = chain.refused("DELETE", "global/sslCertificates/old")
    assert error["reason"] == "resourceInUseByAnotherResource"
    path = "targetHttpsProxies/tls/setSslCertificates"
    assert "At least 1" in chain.refused("POST", path, {"sslCertificates": []})["message"]
    certificate(chain, "new", DOMAIN)
    chain.compute("POST", path, {"sslCertificates": ["global/sslCertificates/new"]})
    chain.compute("DELETE", "global/sslCertificates/old")


@pytest.mark.parametrize(
    "domains", [["*.acme.example"], ["not a domain"], [f"m{n}.acme.example" for n in range(101)]]
)
def test_a_classic_certificate_refuses_invalid_domains(cloud: Cloud, domains: list[str]) -> None:
    body = {"name": "cert", "type": "MANAGED", "managed": {"domains": domains}}
    assert "domain" in cloud.refused("POST", "global/sslCertificates", body)["message"]


def test_a_private_key_matches_its_certificate_and_is_never_shown(cloud: Cloud) -> None:
    (mine, key), (_, other) = pair(DOMAIN), pair(DOMAIN)
    body = {"name": "own", "certificate": mine, "privateKey": other}
    assert "match" in cloud.refused("POST", "global/sslCertificates", body)["message"]
    bad = {**body, "certificate": "nonsense", "privateKey": key}
    reason = cloud.refused("POST", "global/sslCertificates", bad)["reason"]
    assert reason == "sslCertificateCouldNotParseCert"
    cloud.compute("POST", "global/sslCertificates", {**body, "privateKey": key})
    found = cloud.compute("GET", "global/sslCertificates/own")
    assert found["expireTime"].startswith("2035-12-30")
    assert found["subjectAlternativeNames"] == [DOMAIN]
    assert key not in str(found)
    name = manager(
        cloud, "certificates", "own", selfManaged={"pemCertificate": mine, "pemPrivateKey": key}
    )
    shown = cloud.call("GET", f"/certificatemanager/v1/{name}")
    assert shown["sanDnsnames"] == [DOMAIN]
    assert key not in str(shown)


def test_a_self_managed_certificate_can_be_described(cloud: Cloud) -> None:
    mine, key = pair("models.acme.example")
    manager(
        cloud, "certificates", "own", selfManaged={"pemCertificate": mine, "pemPrivateKey": key}
    )
    path = "/certificatemanager/v1/projects/p/locations/global/certificates/own"
    cloud.call("PATCH", f"{path}?updateMask=description", {"description": "by hand"})
    shown = cloud.call("GET", path)
    assert (shown["description"], shown["pemCertificate"]) == ("by hand", mine)


def test_a_dns_authorization_proves_a_domain_before_anything_serves_it(chain: Cloud) -> None:
    proof = manager(chain, "dnsAuthorizations", "models", domain=DOMAIN)
    wanted = chain.call("GET", f"/certificatemanager/v1/{proof}")["dnsResourceRecord"]
    assert wanted["name"] == f"_acme-challenge.{DOMAIN}."
    managed = {"domains": [DOMAIN, f"*.{DOMAIN}"], "dnsAuthorizations": [proof]}
    name = manager(chain, "certificates", "models", managed=managed)
    before = chain.call("GET", f"/certificatemanager/v1/{name}")["managed"]
    assert before["state"] == "PROVISIONING"
    assert before["provisioningIssue"]["reason"] == "AUTHORIZATION_ISSUE"
    record(chain, wanted["name"], wanted["type"], wanted["data"])
    after = chain.call("GET", f"/certificatemanager/v1/{name}")["managed"]
    assert after["state"] == "ACTIVE"
    assert {one["state"] for one in after["authorizationAttemptInfo"]} == {"AUTHORIZED"}


def test_without_a_dns_authorization_the_load_balancer_must_answer(chain: Cloud) -> None:
    name = manager(chain, "certificates", "models", managed={"domains": [DOMAIN]})
    manager(chain, "certificateMaps", "map")
    entry = {"hostname": DOMAIN, "certificates": [name]}
    manager(chain, "certificateMaps/map/certificateMapEntries", "models", **entry)
    serve(chain, certificateMap=MAP)
    assert chain.call("GET", f"/certificatemanager/v1/{name}")["managed"]["state"] == "PROVISIONING"
    record(chain, f"{DOMAIN}.", "A", address(chain))
    assert chain.call("GET", f"/certificatemanager/v1/{name}")["managed"]["state"] == "ACTIVE"


def test_invalid_certificates_and_entries_are_refused(chain: Cloud) -> None:
    where = f"{MANAGER}/certificates?certificateId=models"
    wild = {"managed": {"domains": [f"*.{DOMAIN}"]}}
    assert "DNS authorization" in chain.call("POST", where, wild, status=400)["error"]["message"]
    absent = f"{MANAGER.removeprefix('/certificatemanager/v1/')}/dnsAuthorizations/absent"
    lost = {"managed": {"domains": [DOMAIN], "dnsAuthorizations": [absent]}}
    assert chain.call("POST", where, lost, status=404)["error"]["status"] == "NOT_FOUND"
    many = {"managed": {"domains": [f"m{n}.acme.example" for n in range(101)]}}
    chain.call("POST", where, many, status=400)
    chain.call("POST", where, {}, status=400)
    name = manager(chain, "certificates", "models", managed={"domains": [DOMAIN]})
    chain.call("POST", where, {"managed": {"domains": [DOMAIN]}}, status=409)
    change = {"managed": {"domains": ["other.acme.example"]}}
    path = f"/certificatemanager/v1/{name}"
    chain.call("PATCH", f"{path}?updateMask=managed", change, status=400)
    chain.call("PATCH", path, {"description": "why"}, status=400)
    chain.call("PATCH", f"{path}?updateMask=description", {"description": "why"})
    assert chain.call("GET", path)["description"] == "why"


def test_a_map_and_its_parts_cannot_be_deleted_while_in_use(chain: Cloud) -> None:
    proof = manager(chain, "dnsAuthorizations", "models", domain=DOMAIN)
    managed = {"domains": [DOMAIN], "dnsAuthorizations": [proof]}
    name = manager(chain, "certificates", "models", managed=managed)
    map_name = manager(chain, "certificateMaps", "map")
    entries = "certificateMaps/map/certificateMapEntries"
    entry = manager(chain, entries, "models", hostname=DOMAIN, certificates=[name])
    twice = {"hostname": DOMAIN, "certificates": [name]}
    where = f"{MANAGER}/{entries}?certificateMapEntryId=other"
    chain.call("POST", where, twice, status=409)
    chain.call("POST", where, {"certificates": [name]}, status=400)
    chain.refused(
        "POST",
        "global/targetHttpsProxies",
        {"name": "no", "urlMap": "global/urlMaps/routes", "certificateMap": f"{MAP}s"},
        status=404,
    )
    serve(chain, certificateMap=MAP)
    for held in (proof, name, map_name):
        error = chain.call("DELETE", f"/certificatemanager/v1/{held}", status=400)["error"]
        assert error["status"] == "FAILED_PRECONDITION"
    shown = chain.call("GET", f"/certificatemanager/v1/{map_name}")
    assert shown["gclbTargets"][0]["targetHttpsProxy"].endswith("/targetHttpsProxies/tls")
    chain.compute("DELETE", "global/forwardingRules/rule")
    chain.compute("DELETE", "global/targetHttpsProxies/tls")
    for free in (entry, map_name, name, proof):
        chain.call("DELETE", f"/certificatemanager/v1/{free}")
        chain.call("GET", f"/certificatemanager/v1/{free}", status=404)


def test_a_regional_proxy_names_regional_certificates(cloud: Cloud) -> None:
    region = "regions/europe-west4"
    folder = "projects/p/locations/europe-west4/certificates"
    mine, key = pair(DOMAIN)
    body = {"selfManaged": {"pemCertificate": mine, "pemPrivateKey": key}}
    cloud.call("POST", f"/certificatemanager/v1/{folder}?certificateId=llm", body)
    service = {"name": "service", "loadBalancingScheme": "EXTERNAL_MANAGED"}
    cloud.compute("POST", f"{region}/backendServices", service)
    url_map = {"name": "routes", "defaultService": f"{region}/backendServices/service"}
    cloud.compute("POST", f"{region}/urlMaps", url_map)
    link = f"//certificatemanager.googleapis.com/{folder}/llm"
    proxy = {"name": "tls", "urlMap": f"{region}/urlMaps/routes", "sslCertificates": [link]}
    wrong = proxy | {"sslCertificates": [f"{link}-missing"]}
    cloud.refused("POST", f"{region}/targetHttpsProxies", wrong, status=404)
    cloud.compute("POST", f"{region}/targetHttpsProxies", proxy)
    held = f"/certificatemanager/v1/{folder}/llm"
    assert cloud.call("DELETE", held, status=400)["error"]["status"] == "FAILED_PRECONDITION"
    cloud.compute("DELETE", f"{region}/targetHttpsProxies/tls")
    cloud.call("DELETE", held)


def test_a_change_is_atomic(chain: Cloud) -> None:
    record(chain, f"{DOMAIN}.", "A", "192.0.2.1")
    assert record(chain, f"{DOMAIN}.", "A", "192.0.2.2", status=409)["error"]["errors"][0][
        "reason"
    ] == ("alreadyExists")
    for kind, data in (("A", "no address"), ("CNAME", "other.example."), ("NOPE", "x")):
        record(chain, f"{DOMAIN}.", kind, data, status=400)
    record(chain, "models.other.example.", "A", "192.0.2.1", status=400)
    old = {"name": f"{DOMAIN}.", "type": "A", "ttl": 300, "rrdatas": ["192.0.2.1"]}
    new = {**old, "rrdatas": ["192.0.2.2"]}
    bad = {"deletions": [old], "additions": [{**new, "rrdatas": ["x"]}]}
    chain.call("POST", f"{ZONES}/acme/changes", bad, status=400)
    stale = {"deletions": [{**old, "ttl": 1}], "additions": [new]}
    chain.call("POST", f"{ZONES}/acme/changes", stale, status=412)
    chain.call("POST", f"{ZONES}/acme/changes", {"deletions": [old], "additions": [new]})
    found = chain.call("GET", f"{ZONES}/acme/rrsets?name={DOMAIN}.&type=A")["rrsets"]
    assert [one["rrdatas"] for one in found] == [["192.0.2.2"]]


def test_a_zone_that_holds_records_is_not_deleted(chain: Cloud) -> None:
    record(chain, f"{DOMAIN}.", "A", "192.0.2.1")
    error = chain.call("DELETE", f"{ZONES}/acme", status=400)["error"]
    assert error["errors"][0]["reason"] == "containerNotEmpty"
    old = {"name": f"{DOMAIN}.", "type": "A", "ttl": 300, "rrdatas": ["192.0.2.1"]}
    chain.call("POST", f"{ZONES}/acme/changes", {"deletions": [old]})
    assert chain.request("DELETE", f"{ZONES}/acme").status_code == 204
    chain.call("GET", f"{ZONES}/acme", status=404)


def test_tls_1_3_alone_needs_the_restricted_profile(cloud: Cloud) -> None:
    body = {"name": "tls", "minTlsVersion": "TLS_1_3", "profile": "MODERN"}
    assert "RESTRICTED" in cloud.refused("POST", "global/sslPolicies", body)["message"]
    cloud.compute("POST", "global/sslPolicies", {**body, "profile": "RESTRICTED"})
