"""URL maps: validation, and the tests that a map contains.

Unused path matchers and duplicate hosts or paths are refused. A map's `tests` are run on every
insert and update.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from facts.url_map_routing import Outcome, Request, route
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid
from sandbox.gcp.service import Call, State
from sandbox.gcp.services.compute import route_actions, url_map_limits
from sandbox.gcp.services.compute.place import Place, of_reference
from sandbox.gcp.store import references as store_references

_PATH_MATCHES = ("prefixMatch", "fullPathMatch", "regexMatch", "pathTemplateMatch")
_PATH = re.compile(r"/(?:[^*?#]*)(?:/\*)?|/\*")


def complete(state: State, place: Place, document: Json, old: Json | None) -> None:  # noqa: ARG001
    """Validate a URL map; its tests must pass."""
    schemes = _schemes(state, document)
    errors = [
        *problems(document),
        *url_map_limits.problems(document, is_classic="EXTERNAL" in schemes),
        *_mixed_schemes(schemes),
        *route_actions.scheme_problems(document, schemes),
        *route_actions.mirror_problems(
            document, lambda service: _kinds(state, service, place.project)
        ),
    ]
    if errors:
        raise errors[0]
    for failure in test_failures(document, place.project):
        raise invalid("resource.tests", "", f"Test failure: {_sentence(failure)}")


def shown(state: State, place: Place, document: Json) -> None:
    """Add the quota usage of a map of the newer external load balancer.

    The units are an estimate: Google does not publish how it counts them. The base value is from a
    recording of a map with one path matcher and no rules.
    """
    if "EXTERNAL_MANAGED" not in _schemes(state, document):
        return
    proxies = [key.partition("/")[2] for key in state.store.users(place.path)]
    rules = {key for proxy in proxies for key in state.store.users(proxy)}
    matchers = document.get("pathMatchers") or []
    inner = sum(len(m.get("pathRules") or m.get("routeRules") or []) for m in matchers)
    units = 51 + 10 * len(matchers) + inner
    document["status"] = {
        "quotaUsage": {"forwardingRules": len(rules), "units": str(units)},
    }


def _mixed_schemes(schemes: set[str]) -> Iterator[ApiError]:
    """Backend services of several schemes; the external ones mix only during a migration."""
    if len(schemes) > 1:
        yield invalid(
            "resource.defaultService",
            ", ".join(sorted(schemes)),
            "The backend services of a URL map must have the same load balancing scheme.",
        )


def _kinds(state: State, service: str, project: str) -> frozenset[str]:
    """The collections of the groups behind a backend service."""
    at = of_reference(service, project) if service else None
    body = state.store.get(at.key) if at else None
    groups = (one.get("group", "") for one in (body or {}).get("backends") or ())
    places = (of_reference(group, project) for group in groups)
    return frozenset(found.collection for found in places if found)


def _schemes(state: State, document: Json) -> set[str]:
    """The schemes of the map's backend services; buckets have none."""
    found = (state.store.get(f"compute/{path}") or {} for path in store_references(document))
    return {service["loadBalancingScheme"] for service in found if "loadBalancingScheme" in service}


def problems(document: Json) -> Iterator[ApiError]:
    """The errors in a URL map, without its tests."""
    yield from route_actions.problems(document, "default", "resource")
    matchers: dict[str, int] = {}
    for index, matcher in enumerate(document.get("pathMatchers") or []):
        field = f"resource.pathMatchers[{index}]"
        name = matcher.get("name", "")
        if not name or name in matchers:
            yield invalid(f"{field}.name", name, "Path matcher names must be given, and unique.")
        matchers[name] = index
        yield from _matcher_problems(matcher, field)
    used: set[str] = set()
    hosts: set[str] = set()
    for index, rule in enumerate(document.get("hostRules") or []):
        field = f"resource.hostRules[{index}]"
        name = rule.get("pathMatcher", "")
        if name not in matchers:
            yield invalid(f"{field}.pathMatcher", name, "The path matcher does not exist.")
        used.add(name)
        for host in rule.get("hosts") or [""]:
            if not host or (
                "*" in host[1:] or (host[0] == "*" and host[1:2] not in {"", ".", "-"})
            ):
                yield invalid(f"{field}.hosts", host, "It is not a host name or a wildcard.")
            if host.lower() in hosts:
                yield invalid(f"{field}.hosts", host, "The host stands in another host rule too.")
            hosts.add(host.lower())
    for index, test in enumerate(document.get("tests") or ()):
        code = test.get("expectedRedirectResponseCode")
        if code and test.get("service"):
            field = f"resource.tests[{index}].expectedRedirectResponseCode"
            yield invalid(field, code, "It cannot be set if service is set.")
    for name, index in matchers.items():
        if name not in used:
            yield invalid(
                f"resource.pathMatchers[{index}].name", name, "No host rule uses the path matcher."
            )


def _matcher_problems(matcher: Json, field: str) -> Iterator[ApiError]:
    yield from route_actions.problems(matcher, "default", field)
    if matcher.get("pathRules") and matcher.get("routeRules"):
        yield invalid(field, matcher.get("name"), "Path rules and route rules exclude each other.")
    seen: set[str] = set()
    for index, rule in enumerate(matcher.get("pathRules") or []):
        at = f"{field}.pathRules[{index}]"
        yield from route_actions.problems(rule, "", at)
        for path in rule.get("paths") or [""]:
            if not _PATH.fullmatch(path):
                yield invalid(
                    f"{at}.paths", path, "A path begins with /, and * stands only after its last /."
                )
            if path in seen:
                yield invalid(f"{at}.paths", path, "The path stands in another path rule too.")
            seen.add(path)
    priorities: set[int] = set()
    for index, rule in enumerate(matcher.get("routeRules") or []):
        at = f"{field}.routeRules[{index}]"
        priority = rule.get("priority", 0)
        if priority in priorities:
            yield invalid(f"{at}.priority", priority, "Priorities must be unique.")
        priorities.add(priority)
        yield from route_actions.problems(rule, "", at)
        yield from _match_problems(rule, at)
        if not rule.get("matchRules"):
            message = f"Required field '{at}.matchRules' not specified"
            yield ApiError(400, message, reason="required")


def _match_problems(rule: Json, field: str) -> Iterator[ApiError]:
    for index, match in enumerate(rule.get("matchRules") or []):
        at = f"{field}.matchRules[{index}]"
        given = [name for name in _PATH_MATCHES if match.get(name)]
        if len(given) > 1:
            yield invalid(f"{at}.{given[1]}", match[given[1]], f"{given[0]} is given too.")
        for name in ("prefixMatch", "fullPathMatch"):
            if match.get(name) and not match[name].startswith("/"):
                yield invalid(f"{at}.{name}", match[name], "A path begins with /.")
        try:
            re.compile(match.get("regexMatch") or "")
        except re.error as error:
            yield invalid(f"{at}.regexMatch", match["regexMatch"], f"{error}.")


def test_failures(document: Json, project: str) -> Iterator[Json]:
    """The `tests` that fail, as `urlMaps.validate` reports them."""
    for test in document.get("tests") or ():
        headers = {h.get("name", ""): h.get("value", "") for h in test.get("headers") or ()}
        outcome = route(document, Request(test.get("host", ""), test.get("path", "/"), headers))
        if not _passes(test, outcome, project):
            yield _failure(test, outcome)


def _passes(test: Json, outcome: Outcome, project: str) -> bool:
    service = test.get("service")
    if service and _path(service, project) not in {_path(s, project) for s in outcome.services}:
        return False
    code = test.get("expectedRedirectResponseCode")
    if code and code != outcome.redirect_code:
        return False
    expected, actual = test.get("expectedOutputUrl"), outcome.url
    if expected and outcome.services:
        # The backend does not see the scheme that the client used.
        expected, actual = (url.partition("://")[2] or url for url in (expected, actual))
    return not expected or bool(expected == actual)


def _path(reference: str, project: str) -> str:
    place = of_reference(reference, project)
    return place.path if place else reference


def _failure(test: Json, outcome: Outcome) -> Json:
    failure: Json = {"host": test.get("host", ""), "path": test.get("path", "/")}
    if test.get("headers"):
        failure["headers"] = test["headers"]
    if test.get("service"):
        failure["expectedService"] = test["service"]
    if outcome.services:
        failure["actualService"] = outcome.services[0]
    if test.get("expectedOutputUrl"):
        failure["expectedOutputUrl"] = test["expectedOutputUrl"]
        failure["actualOutputUrl"] = outcome.url
    if test.get("expectedRedirectResponseCode"):
        failure["expectedRedirectResponseCode"] = test["expectedRedirectResponseCode"]
        failure["actualRedirectResponseCode"] = outcome.redirect_code or 0
    return failure


def _sentence(failure: Json) -> str:
    url = f"HOST: {failure['host']}, PATH: {failure['path']}"
    expected, actual = failure.get("expectedService", ""), failure.get("actualService", "")
    if expected != actual and expected:
        return (
            f"Expect URL '{url}' to map to service '{expected}', but actually mapped to '{actual}'."
        )
    code, given = (failure.get(f"{w}RedirectResponseCode") for w in ("expected", "actual"))
    if code != given:
        return f"Expect URL '{url}' to be redirected with {code}, but actually got {given}."
    wanted, output = (failure.get(f"{w}OutputUrl", "") for w in ("expected", "actual"))
    return f"Expect URL '{url}' to lead to '{wanted}', but actually led to '{output}'."


async def validate(call: Call) -> Json:
    """`urlMaps.validate`: validates the map in the body; stores nothing."""
    document = call.body.get("resource") or {}
    is_classic = "EXTERNAL" in (call.body.get("loadBalancingSchemes") or ())
    found = [*problems(document), *url_map_limits.problems(document, is_classic=is_classic)]
    errors = [str(error) for error in found]
    if errors:
        return {"result": {"loadErrors": errors, "loadSucceeded": False}}
    failures = list(test_failures(document, call.path["project"]))
    result: Json = {"loadSucceeded": True, "testPassed": not failures}
    return {"result": result | ({"testFailures": failures} if failures else {})}
