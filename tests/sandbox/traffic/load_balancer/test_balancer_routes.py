"""What a URL map says is what Envoy does."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.sandbox.traffic.load_balancer.rig import Rig

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load_balancer")]


@pytest.fixture
def links(rig: Rig) -> list[str]:
    """Four backend services, each of one server."""
    return [rig.service(f"s{i}", i) for i in range(4)]


def one_matcher(default: str, hosts: list[str] | None = None, **fields: Any) -> Any:
    return {
        "defaultService": default,
        "hostRules": [{"hosts": hosts or ["*"], "pathMatcher": "m"}],
        "pathMatchers": [{"name": "m", "defaultService": default, **fields}],
    }


def test_the_most_specific_host_and_path_win(rig: Rig, links: list[str]) -> None:
    zero, one, two, three = links
    rules = [
        {"paths": ["/v1", "/v1/*"], "service": one},
        {"paths": ["/v1/models/*"], "service": two},
    ]
    rig.url_map(
        defaultService=zero,
        hostRules=[
            {"hosts": ["*.example"], "pathMatcher": "wild"},
            {"hosts": ["a.example"], "pathMatcher": "exact"},
        ],
        pathMatchers=[
            {"name": "wild", "defaultService": three},
            {"name": "exact", "defaultService": zero, "pathRules": rules},
        ],
    )

    def server(path: str, host: str = "a.example") -> int:
        return int(rig.get(path, host=host).json()["server"])

    assert [server("/v1"), server("/v1/x"), server("/v1/models/x?y=/")] == [1, 1, 2]
    assert [server("/v1x"), server("/V1"), server("/v1/models")] == [0, 0, 1]
    assert [server("/", "b.example"), server("/", "A.EXAMPLE:8080"), server("/", "c.test")] == [
        3, 0, 0,
    ]  # fmt: skip


def test_route_rules_are_tried_by_priority(rig: Rig, links: list[str]) -> None:
    zero, one, two, three = links
    rules = [
        {"priority": 3, "matchRules": [{"prefixMatch": "/"}], "service": zero},
        {
            "priority": 1,
            "matchRules": [
                {
                    "prefixMatch": "/chat",
                    "headerMatches": [{"headerName": "x-tier", "exactMatch": "gold"}],
                },
                {"queryParameterMatches": [{"name": "tier", "regexMatch": "g.*d"}]},
            ],
            "service": one,
        },
        {"priority": 2, "matchRules": [{"regexMatch": "/v[12]/x"}], "service": two},
        {
            "priority": 0,
            "matchRules": [
                {
                    "fullPathMatch": "/Exact",
                    "ignoreCase": True,
                    "headerMatches": [
                        {"headerName": "x-no", "presentMatch": True, "invertMatch": True},
                        {"headerName": "x-n", "rangeMatch": {"rangeStart": "5", "rangeEnd": "7"}},
                    ],
                }
            ],
            "service": three,
        },
    ]
    rig.url_map(**one_matcher(zero, routeRules=rules))

    def server(path: str, **headers: str) -> int:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return int(rig.get(path, headers=given).json()["server"])

    assert [server("/chat", x_tier="gold"), server("/chat"), server("/?tier=good")] == [1, 0, 1]
    assert [server("/v2/x?q=1"), server("/v2/xy")] == [2, 0]
    assert [server("/eXACT", x_n="6"), server("/exact", x_n="7")] == [3, 0]
    assert server("/exact", x_n="6", x_no="") == 0


def test_paths_and_hosts_are_rewritten_as_google_does(rig: Rig, links: list[str]) -> None:
    zero = links[0]

    def rewrite(**how: str) -> Any:
        return {"urlRewrite": how}

    rules = [
        {"priority": 1, "matchRules": [{"pathTemplateMatch": "/m/{name=*}/{rest=**}"}],
         "service": zero, "routeAction": rewrite(pathTemplateRewrite="/{rest}/of/{name}")},
        {"priority": 2, "matchRules": [{"prefixMatch": "/chat/"}], "service": zero,
         "routeAction": rewrite(pathPrefixRewrite="/v1/chat", hostRewrite="model.internal")},
        {"priority": 3, "matchRules": [{"fullPathMatch": "/full"}], "service": zero,
         "routeAction": rewrite(pathPrefixRewrite="/other")},
        {"priority": 4, "matchRules": [{"regexMatch": "/r.*"}], "service": zero,
         "routeAction": rewrite(pathPrefixRewrite="/regex")},
        {"priority": 5, "matchRules": [{"headerMatches": [{"headerName": "x-a"}]}],
         "service": zero, "routeAction": rewrite(pathPrefixRewrite="/any")},
    ]  # fmt: skip
    rig.url_map(**one_matcher(zero, routeRules=rules))

    def seen(path: str, **kwargs: Any) -> str:
        told = rig.get(path, **kwargs).json()
        return str(told["headers"]["host"] + told["path"])

    assert seen("/m/a/b/c?q=1") == "a.example/b/c/of/a?q=1"
    assert seen("/chat/x?q=1") == "model.internal/v1/chatx?q=1"
    assert [seen("/full?q"), seen("/rest")] == ["a.example/other?q", "a.example/regex"]
    assert seen("/zzz", headers={"x-a": "1"}) == "a.example/any/zzz"


def test_redirects_keep_what_they_do_not_replace(rig: Rig, links: list[str]) -> None:
    rules = [
        {"paths": ["/old/*"], "urlRedirect": {"prefixRedirect": "/new/"}},
        {"paths": ["/one"], "urlRedirect": {
            "pathRedirect": "/two", "stripQuery": True, "redirectResponseCode": "FOUND"}},
        {"paths": ["/safe"], "urlRedirect": {
            "httpsRedirect": True, "redirectResponseCode": "PERMANENT_REDIRECT"}},
        {"paths": ["/away"], "urlRedirect": {
            "hostRedirect": "b.example", "redirectResponseCode": "SEE_OTHER"}},
    ]  # fmt: skip
    rig.url_map(**one_matcher(links[0], pathRules=rules))

    def answer(path: str) -> tuple[int, str]:
        given = rig.get(path)
        return given.status_code, given.headers["location"]

    assert answer("/old/x?q=1") == (301, "http://a.example/new/x?q=1")
    assert answer("/one?q=1") == (302, "http://a.example/two")
    assert answer("/safe?q=1") == (308, "https://a.example/safe?q=1")
    assert answer("/away") == (303, "http://b.example/away")


def test_weights_hold_within_three_standard_deviations(rig: Rig, links: list[str]) -> None:
    zero, one, two, _ = links
    weights = [
        {"backendService": zero, "weight": 95},
        {"backendService": one, "weight": 5},
        {"backendService": two, "weight": 0},
    ]
    rig.url_map(defaultRouteAction={"weightedBackendServices": weights})
    rig.echo.requests.clear()
    count = 10_000
    pipelined(rig.http, count)
    expected, deviation = count * 0.05, (count * 0.05 * 0.95) ** 0.5
    assert abs(rig.echo.requests[1] - expected) <= 3 * deviation
    assert rig.echo.requests[0] + rig.echo.requests[1] == count


def pipelined(port: int, count: int, batch: int = 100) -> None:
    """Many requests in one connection, and as many answers of 200."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as stream:
        for _ in range(count // batch):
            stream.sendall(b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n" * batch)
            answers = b""
            while answers.count(b"HTTP/1.1 200") < batch or not answers.endswith(b"}"):
                answers += stream.recv(1 << 20)


def test_a_change_of_weights_keeps_the_clients_connection(rig: Rig, links: list[str]) -> None:
    for number in (0, 1, 0):
        action = {"weightedBackendServices": [{"backendService": links[number], "weight": 1}]}
        rig.url_map(defaultRouteAction=action)
        stream = rig.get("/").extensions["network_stream"].get_extra_info("client_addr")
        assert rig.get("/").json()["server"] == number
        again = rig.get("/").extensions["network_stream"].get_extra_info("client_addr")
        assert again == stream


def test_a_mirrored_request_is_answered_once(rig: Rig, links: list[str]) -> None:
    mirror = {"requestMirrorPolicy": {"backendService": links[1]}}
    rig.url_map(defaultService=links[0], defaultRouteAction=mirror)
    paths = [f"/{i}" for i in range(20)]
    assert {rig.send("POST", path, content=b"x").json()["server"] for path in paths} == {0}
    rig.until(lambda: all(rig.echo.paths[1, path] for path in paths))
    assert [rig.echo.paths[server, path] for server in (0, 1) for path in paths] == [1] * 40


def test_header_actions_of_all_levels_apply(rig: Rig, links: list[str]) -> None:
    def add(value: str, *, replace: bool = False) -> Any:
        return [{"headerName": "x-where", "headerValue": value, "replace": replace}]

    service = rig.service("custom", 3, customRequestHeaders=[
        "X-Client:{client_ip_address}", "X-Region:{client_region}", "X-City:in {client_city}",
        "X-Percent:100%",
    ], customResponseHeaders=["X-Served: yes"])  # fmt: skip
    weighted = {
        "backendService": service,
        "weight": 1,
        "headerAction": {"requestHeadersToAdd": add("weighted")},
    }
    rules = [
        {
            "priority": 1,
            "matchRules": [{"prefixMatch": "/w"}],
            "routeAction": {"weightedBackendServices": [weighted]},
            "headerAction": {
                "requestHeadersToAdd": add("rule"),
                "requestHeadersToRemove": ["x-gone"],
                "responseHeadersToRemove": ["x-backend"],
            },
        }
    ]
    matcher = one_matcher(service, routeRules=rules)
    matcher["pathMatchers"][0]["headerAction"] = {"requestHeadersToAdd": add("matcher")}
    found = rig.url_map(**matcher, headerAction={"requestHeadersToAdd": add("map")})
    rig.echo.behaviours[3].headers = {"x-backend": "1", "x-kept": "1"}
    answer = rig.get("/w", headers={
        "x-gone": "1", "x-sandbox-client-ip": "198.51.100.7", "x-sandbox-client-region": "NL",
        "x-envoy-max-retries": "9", "x-goog-iap-jwt-assertion": "forged",
    })  # fmt: skip
    headers = answer.json()["headers"]
    assert headers["x-where"] == "map"  # the last of the lines that the server sees
    assert "x-gone" not in headers
    assert headers["x-client"] == "198.51.100.7"
    assert [headers["x-region"], headers["x-city"], headers["x-percent"]] == ["NL", "in ", "100%"]
    assert [name for name in headers if name.startswith(("x-sandbox", "x-goog", "x-envoy"))] == []
    assert headers["x-forwarded-for"] == "198.51.100.7,192.0.2.1"
    assert [headers["x-forwarded-proto"], headers["via"]] == ["http", "1.1 google"]
    assert answer.headers["x-served"] == "yes"
    assert answer.headers["via"] == "1.1 google"
    assert "x-backend" not in answer.headers and answer.headers["x-kept"] == "1"  # noqa: PT018
    assert any("client_city" in why for _, _, why in found.unsupported)


def test_a_client_cannot_hide_its_address(rig: Rig, links: list[str]) -> None:
    rig.url_map(defaultService=links[0])
    given = rig.get("/", headers={"x-forwarded-for": "192.0.2.77"}).json()["headers"]
    assert given["x-forwarded-for"] == "192.0.2.77,203.0.113.1,192.0.2.1"


def test_retries_follow_the_policy_and_google_s_default(rig: Rig, links: list[str]) -> None:
    both = rig.service("both", 0, 1)
    rig.echo.behaviours[0].status = 503
    rig.url_map(defaultService=both)
    assert {rig.get("/").status_code for _ in range(6)} == {200}
    assert {rig.send("POST", "/", content=b"x").status_code for _ in range(6)} == {200, 503}
    policy = {"numRetries": 3, "retryConditions": ["5xx"], "perTryTimeout": {"seconds": "5"}}
    rig.url_map(defaultService=both, defaultRouteAction={"retryPolicy": policy})
    assert {rig.send("POST", "/", content=b"x").status_code for _ in range(6)} == {200}
    none = {"numRetries": 1, "retryConditions": ["retriable-4xx"]}
    rig.url_map(defaultService=both, defaultRouteAction={"retryPolicy": none})
    assert {rig.get("/").status_code for _ in range(6)} == {200, 503}


def test_timeouts_are_the_rule_s_or_the_service_s(rig: Rig, links: list[str]) -> None:
    slow = rig.service("slow", 2, timeoutSec=1)
    rig.echo.behaviours[2].delay = 3
    rig.echo.behaviours[3].delay = 0.6
    rules = [
        {"paths": ["/quick"], "service": links[3], "routeAction": {
            "timeout": {"seconds": "0", "nanos": 200_000_000}}},
    ]  # fmt: skip
    rig.url_map(**one_matcher(slow, pathRules=rules))
    quick, default = rig.get("/quick"), rig.get("/")
    assert [quick.status_code, default.status_code] == [504, 504]
    assert default.text == "upstream request timeout"


def test_faults_and_cors_are_carried_out(rig: Rig, links: list[str]) -> None:
    cors = {"allowOrigins": ["https://x.example"], "allowMethods": ["GET"], "maxAge": 60}
    rules = [
        {"paths": ["/broken"], "service": links[0], "routeAction": {
            "faultInjectionPolicy": {"abort": {"httpStatus": 418, "percentage": 100.0}}}},
        {"paths": ["/cors"], "service": links[0], "routeAction": {"corsPolicy": cors}},
    ]  # fmt: skip
    found = rig.url_map(**one_matcher(links[0], pathRules=rules))
    assert [rig.get("/broken").status_code, rig.get("/").status_code] == [418, 200]
    preflight = {"origin": "https://x.example", "access-control-request-method": "GET"}
    answer = rig.send("OPTIONS", "/cors", headers=preflight)
    assert answer.headers["access-control-allow-origin"] == "https://x.example"
    assert answer.headers["access-control-max-age"] == "60"
    assert found.unsupported == []
