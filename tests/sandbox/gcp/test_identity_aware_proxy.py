"""Identity-Aware Proxy: IAM policies of backend services."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.gcp.emulated_cloud import Cloud

FOLDER = "/iap/v1/projects/p/iap_web/compute/services"
ROLE = "roles/iap.httpsResourceAccessor"
POLICY = {"bindings": [{"role": ROLE, "members": ["group:vision@acme.example"]}]}


@pytest.fixture
def service(cloud: Cloud) -> dict[str, Any]:
    made(cloud, iap={"enabled": True})
    return dict(cloud.compute("GET", "global/backendServices/one"))


def made(cloud: Cloud, **more: Any) -> None:
    body = {"name": "one", "loadBalancingScheme": "EXTERNAL_MANAGED", **more}
    cloud.compute("POST", "global/backendServices", body)


def test_a_policy_is_found_by_name_and_by_number(cloud: Cloud, service: dict[str, Any]) -> None:
    cloud.call("POST", f"{FOLDER}/one:setIamPolicy", {"policy": POLICY})
    for name in ("one", service["id"]):
        found = cloud.call("POST", f"{FOLDER}/{name}:getIamPolicy", {})
        assert found["bindings"] == POLICY["bindings"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{FOLDER}/two:getIamPolicy", 404),
        ("/iap/v1/projects/p/elsewhere:getIamPolicy", 400),
        (f"{FOLDER}/one:iapSettings", 405),
    ],
)
def test_a_missing_backend_service_has_no_policy(
    cloud: Cloud, service: dict[str, Any], path: str, status: int
) -> None:
    assert service
    cloud.call("POST", path, {}, status=status)


def test_a_stale_etag_changes_nothing(cloud: Cloud, service: dict[str, Any]) -> None:
    assert service
    old = cloud.call("POST", f"{FOLDER}/one:setIamPolicy", {"policy": POLICY})
    cloud.call("POST", f"{FOLDER}/one:setIamPolicy", {"policy": {"bindings": []}})
    stale = {"policy": {**POLICY, "etag": old["etag"]}}
    cloud.call("POST", f"{FOLDER}/one:setIamPolicy", stale, status=409)


def test_a_policy_is_deleted_with_its_backend_service(
    cloud: Cloud, service: dict[str, Any]
) -> None:
    assert service
    cloud.call("POST", f"{FOLDER}/one:setIamPolicy", {"policy": POLICY})
    cloud.compute("DELETE", "global/backendServices/one")
    cloud.call("POST", f"{FOLDER}/one:getIamPolicy", {}, status=404)
    made(cloud)
    assert "bindings" not in cloud.call("POST", f"{FOLDER}/one:getIamPolicy", {})


def test_an_update_without_iap_leaves_it_on(cloud: Cloud, service: dict[str, Any]) -> None:
    assert service["iap"]["enabled"] is True
    body = {"name": "one", "loadBalancingScheme": "EXTERNAL_MANAGED", "timeoutSec": 60}
    url = "global/backendServices/one"
    cloud.compute("PUT", url, body | {"fingerprint": service["fingerprint"]})
    found = cloud.compute("GET", url)
    assert (found["timeoutSec"], found["iap"]["enabled"]) == (60, True)
    off = body | {"fingerprint": found["fingerprint"], "iap": {"enabled": False}}
    cloud.compute("PUT", url, off)
    assert cloud.compute("GET", url)["iap"]["enabled"] is False
