"""What all services share: routes, tokens, errors, operations, state, faults."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sandbox.gcp import coverage, documents_update
from tests.sandbox.gcp.emulated_cloud import TOKEN, Cloud

NETWORK = {"name": "main", "autoCreateSubnetworks": False}
ROOT = Path(__file__).resolve().parents[3]


def test_a_request_without_a_token_is_refused(cloud: Cloud) -> None:
    answer = cloud.request("GET", "/compute/v1/projects/p/global/networks", headers={})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == 401


def test_a_method_that_is_not_emulated_is_named(cloud: Cloud) -> None:
    answer = cloud.request("GET", "/compute/v1/projects/p/global/networks/n/getEffectiveFirewalls")
    assert answer.status_code == 501
    message = answer.json()["error"]["message"]
    assert "sandbox does not emulate" in message
    assert "compute.networks.getEffectiveFirewalls" in message


@pytest.mark.parametrize(
    "url",
    [
        "/compute/v1/projects/p/global/unicorns",
        "/unicorns/v1/projects/p",
        "/projects/p/global/networks",
        "/v1/projects/p/locations/global/certificates",
        "/",
        "/upload/compute/v1/projects/p/global/networks",
        "https://run.googleapis.com/v2/projects/p/locations/l/services",
    ],
)
def test_a_path_of_no_service_is_named(cloud: Cloud, url: str) -> None:
    answer = cloud.request("GET", url)
    assert answer.status_code == 501
    assert f"sandbox does not emulate GET {url}" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "url",
    [
        "/compute/v1/projects/p/global/networks",
        "https://compute.googleapis.com/compute/v1/projects/p/global/networks",
        "/compute/beta/projects/p/global/networks",
    ],
)
def test_a_service_is_found_by_host_and_by_path(cloud: Cloud, url: str) -> None:
    cloud.compute("POST", "global/networks", NETWORK)
    assert [n["name"] for n in cloud.call("GET", url)["items"] if n["name"] != "default"] == [
        "main"
    ]


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"name": "n", "autoCreateSubnetworks": "perhaps"}, "autoCreateSubnetworks"),
        ({"name": "n", "mtu": "wide"}, "mtu"),
        ({"name": "n", "routingConfig": {"routingMode": "SIDEWAYS"}}, "routingMode"),
        ({"name": "Not_A_Name"}, "resource.name"),
        ({}, "resource.name"),
    ],
)
def test_a_body_that_the_schema_does_not_allow_is_refused(
    cloud: Cloud, body: dict[str, object], part: str
) -> None:
    assert part in cloud.refused("POST", "global/networks", body)["message"]
    assert cloud.request("GET", "/compute/v1/projects/p/global/networks/n").status_code == 404


def test_a_name_is_taken_once_and_found_under_it(cloud: Cloud) -> None:
    absent = cloud.refused("GET", "global/networks/main", status=404)
    assert absent["reason"] == "notFound"
    assert absent["message"] == "The resource 'projects/p/global/networks/main' was not found"
    cloud.compute("POST", "global/networks", NETWORK)
    assert (
        cloud.refused("POST", "global/networks", NETWORK, status=409)["reason"] == "alreadyExists"
    )
    network = cloud.compute("GET", "global/networks/main")
    assert network["selfLink"].endswith("/compute/v1/projects/p/global/networks/main")
    assert int(network["id"]) > 0


def test_projects_are_isolated(cloud: Cloud) -> None:
    cloud.compute("POST", "global/networks", NETWORK)
    assert cloud.request("GET", "/compute/v1/projects/q/global/networks/main").status_code == 404


def test_an_operation_takes_the_configured_latency(cloud: Cloud) -> None:
    cloud.call("PUT", "/sandbox/v1/latency", {"seconds": 3600})
    operation = cloud.compute("POST", "global/networks", NETWORK | {"name": "slow"})
    assert (operation["status"], operation["operationType"]) == ("RUNNING", "insert")
    assert cloud.compute("GET", f"global/operations/{operation['name']}")["status"] == "RUNNING"
    cloud.call("PUT", "/sandbox/v1/latency", {"seconds": 0.2})
    started = time.monotonic()
    operation = cloud.compute("POST", "global/networks", NETWORK)
    done = cloud.compute("POST", f"global/operations/{operation['name']}/wait")
    assert (done["status"], done["progress"]) == ("DONE", 100)
    assert time.monotonic() - started >= 0.2


def test_a_fault_is_injected_the_requested_number_of_times(cloud: Cloud) -> None:
    fault = {"method": "GET", "path": "networks$", "status": 503, "times": 2}
    cloud.call("POST", "/sandbox/v1/faults", fault)
    statuses = [
        cloud.request("GET", "/compute/v1/projects/p/global/networks").status_code for _ in range(3)
    ]
    assert statuses == [503, 503, 200]
    seen = cloud.call("GET", "/sandbox/v1/requests")["requests"]
    assert [r["status"] for r in seen if r["path"].endswith("networks")] == [503, 503, 200]


def test_state_survives_the_process(tmp_path: Path) -> None:
    # No close: what was answered must be in the file even if the process is killed.
    first = Cloud(tmp_path / "state.sqlite")
    first.compute("POST", "global/networks", NETWORK)
    before = first.compute("GET", "global/networks/main")
    second = Cloud(tmp_path / "state.sqlite")
    assert second.compute("GET", "global/networks/main") == before
    first.close()
    second.close()


def test_lists_are_paged_and_filtered(cloud: Cloud) -> None:
    for name in ("a", "b", "c"):
        cloud.compute("POST", "global/networks", NETWORK | {"name": name})
    page = cloud.compute("GET", "global/networks?maxResults=2")
    rest = cloud.compute("GET", f"global/networks?maxResults=2&pageToken={page['nextPageToken']}")
    names = [n["name"] for n in page["items"] + rest["items"]]
    assert names == sorted(names)
    assert set(names) >= {"a", "b", "c"}
    found = cloud.compute("GET", "global/networks?filter=name%3Db")
    assert [n["name"] for n in found["items"]] == ["b"]


def test_requests_are_fast(cloud: Cloud) -> None:
    cloud.compute("POST", "global/networks", NETWORK)
    url = "/compute/v1/projects/p/global/networks/main"
    quickest = min(cloud.request("GET", url).elapsed.total_seconds() for _ in range(20))
    assert quickest < 0.1  # far above what it takes; a scan of everything would be above it


def test_the_documents_are_those_of_the_library() -> None:
    pytest.importorskip("googleapiclient")
    for path, text in documents_update.render().items():
        assert (ROOT / path).read_text() == text, f"{path} is stale: run documents_update"


def test_the_coverage_page_is_fresh() -> None:
    for path, text in coverage.render().items():
        assert (ROOT / path).read_text() == text, f"{path} is stale: ./platformctl generate"


def test_an_unknown_control_path_is_not_found(cloud: Cloud) -> None:
    assert cloud.request("GET", "/sandbox/v1/nothing", headers=TOKEN).status_code == 404
    assert cloud.call("GET", "/sandbox/v1/health") == {"status": "ok"}
