"""`urlMaps.invalidateCache`: recorded for Cloud CDN's cache, or refused as Google does."""

from __future__ import annotations

import time

import pytest

from sandbox.traffic.cdn.invalidations import invalidations
from tests.sandbox.gcp.emulated_cloud import Cloud

METHOD = "global/urlMaps/main/invalidateCache"


@pytest.fixture
def url_map(cloud: Cloud) -> Cloud:
    cloud.compute("POST", "global/backendBuckets", {"name": "files", "bucketName": "acme-files"})
    link = "https://www.googleapis.com/compute/v1/projects/p/global/backendBuckets/files"
    cloud.compute("POST", "global/urlMaps", {"name": "main", "defaultService": link})
    return cloud


def test_an_invalidation_is_recorded(url_map: Cloud) -> None:
    operation = url_map.compute("POST", METHOD, {"path": "/images/*", "host": "a.example"})
    assert operation["operationType"] == "invalidateCache"
    url_map.compute("POST", METHOD, {"path": "/a.css"})
    found = invalidations(url_map.app.state.store, "p")
    assert [(one.host, one.path) for one in found] == [("a.example", "/images/*"), ("", "/a.css")]
    assert all(time.time() - 600 < one.at <= time.time() for one in found)
    assert invalidations(url_map.app.state.store, "other") == []


@pytest.mark.parametrize("path", ["images", "/a?b=c", "/a#b", "/a*", "/*/a", "/a/**"])
def test_a_path_that_matches_nothing_is_refused(url_map: Cloud, path: str) -> None:
    assert "resource.path" in url_map.refused("POST", METHOD, {"path": path})["message"]


@pytest.mark.parametrize("path", ["/", "/*", "/a", "/a/", "/a/*", "/a.b/c%20d/*"])
def test_paths_that_are_taken(url_map: Cloud, path: str) -> None:
    url_map.compute("POST", METHOD, {"path": path})


def test_what_is_missing_or_not_emulated(url_map: Cloud) -> None:
    assert "resource.path" in url_map.refused("POST", METHOD, {})["message"]
    url_map.compute("POST", METHOD, {"path": "/a", "cacheTags": ["x"]}, status=501)
