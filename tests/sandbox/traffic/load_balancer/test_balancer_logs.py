"""Request logs and Identity-Aware Proxy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sandbox.traffic.load_balancer.rig import Rig

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load_balancer")]


def lines(rig: Rig, path: str) -> list[Any]:
    assert rig.surroundings.access_log is not None
    if not rig.surroundings.access_log.exists():
        return []
    text = rig.surroundings.access_log.read_text().splitlines()
    found = [json.loads(line) for line in text]
    return [one for one in found if one["httpRequest"]["requestUrl"].endswith(path)]


def test_requests_are_logged_as_the_load_balancer_does(rig: Rig) -> None:
    logged = rig.service("logged", 0, logConfig={"enable": True, "sampleRate": 1.0})
    silent = rig.service("silent", 1)
    empty = rig.service("empty", logConfig={"enable": True})
    rules = [
        {"paths": ["/silent"], "service": silent},
        {"paths": ["/empty"], "service": empty},
        {"paths": ["/moved"], "urlRedirect": {"pathRedirect": "/there"}},
        {
            "paths": ["/long"],
            "service": logged,
            "routeAction": {"urlRewrite": {"pathPrefixRewrite": "/short", "hostRewrite": "x.test"}},
        },
    ]
    rig.url_map(
        defaultService=logged,
        hostRules=[{"hosts": ["*"], "pathMatcher": "m"}],
        pathMatchers=[{"name": "m", "defaultService": logged, "pathRules": rules}],
    )
    for path in ("/silent", "/empty", "/moved", "/long", "/log-me?q=1"):
        rig.get(path)
    rig.until(lambda: lines(rig, "/log-me?q=1"))
    (line,) = lines(rig, "/log-me?q=1")
    assert line["httpRequest"]["requestUrl"] == "http://a.example/log-me?q=1"
    assert line["httpRequest"]["status"] == 200
    assert line["httpRequest"]["remoteIp"] == "203.0.113.1"
    assert line["jsonPayload"]["statusDetails"] == "response_sent_by_backend"
    labels = line["resource"]["labels"]
    assert [labels["url_map_name"], labels["forwarding_rule_name"]] == ["main", "http"]
    assert labels["backend_service_name"] == "projects/p/global/backendServices/logged"
    assert line["route"] == "pathMatchers[0] default"
    assert lines(rig, "/silent") == []
    (line,) = lines(rig, "/moved")
    assert [line["httpRequest"]["status"], line["route"]] == [
        301,
        "pathMatchers[0].pathRules[2] /moved",
    ]
    (line,) = lines(rig, "/long")
    assert line["httpRequest"]["requestUrl"] == "http://a.example/long"
    (line,) = lines(rig, "/empty")
    assert line["jsonPayload"]["statusDetails"] == "failed_to_pick_backend"


def test_the_sample_rate_holds(rig: Rig) -> None:
    sampled = rig.service("sampled", 0, logConfig={"enable": True, "sampleRate": 0.25})
    rig.url_map(defaultService=sampled)
    rig.until(lambda: rig.get("/begin") and lines(rig, "/begin"))
    for _ in range(400):
        rig.get("/sampled")
    rig.until(lambda: 60 <= len(lines(rig, "/sampled")) <= 140)


def test_identity_aware_proxy_asks_and_passes_the_signed_header(rig: Rig) -> None:
    guarded = rig.service("guarded", 0, iap={"enabled": True})
    rig.url_map(defaultService=guarded)
    assert rig.get("/").status_code == 403  # nobody decides: nobody passes
    rig.apply(identity=rig.echo.ports[3])
    rig.echo.behaviours[3].status = 401
    rig.until(lambda: rig.get("/").status_code == 401)
    rig.echo.behaviours[3].status = 200
    rig.echo.behaviours[3].headers = {
        "x-goog-iap-jwt-assertion": "signed", "x-other": "1",
        "x-goog-authenticated-user-email": "accounts.google.com:a@acme.example",
    }  # fmt: skip
    given = {"x-goog-authenticated-user-email": "forged", "authorization": "Bearer x"}
    told = rig.get("/deep?q=1", headers=given).json()
    assert told["server"] == 0
    assert told["headers"]["x-goog-iap-jwt-assertion"] == "signed"
    assert told["headers"]["x-goog-authenticated-user-email"].endswith(":a@acme.example")
    assert "x-other" not in told["headers"]
    asked = "/projects/p/global/backendServices/guarded/deep?q=1"
    assert rig.echo.paths[3, asked] == 1
    rig.url_map(defaultService=rig.service("open", 1))
    assert rig.get("/").json()["server"] == 1


def test_identity_aware_proxy_guards_one_version_of_a_split(rig: Rig) -> None:
    rig.apply(identity=rig.echo.ports[3])
    rig.echo.behaviours[3].status = 401
    weights = [
        {"backendService": rig.service("guarded", 0, iap={"enabled": True}), "weight": 1},
        {"backendService": rig.service("open", 1), "weight": 1},
    ]
    rig.url_map(defaultRouteAction={"weightedBackendServices": weights})
    assert {rig.get("/").status_code for _ in range(40)} == {200, 401}
    assert rig.echo.requests[0] == 0
