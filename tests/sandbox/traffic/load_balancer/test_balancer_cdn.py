"""Cloud CDN of backend buckets through Envoy: hits are seen in answers, logs and measurements."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.traffic.cdn.cache import Invalidation
from tests.sandbox.traffic.load_balancer.cached import Cached
from tests.sandbox.traffic.load_balancer.rig import Rig
from tests.sandbox.traffic.load_balancer.test_balancer_buckets import bucket
from tests.sandbox.traffic.load_balancer.test_balancer_logs import lines

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load_balancer")]
POLICY = {"cacheMode": "CACHE_ALL_STATIC", "defaultTtl": 60, "maxTtl": 600, "clientTtl": 30}


@pytest.fixture
def cached(rig: Rig) -> Iterator[Cached]:
    one = Cached(rig.echo.ports[3])
    rig.apply(storage=rig.echo.ports[3], cdn=one.port, measurements=rig.folder / "measured")
    rig.echo.behaviours[3].headers = {"content-type": "text/css", "etag": '"1"'}
    yield one
    one.close()
    rig.apply(cdn=None)


def asked(rig: Rig, path: str) -> int:
    """How often the bucket was asked for an object."""
    return sum(count for (_, found), count in rig.echo.paths.items() if path in found)


def measured(rig: Rig) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (rig.folder / "measured").read_text().splitlines()]


def test_a_hit_is_told_and_the_bucket_is_asked_once(rig: Rig, cached: Cached) -> None:
    header = ["X-Cache: {cdn_cache_status}"]
    backend = bucket(rig, enableCdn=True, cdnPolicy=POLICY, customResponseHeaders=header)
    found = rig.url_map(defaultService=backend)
    assert found.unsupported == []
    first = rig.get("/a/hit.css?x=1")
    second = rig.get("/a/hit.css?x=2", host="b.example")
    assert [first.headers["x-cache"], second.headers["x-cache"]] == ["miss", "hit"]
    assert ["age" in first.headers, second.headers["age"]] == [False, "0"]
    assert first.content == second.content
    assert second.headers["cache-control"] == "public, max-age=30"
    assert not [name for name in second.headers if name.startswith("x-sandbox")]
    assert asked(rig, "a%2Fhit.css") == 1
    known = rig.get("/a/hit.css", headers={"if-none-match": '"1"'})
    assert [known.status_code, known.content] == [304, b""]
    assert len(rig.send("HEAD", "/a/hit.css").content) == 0
    cached.invalidations.append(Invalidation(time.time(), "", "/a/*"))
    assert rig.get("/a/hit.css").headers["x-cache"] == "miss"
    assert asked(rig, "a%2Fhit.css") == 2

    rig.until(lambda: len(lines(rig, "/a/hit.css")) == 3)
    logged = [
        (one["jsonPayload"]["statusDetails"], one["httpRequest"]["cacheHit"])
        for one in (*lines(rig, "/a/hit.css?x=1"), *lines(rig, "/a/hit.css?x=2"))
    ]
    assert logged == [("response_sent_by_backend", False), ("response_from_cache", True)]

    def measurements() -> list[Any]:
        return [(one["cache"], one["code"]) for one in measured(rig)][-5:]

    rig.until(lambda: measurements() == [
        ("miss", 200), ("hit", 200), ("hit", 304), ("hit", 200), ("miss", 200)
    ])  # fmt: skip


def test_what_is_no_static_content_is_asked_for_each_time(rig: Rig, cached: Cached) -> None:
    rig.echo.behaviours[3].headers = {"content-type": "text/html", "cache-control": "private"}
    rig.url_map(defaultService=bucket(rig, enableCdn=True, cdnPolicy=POLICY))
    for _ in range(3):
        answer = rig.get("/b.html")
        assert [answer.status_code, "age" in answer.headers] == [200, False]
        assert answer.headers["cache-control"] == "private"
    assert asked(rig, "b.html") == 3


def test_a_missing_object_is_remembered(rig: Rig, cached: Cached) -> None:
    rig.echo.behaviours[3].status = 404
    policy = {**POLICY, "negativeCaching": True}
    rig.url_map(defaultService=bucket(rig, enableCdn=True, cdnPolicy=policy))
    found = [rig.get("/none.css") for _ in range(2)]
    assert [one.status_code for one in found] == [404, 404]
    assert "NoSuchKey" in found[1].text
    assert found[1].headers["cache-control"] == "public, max-age=120"
    assert asked(rig, "none.css") == 1
