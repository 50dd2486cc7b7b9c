"""What Cloud CDN keeps, for how long, and under which key."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sandbox.traffic.cdn.cache import Answer, Cache, Invalidation, judged
from sandbox.traffic.cdn.policy import Policy

CSS, HTML = {"content-type": "text/css"}, {"content-type": "text/html; charset=utf-8"}


def policy(**fields: Any) -> Policy:
    given = {"backend": "projects/p/global/backendBuckets/files", "defaultTtl": 60, "maxTtl": 600}
    return msgspec.convert(given | fields, Policy)


def said(value: str, kind: dict[str, str] = HTML) -> dict[str, str]:
    return {**kind, "cache-control": value}


@pytest.mark.parametrize(
    ("mode", "status", "headers", "seconds"),
    [
        ("CACHE_ALL_STATIC", 200, CSS, 60),
        ("CACHE_ALL_STATIC", 200, HTML, None),
        ("CACHE_ALL_STATIC", 200, said("public, max-age=30"), 30),
        ("CACHE_ALL_STATIC", 200, said("public, max-age=9999"), 600),
        ("CACHE_ALL_STATIC", 200, said("max-age=30, s-maxage=40"), 40),
        ("CACHE_ALL_STATIC", 200, said("no-cache", CSS), None),
        ("CACHE_ALL_STATIC", 200, said("no-store", CSS), None),
        ("CACHE_ALL_STATIC", 200, said("private, max-age=30", CSS), None),
        ("CACHE_ALL_STATIC", 200, {**CSS, "set-cookie": "a=b"}, None),
        ("CACHE_ALL_STATIC", 200, {**CSS, "vary": "Accept-Encoding, Origin"}, 60),
        ("CACHE_ALL_STATIC", 200, {**CSS, "vary": "Cookie"}, None),
        ("CACHE_ALL_STATIC", 200, {**CSS, "vary": "*"}, None),
        ("CACHE_ALL_STATIC", 500, CSS, None),
        ("CACHE_ALL_STATIC", 301, said("max-age=30"), 30),
        ("USE_ORIGIN_HEADERS", 200, CSS, None),
        ("USE_ORIGIN_HEADERS", 200, said("public, max-age=9999"), 9999),
        (
            "USE_ORIGIN_HEADERS",
            200,
            {
                "date": "Fri, 27 Nov 2026 08:00:00 GMT",
                "expires": "Fri, 27 Nov 2026 08:01:30 GMT",
            },
            90,
        ),
        ("USE_ORIGIN_HEADERS", 200, {**CSS, "expires": "0"}, 0),
        ("FORCE_CACHE_ALL", 200, said("private, max-age=5"), 60),
        ("FORCE_CACHE_ALL", 200, {**HTML, "set-cookie": "a=b"}, 60),
        ("FORCE_CACHE_ALL", 404, HTML, None),
    ],
)
def test_how_long_an_answer_is_fresh(
    mode: str, status: int, headers: dict[str, str], seconds: int | None
) -> None:
    assert policy(cacheMode=mode).lifetime(status, headers, {}) == seconds


@pytest.mark.parametrize(
    ("fields", "status", "headers", "seconds"),
    [
        ({}, 404, HTML, 120),
        ({}, 405, HTML, 60),
        ({}, 500, HTML, None),
        ({}, 404, said("max-age=5"), 5),
        ({"cacheMode": "FORCE_CACHE_ALL"}, 404, said("max-age=5"), 120),
        ({"negativeCachingPolicy": [{"code": 404, "ttl": 7}]}, 404, HTML, 7),
        ({"negativeCachingPolicy": [{"code": 404, "ttl": 7}]}, 410, HTML, None),
        ({"negativeCaching": False}, 404, HTML, None),
    ],
)
def test_how_long_an_error_is_remembered(
    fields: dict[str, Any], status: int, headers: dict[str, str], seconds: int | None
) -> None:
    found = policy(**{"negativeCaching": True, **fields})
    assert found.lifetime(status, headers, {}) == seconds


def test_a_caller_may_have_its_answer_not_kept() -> None:
    assert policy().lifetime(200, CSS, {"cache-control": "no-store"}) is None
    bypassing = policy(bypassCacheOnRequestHeaders=[{"headerName": "X-Fresh"}])
    assert [bypassing.is_bypassed(one) for one in ({}, {"x-fresh": ""}, {"x-other": ""})] \
        == [False, True, False]  # fmt: skip


def test_a_key_leaves_out_the_query_unless_told() -> None:
    plain = policy()
    assert plain.key("/a", "x=1", {}) == plain.key("/a", "x=2", {"accept": "b"})
    named = {"queryStringWhitelist": ["x"], "includeHttpHeaders": ["X-Kind"]}
    listed = policy(cacheKeyPolicy=named)
    assert listed.key("/a", "x=1&y=1", {}) == listed.key("/a", "y=2&x=1", {})
    assert listed.key("/a", "x=1", {}) != listed.key("/a", "x=2", {})
    assert listed.key("/a", "", {"x-kind": "1"}) != listed.key("/a", "", {"x-kind": "2"})


def kept(**changes: Any) -> Answer:
    answer = Answer(200, CSS, b"body", {}, 100.0)
    for name, value in changes.items():
        setattr(answer, name, value)
    return answer


@pytest.mark.parametrize(
    ("now", "stale", "found"),
    [(159.0, 0, "fresh"), (160.0, 0, "late"), (160.0, 30, "stale"), (190.0, 30, "late")],
)
def test_an_answer_grows_stale(now: float, stale: int, found: str) -> None:
    one = judged(kept(), policy(serveWhileStale=stale), {}, now)
    assert {(True, False): "fresh", (False, True): "stale", (False, False): "late"}[
        one.is_fresh, one.may_be_stale
    ] == found


def test_a_change_of_times_holds_for_what_is_kept() -> None:
    assert judged(kept(), policy(defaultTtl=500), {}, 400.0).is_fresh
    assert not judged(kept(), policy(defaultTtl=5), {}, 110.0).is_fresh
    assert judged(kept(), policy(cacheMode="USE_ORIGIN_HEADERS"), {}, 101.0).answer is None


@pytest.mark.parametrize(
    ("host", "path", "ends"),
    [
        ("", "/a/b.css", True),
        ("", "/a/*", True),
        ("", "/*", True),
        ("", "/a", False),
        ("", "/a/b", False),
        ("", "/b/*", False),
        ("x.example", "/a/*", True),
        ("X.example", "/a/*", True),
        ("y.example", "/a/*", False),
    ],
)
def test_what_an_invalidation_ends(host: str, path: str, ends: bool) -> None:
    cache = Cache()
    cache.keep(("k",), kept(), 100.0)
    url = ("x.example", "/a/b.css")
    earlier = Invalidation(99.0, host, path)
    assert cache.find(("k",), {}, url, [earlier]) is not None
    later = Invalidation(101.0, host, path)
    assert (cache.find(("k",), {}, url, [later]) is None) == ends


def test_an_answer_for_others_is_not_found() -> None:
    cache = Cache()
    cache.keep(("k",), kept(varied={"origin": "a"}), 100.0)
    assert cache.find(("k",), {"origin": "a"}, ("", "/"), []) is not None
    assert cache.find(("k",), {"origin": "b"}, ("", "/"), []) is None


def test_the_least_recently_used_go_first() -> None:
    cache = Cache()
    for number in range(5):
        cache.keep((number,), kept(body=b"x" * (15 << 20)), 100.0)
        cache.find((0,), {}, ("", "/"), [])
    left = [number for number in range(5) if cache.find((number,), {}, ("", "/"), [])]
    assert left == [0, 2, 3, 4]
    cache.keep((9,), kept(body=b"x" * (65 << 20)), 100.0)
    assert cache.find((9,), {}, ("", "/"), []) is None
