"""URL maps: what is refused, and where requests go."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.gcp.emulated_cloud import Cloud

ONE, TWO = "global/backendServices/one", "global/backendServices/two"


@pytest.fixture
def services(cloud: Cloud) -> Cloud:
    for name in ("one", "two"):
        body = {"name": name, "loadBalancingScheme": "EXTERNAL_MANAGED"}
        cloud.compute("POST", "global/backendServices", body)
    return cloud


def url_map(matcher: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A map with one path matcher for models.example.com and everything below it."""
    hosts = ["models.example.com", "*.models.example.com"]
    matchers = [{"name": "models", "defaultService": ONE, **(matcher or {})}]
    return {
        "name": "routes",
        "defaultService": ONE,
        "hostRules": [{"hosts": hosts, "pathMatcher": "models"}],
        "pathMatchers": matchers,
    } | more


def paths(*given: str, service: str = TWO) -> dict[str, Any]:
    return {"paths": list(given), "service": service}


def split(*shares: tuple[str, int], path: str = "/a") -> dict[str, Any]:
    weighted = [{"backendService": service, "weight": weight} for service, weight in shares]
    return {"paths": [path], "routeAction": {"weightedBackendServices": weighted}}


def acting(*given: str, **action: Any) -> dict[str, Any]:
    return {**paths(*(given or ("/a",))), "routeAction": action}


BAD: dict[str, dict[str, Any]] = {
    "no default": {"name": "routes"},
    "a matcher that no host leads to": url_map(hostRules=[]),
    "a host rule that leads nowhere": url_map(pathMatchers=[]),
    "one host twice": url_map(
        hostRules=[{"hosts": ["a.example", "A.example"], "pathMatcher": "models"}]
    ),
    "a host that is none": url_map(hostRules=[{"hosts": ["a*b"], "pathMatcher": "models"}]),
    "two matchers of one name": url_map(
        pathMatchers=[{"name": "models", "defaultService": ONE}] * 2
    ),
    "one path twice": url_map({"pathRules": [paths("/a"), paths("/a")]}),
    "a path without a slash": url_map({"pathRules": [paths("a")]}),
    "a star in the middle": url_map({"pathRules": [paths("/a*/b")]}),
    "a path rule without a service": url_map({"pathRules": [{"paths": ["/a"]}]}),
    "path rules beside route rules": url_map(
        {
            "pathRules": [paths("/a")],
            "routeRules": [
                {"priority": 1, "matchRules": [{"prefixMatch": "/"}], "service": TWO},
            ],
        }
    ),
    "one priority twice": url_map(
        {
            "routeRules": [
                {"priority": 1, "matchRules": [{"prefixMatch": "/"}], "service": TWO},
                {"priority": 1, "matchRules": [{"prefixMatch": "/b"}], "service": TWO},
            ]
        }
    ),
    "a route rule that matches nothing": url_map({"routeRules": [{"priority": 1, "service": TWO}]}),
    "weights that are all 0": url_map({"pathRules": [split((ONE, 0), (TWO, 0))]}),
    "a weight above the highest": url_map({"pathRules": [split((ONE, 1001))]}),
    "a weight of nobody": url_map({"pathRules": [split(("", 1), (TWO, 1))]}),
    "a service beside weights": url_map({"pathRules": [{**split((ONE, 1)), "service": TWO}]}),
    "a redirect beside a service": url_map(
        {"pathRules": [{**paths("/a"), "urlRedirect": {"hostRedirect": "b.example"}}]}
    ),
    "a default beside default weights": url_map(
        defaultRouteAction={"weightedBackendServices": [{"backendService": ONE, "weight": 1}]}
    ),
    "a rewrite that leads to no service": url_map(
        {
            "pathRules": [
                {"paths": ["/a"], "routeAction": {"urlRewrite": {"pathPrefixRewrite": "/b"}}}
            ]
        }
    ),
    "a mirror to nobody": url_map({"pathRules": [acting(requestMirrorPolicy={})]}),
    "more mirrored than there is": url_map(
        {"pathRules": [acting(requestMirrorPolicy={"backendService": ONE, "mirrorPercent": 101})]}
    ),
    "no retry": url_map({"pathRules": [acting(retryPolicy={"numRetries": 0})]}),
    "a retry of what is unknown": url_map(
        {"pathRules": [acting(retryPolicy={"retryConditions": ["reset"]})]}
    ),
    "an attempt of no time": url_map(
        {"pathRules": [acting(retryPolicy={"perTryTimeout": {"seconds": "0"}})]}
    ),
    "an empty host": url_map({"pathRules": [acting(urlRewrite={"hostRewrite": ""})]}),
    "two rewrites at once": url_map(
        {"pathRules": [acting(urlRewrite={"pathPrefixRewrite": "/b", "pathTemplateRewrite": "/c"})]}
    ),
    "two kinds of match at once": url_map(
        {
            "routeRules": [
                {
                    "priority": 1,
                    "matchRules": [{"prefixMatch": "/", "fullPathMatch": "/a"}],
                    "service": TWO,
                }
            ]
        }
    ),
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_an_invalid_url_map_is_refused(services: Cloud, body: dict[str, Any]) -> None:
    services.refused("POST", "global/urlMaps", body)
    services.refused("GET", "global/urlMaps/routes", status=404)
    judged = services.compute("POST", "global/urlMaps/routes/validate", {"resource": body})
    assert judged["result"]["loadSucceeded"] is False
    assert judged["result"]["loadErrors"]


PATH_RULES = {"pathRules": [paths("/v1/*"), paths("/v1/models/*", service=ONE), paths("/exact")]}
ROUTE_RULES = {
    "routeRules": [
        {
            "priority": 2,
            "matchRules": [{"prefixMatch": "/", "headerMatches": [
                {"headerName": "X-Canary", "exactMatch": "yes"}]}],
            "routeAction": {"weightedBackendServices": [
                {"backendService": TWO, "weight": 100}, {"backendService": ONE, "weight": 0}]},
        },
        {
            "priority": 1,
            "matchRules": [{"prefixMatch": "/old/"}],
            "urlRedirect": {"prefixRedirect": "/new/", "httpsRedirect": True, "stripQuery": True,
                            "redirectResponseCode": "FOUND"},
        },
        {
            "priority": 3,
            "matchRules": [{"pathTemplateMatch": "/models/{name=*}/{rest=**}"}],
            "service": TWO,
            "routeAction": {"urlRewrite": {"pathTemplateRewrite": "/v1/{name}:{rest}"}},
        },
        {
            "priority": 4,
            "matchRules": [{"prefixMatch": "/", "queryParameterMatches": [
                {"name": "debug", "presentMatch": True}]}],
            "service": TWO,
        },
    ]
}  # fmt: skip
SPLIT = {"pathRules": [split((ONE, 95), (TWO, 5)), split((ONE, 100), (TWO, 0), path="/b")]}
REWRITTEN = {
    "pathRules": [
        acting("/chat", urlRewrite={"pathPrefixRewrite": "/v1/chat"}),
        acting("/chat/*", urlRewrite={"pathPrefixRewrite": "/v1/chat/"}),
        acting("/host", urlRewrite={"hostRewrite": "b.example"}),
    ]
}
HOST = "models.example.com"

GOOD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (PATH_RULES, {"host": HOST, "path": "/v1/x", "service": TWO}),
    (PATH_RULES, {"host": HOST, "path": "/v1/models/x", "service": ONE}),
    (PATH_RULES, {"host": HOST, "path": "/v1", "service": ONE}),
    (PATH_RULES, {"host": HOST, "path": "/exact?q=1", "service": TWO}),
    (PATH_RULES, {"host": f"eu.{HOST}:443", "path": "/v1/x", "service": TWO}),
    (PATH_RULES, {"host": "other.example", "path": "/v1/x", "service": ONE}),
    (SPLIT, {"host": HOST, "path": "/a", "service": ONE}),
    (SPLIT, {"host": HOST, "path": "/a", "service": TWO}),
    (SPLIT, {"host": HOST, "path": "/b", "service": ONE}),
    (REWRITTEN, {"host": HOST, "path": "/chat?q=1", "service": TWO,
                 "expectedOutputUrl": f"https://{HOST}/v1/chat?q=1"}),
    (REWRITTEN, {"host": HOST, "path": "/chat/x/y",
                 "expectedOutputUrl": f"http://{HOST}/v1/chat/x/y"}),
    (REWRITTEN, {"host": HOST, "path": "/host", "expectedOutputUrl": "http://b.example/host"}),
    (ROUTE_RULES, {"host": HOST, "path": "/x", "service": ONE}),
    (
        ROUTE_RULES,
        {"host": HOST, "path": "/x", "service": TWO,
         "headers": [{"name": "x-canary", "value": "yes"}]},
    ),
    (
        ROUTE_RULES,
        {"host": HOST, "path": "/old/a?q=1", "expectedRedirectResponseCode": 302,
         "expectedOutputUrl": f"https://{HOST}/new/a"},
    ),
    (
        ROUTE_RULES,
        {"host": HOST, "path": "/models/m/predict", "service": TWO,
         "expectedOutputUrl": f"https://{HOST}/v1/m:predict"},
    ),
    (ROUTE_RULES, {"host": HOST, "path": "/x?debug", "service": TWO}),
]  # fmt: skip


@pytest.mark.parametrize(("matcher", "test"), GOOD)
def test_requests_are_routed_by_the_url_map(
    services: Cloud, matcher: dict[str, Any], test: dict[str, Any]
) -> None:
    body = {"resource": url_map(matcher, tests=[test])}
    judged = services.compute("POST", "global/urlMaps/routes/validate", body)["result"]
    assert judged == {"loadSucceeded": True, "testPassed": True}


def test_a_map_whose_test_fails_is_refused(services: Cloud) -> None:
    test = {"host": HOST, "path": "/v1/x", "service": ONE}
    body = url_map(PATH_RULES, tests=[test])
    message = services.refused("POST", "global/urlMaps", body)["message"]
    assert "Test failure" in message
    assert "backendServices/two" in message
    judged = services.compute("POST", "global/urlMaps/routes/validate", {"resource": body})
    (failure,) = judged["result"]["testFailures"]
    assert failure["actualService"].endswith("backendServices/two")


def test_a_wrong_expected_url_fails_the_test(services: Cloud) -> None:
    test = {"host": HOST, "path": "/old/a", "expectedOutputUrl": f"https://{HOST}/old/a"}
    body = url_map(ROUTE_RULES, tests=[test])
    assert "/new/a" in services.refused("POST", "global/urlMaps", body)["message"]


def test_an_update_whose_tests_fail_is_refused(services: Cloud) -> None:
    services.compute("POST", "global/urlMaps", url_map(PATH_RULES))
    before = services.compute("GET", "global/urlMaps/routes")
    services.refused("PUT", "global/urlMaps/routes", BAD["one path twice"])
    assert services.compute("GET", "global/urlMaps/routes") == before
    services.compute("PATCH", "global/urlMaps/routes", {"description": "new"})
    assert services.compute("GET", "global/urlMaps/routes")["description"] == "new"


def test_a_version_without_weight_gets_no_request(services: Cloud) -> None:
    body = url_map(SPLIT, tests=[{"host": HOST, "path": "/b", "service": TWO}])
    message = services.refused("POST", "global/urlMaps", body)["message"]
    assert "backendServices/one'" in message


def test_a_split_to_a_missing_backend_is_refused(services: Cloud) -> None:
    body = url_map({"pathRules": [split((ONE, 1), ("global/backendServices/three", 1))]})
    assert "three" in services.refused("POST", "global/urlMaps", body, status=404)["message"]


def test_features_outside_the_load_balancing_scheme_are_refused(services: Cloud) -> None:
    lasting = url_map({"pathRules": [acting(maxStreamDuration={"seconds": "60"})]})
    message = services.refused("POST", "global/urlMaps", lasting)["message"]
    assert "INTERNAL_SELF_MANAGED" in message
    classic = {"name": "classic", "loadBalancingScheme": "EXTERNAL"}
    services.compute("POST", "global/backendServices", classic)
    leads = "global/backendServices/classic"
    for action, is_refused in (
        ({"retryPolicy": {"numRetries": 1}}, True),
        ({"urlRewrite": {"pathPrefixRewrite": "/b"}}, False),
    ):
        rule = {"paths": ["/a"], "service": leads, "routeAction": action}
        body = url_map(pathMatchers=[{"name": "models", "defaultService": leads,
                                      "pathRules": [rule]}], defaultService=leads)  # fmt: skip
        if is_refused:
            message = services.refused("POST", "global/urlMaps", body)["message"]
            assert "Classic Application Load Balancers" in message
        else:
            services.compute("POST", "global/urlMaps", body)


def test_a_test_of_a_service_and_a_redirect_is_refused(services: Cloud) -> None:
    test = {"host": HOST, "path": "/x", "service": ONE, "expectedRedirectResponseCode": 302}
    message = services.refused("POST", "global/urlMaps", url_map(tests=[test]))["message"]
    assert "resource.tests[0].expectedRedirectResponseCode" in message


MANY = [f"/{number}" for number in range(1001)]
ABOVE: dict[str, dict[str, Any]] = {
    "rules of a path matcher": url_map({"pathRules": [paths(path) for path in MANY]}),
    "predicates of a path matcher": url_map({"pathRules": [paths(*MANY)]}),
    "host rules": url_map(
        hostRules=[{"hosts": [f"h{path[1:]}.example"], "pathMatcher": "models"} for path in MANY]
    ),
    "tests": url_map(tests=[{"host": HOST, "path": "/", "service": ONE}] * 101),
    "bytes": url_map({"pathRules": [paths("/a")]}, description="x" * 1_000_000),
}


@pytest.mark.parametrize("what", ABOVE)
def test_a_map_above_a_limit_is_refused(services: Cloud, what: str) -> None:
    item = services.refused("POST", "global/urlMaps", ABOVE[what], status=413)
    assert item["reason"] == "limitExceeded"
    assert item["message"].startswith(f"Exceeded limit of {what} on resource 'urlMap'. Limit: ")
    judged = services.compute("POST", "global/urlMaps/r/validate", {"resource": ABOVE[what]})
    assert judged["result"]["loadSucceeded"] is False


def test_a_mirror_over_groups_of_another_kind_is_refused(services: Cloud) -> None:
    check = {"name": "check", "type": "TCP", "tcpHealthCheck": {"port": 80}}
    services.compute("POST", "global/healthChecks", check)
    zone = "zones/europe-west4-a"
    services.compute("POST", f"{zone}/instanceGroups", {"name": "nodes"})
    pods = {"name": "pods", "networkEndpointType": "GCE_VM_IP_PORT"}
    services.compute("POST", f"{zone}/networkEndpointGroups", pods)
    for name, group, rate in (
        ("one", "networkEndpointGroups/pods", "maxRatePerEndpoint"),
        ("two", "instanceGroups/nodes", "maxRatePerInstance"),
    ):
        backend = {"group": f"projects/p/{zone}/{group}", "balancingMode": "RATE", rate: 5}
        change = {"backends": [backend], "healthChecks": ["projects/p/global/healthChecks/check"]}
        services.compute("PATCH", f"global/backendServices/{name}", change)
    mirrored = acting(requestMirrorPolicy={"backendService": ONE, "mirrorPercent": 5})
    message = services.refused("POST", "global/urlMaps", url_map({"pathRules": [mirrored]}))
    assert "of the same type as those of the original service" in message["message"]
    same = url_map({"pathRules": [{**mirrored, "service": ONE}]})
    services.compute("POST", "global/urlMaps", same)
