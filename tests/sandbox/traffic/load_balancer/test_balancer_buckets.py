"""Backend buckets read the emulated storage as anybody may; Cloud CDN."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.traffic.load_balancer.echo_servers import Behaviour
from tests.sandbox.traffic.load_balancer.rig import Rig, link

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load_balancer")]


def bucket(rig: Rig, *, public: bool = True, **fields: Any) -> str:
    rig.documents["storage/b/files"] = {
        "name": "files", "website": {"mainPageSuffix": "index.html"},
    }  # fmt: skip
    members = ["allUsers"] if public else ["user:a@acme.example"]
    rig.documents["policies/storage/b/files"] = {
        "policy": {"bindings": [{"role": "roles/storage.objectViewer", "members": members}]}
    }
    rig.put("global/backendBuckets/files", {"bucketName": "files", **fields})
    return link("global/backendBuckets/files")


@pytest.fixture
def storage(rig: Rig) -> Rig:
    rig.apply(storage=rig.echo.ports[3])
    return rig


def test_a_path_is_an_object_s_name(storage: Rig) -> None:
    storage.url_map(defaultService=bucket(storage, customResponseHeaders=["X-Static: yes"]))
    answer = storage.get("/a/b%20c.css?x=1")
    assert answer.json()["path"] == "/storage/v1/b/files/o/a%2Fb%20c.css?alt=media"
    assert answer.headers["x-static"] == "yes"
    assert storage.get("/").json()["path"] == "/storage/v1/b/files/o/index.html?alt=media"
    assert storage.get("/d/").json()["path"] == "/storage/v1/b/files/o/d%2Findex.html?alt=media"
    assert storage.send("POST", "/a", content=b"x").status_code == 405


def test_a_missing_object_is_answered_in_storage_s_words(storage: Rig) -> None:
    storage.echo.behaviours[3].status = 404
    storage.url_map(defaultService=bucket(storage))
    answer = storage.get("/nothing")
    assert [answer.status_code, "NoSuchKey" in answer.text] == [404, True]
    assert answer.headers["content-type"] == "application/xml; charset=UTF-8"


def test_a_bucket_that_is_not_public_refuses(storage: Rig) -> None:
    storage.url_map(defaultService=bucket(storage, public=False))
    answer = storage.get("/a.css")
    assert [answer.status_code, "AccessDenied" in answer.text] == [403, True]
    assert sum(count for (_, path), count in storage.echo.paths.items() if "a.css" in path) == 0


@pytest.mark.parametrize(
    ("mode", "kind", "given", "told"),
    [
        ("CACHE_ALL_STATIC", "text/css", None, "public, max-age=60"),
        ("CACHE_ALL_STATIC", "text/html", None, None),
        ("CACHE_ALL_STATIC", "text/html", "public, max-age=999999", "public, max-age=600"),
        ("USE_ORIGIN_HEADERS", "text/css", "private", "private"),
        ("FORCE_CACHE_ALL", "text/html", "private", "public, max-age=60"),
        ("CACHE_ALL_STATIC", "text/html", "private, max-age=999999", "private, max-age=999999"),
    ],
)
def test_clients_are_told_what_the_cache_mode_allows(
    rig: Rig, mode: str, kind: str, given: str | None, told: str | None
) -> None:
    policy = {"cacheMode": mode, "defaultTtl": 60, "maxTtl": 600, "negativeCaching": True}
    headers = {"content-type": kind} | ({"cache-control": given} if given else {})
    rig.echo.behaviours[0].headers = headers
    found = rig.url_map(defaultService=rig.service("cdn", 0, enableCDN=True, cdnPolicy=policy))
    assert rig.get("/").headers.get("cache-control") == told
    assert [one.field for one in found.unsupported] == ["enableCDN"]
    rig.echo.behaviours[0] = Behaviour(status=404)
    assert rig.get("/").headers["cache-control"] == "public, max-age=120"


@pytest.mark.parametrize(
    ("mode", "client", "given", "told"),
    [
        ("CACHE_ALL_STATIC", 30, None, "public, max-age=30"),
        ("CACHE_ALL_STATIC", 30, "max-age=50", "public, max-age=30"),
        ("CACHE_ALL_STATIC", 30, "public, max-age=20", "public, max-age=20"),
        ("CACHE_ALL_STATIC", None, "public, max-age=9999", "public, max-age=3600"),
        ("FORCE_CACHE_ALL", 30, "public, max-age=50", "public, max-age=30"),
    ],
)
def test_clients_keep_an_answer_for_their_own_time(
    rig: Rig, mode: str, client: int | None, given: str | None, told: str
) -> None:
    policy = {"cacheMode": mode, "defaultTtl": 60, "maxTtl": 86400}
    policy |= {} if client is None else {"clientTtl": client}
    headers = {"content-type": "text/css"} | ({"cache-control": given} if given else {})
    rig.echo.behaviours[0].headers = headers
    found = rig.url_map(defaultService=rig.service("cdn", 0, enableCDN=True, cdnPolicy=policy))
    assert rig.get("/").headers["cache-control"] == told
    assert [one.field for one in found.unsupported] == ["enableCDN"]


def test_a_policy_and_a_rewrite_apply_to_a_backend_with_cdn(rig: Rig) -> None:
    rig.put("global/securityPolicies/cdn", {
        "rules": [{"priority": 1, "action": "deny(403)",
                   "match": {"config": {"srcIpRanges": ["198.51.100.9"]}}}],
    })  # fmt: skip
    policy = link("global/securityPolicies/cdn")
    service = rig.service("cdn", 0, enableCDN=True, securityPolicy=policy)
    action = {"urlRewrite": {"hostRewrite": "inner.test"}}
    rig.url_map(defaultService=service, defaultRouteAction=action)
    assert rig.get("/").json()["headers"]["host"] == "inner.test"
    assert rig.get("/", headers={"x-sandbox-client-ip": "198.51.100.9"}).status_code == 403
