"""Backend buckets read the emulated storage as anybody may, through the cache of Cloud CDN."""

from __future__ import annotations

from typing import Any

import pytest

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
    ("mode", "kind", "asked"),
    [
        ("CACHE_ALL_STATIC", "text/css", 1),
        ("USE_ORIGIN_HEADERS", "text/css", 1),
        ("FORCE_CACHE_ALL", "text/html", 1),
    ],
)
def test_a_bucket_is_cached_by_its_cdn_policy(
    storage: Rig, mode: str, kind: str, asked: int
) -> None:
    policy = {"cacheMode": mode, "defaultTtl": 60, "clientTtl": 60, "negativeCaching": True}
    link_ = bucket(storage, enableCdn=True, cdnPolicy=policy)
    storage.echo.behaviours[3].headers = {
        "content-type": kind, "date": _now(), "cache-control": "public, max-age=50",
    }  # fmt: skip
    storage.url_map(defaultService=link_)
    path = f"/{mode}.css"
    answers = [storage.get(path) for _ in range(4)]
    assert {answer.status_code for answer in answers} == {200}
    wanted = f"/storage/v1/b/files/o{path.replace('/', '/', 1)}?alt=media"
    assert storage.echo.paths[3, wanted] == asked
    assert "age" in answers[-1].headers


def test_a_service_s_answers_are_cached_as_they_allow(storage: Rig) -> None:
    policy = {"cacheMode": "USE_ORIGIN_HEADERS"}
    service = storage.service("cached", 0, enableCDN=True, cdnPolicy=policy)
    storage.url_map(defaultService=service)
    for path, control in (("/keep", "public, max-age=60"), ("/private", "private")):
        storage.echo.behaviours[0].headers = {"cache-control": control, "date": _now()}
        for _ in range(3):
            storage.get(path)
    assert [storage.echo.paths[0, "/keep"], storage.echo.paths[0, "/private"]] == [1, 3]


def _now() -> str:
    from email.utils import formatdate

    return formatdate(usegmt=True)
