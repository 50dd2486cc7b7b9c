"""Envoy and the emulator's own router give the same answer for any URL map."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from facts.url_map_routing import Outcome, Request, route
from sandbox.gcp.services.compute.url_maps import problems
from tests.sandbox.traffic.load_balancer.rig import Rig

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load_balancer")]

HOSTS = ["*", "a.example", "*.example", "*.b.example", "x.b.example", "*-q.example"]
ASKED_HOSTS = [
    "a.example", "A.example", "x.b.example", "y.b.example:8080", "z-q.example", "o.test",
]  # fmt: skip
PATHS = ["/", "/*", "/a", "/a/*", "/a/b", "/a/b/*", "/A/*", "/a:go", "/a/b/c"]
ASKED_PATHS = [
    "/", "/a", "/a/", "/a/b", "/a/b/", "/A/b", "/a:go", "/a/b/c?x=1", "/abc", "/a?x=2&y=3",
]  # fmt: skip


def services() -> st.SearchStrategy[str]:
    prefix = "https://www.googleapis.com/compute/v1/projects/p/global/backendServices/s"
    return st.sampled_from([f"{prefix}{i}" for i in range(4)])


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def rewrites(*, template: bool = False) -> st.SearchStrategy[Any]:
    host = {"hostRewrite": st.just("inner.test")}
    prefix = {"pathPrefixRewrite": st.sampled_from(["/", "/n", "/n/"])}
    path = {"pathTemplateRewrite": st.sampled_from(["/t/{name}", "/{name}/x"])}
    return optional(urlRewrite=optional(**host, **(path if template else prefix)))


def redirects() -> st.SearchStrategy[Any]:
    return st.one_of(
        optional(pathRedirect=st.just("/p"), **_REDIRECT),
        optional(prefixRedirect=st.sampled_from(["/r", "/r/"]), **_REDIRECT),
    )


_REDIRECT: dict[str, st.SearchStrategy[Any]] = {
    "hostRedirect": st.just("other.test"),
    "httpsRedirect": st.just(True),
    "stripQuery": st.booleans(),
    "redirectResponseCode": st.sampled_from(["FOUND", "SEE_OTHER", "PERMANENT_REDIRECT"]),
}


def targets(prefix: str = "") -> st.SearchStrategy[dict[str, Any]]:
    def key(name: str) -> str:
        return prefix + name if prefix else name[0].lower() + name[1:]

    served = st.fixed_dictionaries({key("Service"): services(), key("RouteAction"): rewrites()})
    sent = st.fixed_dictionaries({key("UrlRedirect"): redirects().filter(bool)})
    return st.one_of(served, served, sent)


def texts() -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.sampled_from(["1", "2", "on"]).map(lambda text: {"exactMatch": text}),
        st.just({"regexMatch": "[12]"}),
        st.just({"presentMatch": True}),
    )


def headers() -> st.SearchStrategy[Any]:
    more = st.one_of(
        texts(),
        st.just({"prefixMatch": "o"}),
        st.just({"suffixMatch": "n"}),
        st.just({"rangeMatch": {"rangeStart": "1", "rangeEnd": "2"}}),
    )
    invert = optional(invertMatch=st.booleans())
    name = st.sampled_from([{"headerName": "x-a"}, {"headerName": "X-B"}])
    return st.lists(st.builds(lambda a, b, c: a | b | c, name, more, invert), max_size=2)


def matches() -> st.SearchStrategy[Any]:
    path: st.SearchStrategy[dict[str, str]] = st.one_of(
        st.sampled_from(["/", "/a", "/a/", "/A/b"]).map(lambda text: {"prefixMatch": text}),
        st.sampled_from(["/a", "/a/b", "/A"]).map(lambda text: {"fullPathMatch": text}),
        st.sampled_from(["/a.*", "/[ab]", "/a/b/?"]).map(lambda text: {"regexMatch": text}),
        st.just({}),
    )
    parameters = st.lists(texts().map(lambda text: {"name": "x"} | text), max_size=1)
    rest = optional(
        ignoreCase=st.booleans(), headerMatches=headers(), queryParameterMatches=parameters
    )
    return st.builds(lambda a, b: a | b, path, rest)


@st.composite
def route_rules(draw: st.DrawFn) -> list[Any]:
    rules = []
    for priority in draw(st.lists(st.integers(0, 9), max_size=4, unique=True)):
        if draw(st.booleans()):
            match = {"pathTemplateMatch": draw(st.sampled_from(["/{name=*}", "/a/{name=**}"]))}
            rule = {
                "matchRules": [match],
                "service": draw(services()),
                "routeAction": draw(rewrites(template=True)),
            }
        else:
            rule = draw(targets()) | {
                "matchRules": draw(st.lists(matches(), min_size=1, max_size=2))
            }
        rules.append(rule | {"priority": priority})
    return rules


@st.composite
def url_maps(draw: st.DrawFn) -> dict[str, Any]:
    hosts = draw(st.lists(st.sampled_from(HOSTS), max_size=4, unique=True))
    matchers = []
    for index in range(len(hosts)):
        matcher = {"name": f"m{index}"} | draw(targets("default"))
        if draw(st.booleans()):
            paths = draw(st.lists(st.sampled_from(PATHS), max_size=4, unique=True))
            matcher["pathRules"] = [{"paths": [path]} | draw(targets()) for path in paths]
        else:
            matcher["routeRules"] = draw(route_rules())
        matchers.append(matcher)
    rules = [{"hosts": [host], "pathMatcher": f"m{i}"} for i, host in enumerate(hosts)]
    return draw(targets("default")) | {"hostRules": rules, "pathMatchers": matchers}


def requests() -> st.SearchStrategy[Request]:
    given_headers = st.dictionaries(
        st.sampled_from(["x-a", "x-b"]), st.sampled_from(["1", "2", "on", "3"]), max_size=2
    )
    return st.builds(
        Request, st.sampled_from(ASKED_HOSTS), st.sampled_from(ASKED_PATHS), given_headers
    )


def asked(rig: Rig, request: Request) -> Outcome:
    ends = time.monotonic() + 30
    while True:  # on a busy machine a cluster may come after its first route
        answer = rig.get(request.path, host=request.host, headers=request.headers)
        if answer.status_code != 503 or time.monotonic() > ends:
            break
        time.sleep(0.05)
    if answer.is_redirect:
        return Outcome(redirect_code=answer.status_code, url=answer.headers["location"])
    told = answer.json()
    prefix = "https://www.googleapis.com/compute/v1/projects/p/global/backendServices/s"
    url = f"http://{told['headers']['host']}{told['path']}"
    return Outcome(services=(f"{prefix}{told['server']}",), url=url)


def test_envoy_routes_as_the_emulator_says(rig: Rig) -> None:
    for number in range(4):
        rig.service(f"s{number}", number)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(url_maps(), st.lists(requests(), min_size=8, max_size=8))
    def agree(url_map: dict[str, Any], wanted: list[Request]) -> None:
        assume(not list(problems(url_map)))
        configuration = rig.url_map(**url_map)
        assert configuration.unsupported == []
        for request in wanted:
            assert asked(rig, request) == route(url_map, request), request

    agree()
