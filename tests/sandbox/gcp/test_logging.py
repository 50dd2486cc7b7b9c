"""Cloud Logging: buckets, sinks, exclusions, and the query language of their filters."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.gcp.services.logging import filters
from tests.sandbox.gcp.emulated_cloud import Cloud

PROJECT = "projects/acme-dev-1"
API = f"/logging/v2/{PROJECT}"
BUCKETS = f"{API}/locations/europe-west4/buckets"
BUCKET = f"{BUCKETS}/callers"
DESTINATION = f"logging.googleapis.com/{PROJECT}/locations/europe-west4/buckets/callers"
AUDIT = 'jsonPayload.audit="callers"'


@pytest.fixture
def bucket(cloud: Cloud) -> Cloud:
    cloud.call("POST", f"{BUCKETS}?bucketId=callers", {"retentionDays": 400})
    return cloud


def message(cloud: Cloud, verb: str, url: str, body: Any = None, *, status: int = 400) -> str:
    found: str = cloud.call(verb, url, body, status=status)["error"]["message"]
    return found


def test_a_bucket_is_made_by_an_operation(cloud: Cloud) -> None:
    started = cloud.call("POST", f"{BUCKETS}:createAsync?bucketId=callers", {})
    done = cloud.call("GET", f"/logging/v2/{started['name']}")
    assert done["done"]
    made = cloud.call("GET", BUCKET)
    assert made["name"] == f"{PROJECT}/locations/europe-west4/buckets/callers"
    assert (made["retentionDays"], made["lifecycleState"]) == (30, "ACTIVE")
    assert cloud.call("GET", BUCKETS)["buckets"] == [made]


@pytest.mark.parametrize("days", [-1, 3651])
def test_retention_has_bounds(cloud: Cloud, days: int) -> None:
    assert "between 1 and 3650" in message(
        cloud, "POST", f"{BUCKETS}?bucketId=callers", {"retentionDays": days}
    )


def test_an_unknown_location_is_refused(cloud: Cloud) -> None:
    url = f"{API}/locations/atlantis/buckets?bucketId=callers"
    assert "atlantis" in message(cloud, "POST", url, {})


def test_a_deleted_bucket_keeps_its_name_and_can_come_back(bucket: Cloud) -> None:
    bucket.call("DELETE", BUCKET)
    assert bucket.call("GET", BUCKET)["lifecycleState"] == "DELETE_REQUESTED"
    change = f"{BUCKET}?updateMask=retentionDays"
    assert "ACTIVE state" in message(bucket, "PATCH", change, {"retentionDays": 30})
    message(bucket, "POST", f"{BUCKETS}?bucketId=callers", {}, status=409)
    bucket.call("POST", f"{BUCKET}:undelete", {})
    bucket.call("PATCH", change, {"retentionDays": 30})
    assert bucket.call("GET", BUCKET)["retentionDays"] == 30


def test_a_locked_bucket_keeps_its_retention(bucket: Cloud) -> None:
    bucket.call("PATCH", f"{BUCKET}?updateMask=locked", {"locked": True})
    for mask, body in (("retentionDays", {"retentionDays": 500}), ("locked", {"locked": False})):
        assert "is locked" in message(bucket, "PATCH", f"{BUCKET}?updateMask={mask}", body)
    assert "is locked" in message(bucket, "DELETE", BUCKET)
    assert bucket.call("GET", BUCKET)["lifecycleState"] == "ACTIVE"


@pytest.mark.parametrize("name", ["_Default", "_Required"])
def test_the_buckets_and_sinks_of_every_project_stay(cloud: Cloud, name: str) -> None:
    own = f"{API}/locations/global/buckets/{name}"
    assert cloud.call("GET", own)["retentionDays"] == {"_Default": 30, "_Required": 400}[name]
    assert name in message(cloud, "DELETE", own)
    assert cloud.call("GET", f"{API}/sinks/{name}")["destination"].endswith(f"/{name}")
    assert name in message(cloud, "DELETE", f"{API}/sinks/{name}")


def test_a_sink_to_a_bucket_of_its_project_needs_no_identity(bucket: Cloud) -> None:
    wanted = {"name": "callers", "destination": DESTINATION, "filter": AUDIT}
    made = bucket.call("POST", f"{API}/sinks?uniqueWriterIdentity=true", wanted)
    assert "writerIdentity" not in made
    assert made["resourceName"] == f"{PROJECT}/sinks/callers"
    other = {**wanted, "name": "other", "destination": DESTINATION.replace("acme-dev-1", "acme-2")}
    made = bucket.call("POST", f"{API}/sinks?uniqueWriterIdentity=true", other)
    assert made["writerIdentity"].endswith("@gcp-sa-logging.iam.gserviceaccount.com")
    assert "in the project" in message(bucket, "POST", f"{API}/sinks", {**other, "name": "third"})


def test_an_identity_is_not_taken_away(bucket: Cloud) -> None:
    wanted = {"name": "callers", "destination": DESTINATION}
    bucket.call("POST", f"{API}/sinks?uniqueWriterIdentity=true", wanted)
    change = f"{API}/sinks/callers?updateMask=filter"
    assert "taken away" in message(bucket, "PATCH", change, {"filter": AUDIT})
    bucket.call("PATCH", f"{change}&uniqueWriterIdentity=true", {"filter": AUDIT})
    assert bucket.call("GET", f"{API}/sinks/callers")["filter"] == AUDIT


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"destination": DESTINATION, "filter": "a="}, 400),
        ({"destination": "somewhere"}, 400),
        ({"destination": "storage.googleapis.com/lines"}, 501),
        ({"destination": DESTINATION, "name": "with space"}, 400),
    ],
)
def test_sinks_that_route_nowhere_are_refused(
    cloud: Cloud, wanted: dict[str, Any], status: int
) -> None:
    cloud.call("POST", f"{API}/sinks", {"name": "callers", **wanted}, status=status)


def test_exclusions_are_those_of_the_default_sink(cloud: Cloud) -> None:
    made = cloud.call("POST", f"{API}/exclusions", {"name": "callers", "filter": AUDIT})
    assert cloud.call("GET", f"{API}/sinks/_Default")["exclusions"] == [made]
    cloud.call("PATCH", f"{API}/exclusions/callers?updateMask=filter", {"filter": "x=1"})
    assert cloud.call("GET", f"{API}/exclusions/callers")["filter"] == "x=1"
    cloud.call("DELETE", f"{API}/exclusions/callers")
    assert "exclusions" not in cloud.call("GET", f"{API}/sinks/_Default")


def test_exclusions_are_at_most_ten(cloud: Cloud) -> None:
    for number in range(10):
        cloud.call("POST", f"{API}/exclusions", {"name": f"e{number}", "filter": AUDIT})
    assert "at most 10" in message(
        cloud, "POST", f"{API}/exclusions", {"name": "e10", "filter": AUDIT}
    )


ENTRY = {
    "resource": {"type": "k8s_container", "labels": {"container_name": "envoy"}},
    "jsonPayload": {"audit": "callers", "status": 429},
    "labels": {"k8s-pod/app": "chat"},
}


@pytest.mark.parametrize(
    ("text", "selects"),
    [
        ("", True),
        ('resource.type="k8s_container" jsonPayload.audit="CALLERS"', True),
        ('resource.labels.container_name=("nginx" OR "envoy")', True),
        ("jsonPayload.status>=400 AND jsonPayload.status<429", False),
        ("jsonPayload.status=200 OR jsonPayload.status=429 AND jsonPayload.audit=other", False),
        ("NOT jsonPayload.audit=callers", False),
        ("-jsonPayload.audit=other", True),
        ('labels."k8s-pod/app"=chat', True),
        ('jsonPayload.audit=~"^call"', True),
        ("jsonPayload.missing:*", False),
        ("(jsonPayload.audit:*) -- a comment", True),
        ("sample(insertId, 0.5) jsonPayload.audit=callers", True),
    ],
)
def test_a_filter_selects_entries(text: str, selects: bool) -> None:
    assert filters.parse(text)(ENTRY) is selects


@pytest.mark.parametrize(
    "text", ["a=", "=b", "(a=b", "a=b)", "a=(b OR )", "AND", "a=~'('", "a ; b"]
)
def test_an_unreadable_filter_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        filters.parse(text)
