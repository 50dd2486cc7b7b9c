"""URL maps: what the API validates of them, and the routing that their tests are run through."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid
from sandbox.gcp.service import Call, State
from sandbox.gcp.services.compute.place import Place, of_reference
from sandbox.gcp.store import references as store_references

_ACTIONS = ("Service", "UrlRedirect", "RouteAction")
_PATH = re.compile(r"/(?:[^*?#]*)(?:/\*)?|/\*")


def complete(state: State, place: Place, document: Json, old: Json | None) -> None:  # noqa: ARG001
    """Refuse what the API refuses of a URL map; its tests must pass."""
    errors = list(problems(document))
    if errors:
        raise errors[0]
    failed = [result for result in run_tests(document) if not result["passed"]]
    if failed:
        raise invalid(
            "resource.tests", failed[0]["shown"],
            f"Test failure: Expect URL '{failed[0]['shown']}' to map to service "
            f"'{failed[0]['expectedService']}', but actually mapped to "
            f"'{failed[0]['actualService']}'.",
        )  # fmt: skip


def shown(state: State, place: Place, document: Json) -> None:
    """Add what a map of the newer external load balancer takes of its quota.

    The units are an estimate: Google does not publish how it counts them. This is what it answered
    for a map with one path matcher and no rules.
    """
    schemes = set()
    for path in store_references(document):
        service = state.store.get(f"compute/{path}") or {}
        schemes.add(service.get("loadBalancingScheme"))
    if "EXTERNAL_MANAGED" not in schemes:
        return
    proxies = [key.partition("/")[2] for key in state.store.users(place.path)]
    rules = {key for proxy in proxies for key in state.store.users(proxy)}
    matchers = document.get("pathMatchers") or []
    inner = sum(len(m.get("pathRules") or m.get("routeRules") or []) for m in matchers)
    units = 51 + 10 * len(matchers) + inner
    document["status"] = {
        "quotaUsage": {"forwardingRules": len(rules), "units": str(units)},
    }


def problems(document: Json) -> Iterator[ApiError]:
    """What is wrong with a URL map, but for its tests."""
    if not _has_action(document, "default"):
        yield ApiError(
            400, "Required field 'resource.defaultService' not specified", reason="required"
        )
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
            if host in hosts:
                yield invalid(f"{field}.hosts", host, "The host stands in another host rule too.")
            hosts.add(host)
    for name, index in matchers.items():
        if name not in used:
            yield invalid(
                f"resource.pathMatchers[{index}].name", name, "No host rule uses the path matcher."
            )


def _matcher_problems(matcher: Json, field: str) -> Iterator[ApiError]:
    if not _has_action(matcher, "default"):
        message = f"Required field '{field}.defaultService' not specified"
        yield ApiError(400, message, reason="required")
    if matcher.get("pathRules") and matcher.get("routeRules"):
        yield invalid(field, matcher.get("name"), "Path rules and route rules exclude each other.")
    seen: set[str] = set()
    for index, rule in enumerate(matcher.get("pathRules") or []):
        at = f"{field}.pathRules[{index}]"
        if not _has_action(rule, ""):
            yield ApiError(400, f"Required field '{at}.service' not specified", reason="required")
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
        if not _has_action(rule, ""):
            yield ApiError(400, f"Required field '{at}.service' not specified", reason="required")
        if not rule.get("matchRules"):
            message = f"Required field '{at}.matchRules' not specified"
            yield ApiError(400, message, reason="required")
        weights = (rule.get("routeAction") or {}).get("weightedBackendServices")
        if weights and not any(w.get("weight") for w in weights):
            yield invalid(f"{at}.routeAction.weightedBackendServices", "0", "No weight is above 0.")


def _has_action(holder: Json, prefix: str) -> bool:
    names = (prefix + name if prefix else name[0].lower() + name[1:] for name in _ACTIONS)
    return any(holder.get(name) for name in names)


def run_tests(document: Json) -> Iterator[Json]:
    """Each test with what it expects, what it gets, and whether they are the same."""
    for test in document.get("tests") or []:
        host, path = test.get("host", ""), test.get("path", "/")
        headers = {h.get("name", "").lower(): h.get("value", "") for h in test.get("headers") or []}
        got = route(document, host, path, headers)
        expected = test.get("service")
        redirect = test.get("expectedRedirectResponseCode")
        passed = True
        if expected:
            passed = _same(expected, got.get("service"))
        if redirect:
            passed = passed and got.get("redirectCode") == redirect
        yield {
            "host": host,
            "path": path,
            "shown": f"HOST: {host}, PATH: {path}",
            "expectedService": expected or "",
            "actualService": got.get("service", ""),
            "passed": passed,
        }


def _same(one: str, other: str | None) -> bool:
    a, b = of_reference(one, "-"), of_reference(other or "", "-")
    return a is not None and b is not None and (a.scope, a.collection, a.name) == (
        b.scope, b.collection, b.name,
    )  # fmt: skip


def route(document: Json, host: str, path: str, headers: dict[str, str] | None = None) -> Json:
    """Where a request goes: {"service"} or {"redirectCode"}."""
    name = _matcher_for(document, host)
    matchers = {m["name"]: m for m in document.get("pathMatchers") or []}
    if name is None or name not in matchers:
        return _action(document, "default")
    matcher = matchers[name]
    plain = path.partition("?")[0]
    for rule in sorted(matcher.get("routeRules") or [], key=lambda r: r.get("priority", 0)):
        if any(_matches(match, plain, headers or {}) for match in rule.get("matchRules") or []):
            return _action(rule, "")
    best, chosen = -1, None
    for rule in matcher.get("pathRules") or []:
        for pattern in rule.get("paths") or []:
            length = _path_match(pattern, plain)
            if length > best:
                best, chosen = length, rule
    return _action(chosen, "") if chosen is not None else _action(matcher, "default")


def _matcher_for(document: Json, host: str) -> str | None:
    """The path matcher of the most specific host rule."""
    bare = host.lower().partition(":")[0]
    best, chosen = -1, None
    for rule in document.get("hostRules") or []:
        for pattern in rule.get("hosts") or []:
            if pattern == "*":
                length = 0
            elif pattern.startswith("*"):
                length = len(pattern) if bare.endswith(pattern[1:]) else -1
            else:
                length = 1000 + len(pattern) if bare == pattern.lower() else -1
            if length > best:
                best, chosen = length, rule.get("pathMatcher")
    return chosen


def _path_match(pattern: str, path: str) -> int:
    """How specific a path rule's match is; -1 for none. `/a/*` matches `/a/` and below."""
    if pattern.endswith("/*"):
        return len(pattern) if path.startswith(pattern[:-1]) else -1
    return 10_000 if path == pattern else -1


def _matches(rule: Json, path: str, headers: dict[str, str]) -> bool:
    folded = bool(rule.get("ignoreCase"))
    have = path.lower() if folded else path

    def want(text: str) -> str:
        return text.lower() if folded else text

    if rule.get("prefixMatch") is not None:
        matched = have.startswith(want(rule["prefixMatch"]))
    elif rule.get("fullPathMatch") is not None:
        matched = have == want(rule["fullPathMatch"])
    elif rule.get("regexMatch") is not None:
        matched = re.fullmatch(rule["regexMatch"], path) is not None
    elif rule.get("pathTemplateMatch") is not None:
        matched = re.fullmatch(_template(rule["pathTemplateMatch"]), path) is not None
    else:
        matched = True
    return matched and all(_header(h, headers) for h in rule.get("headerMatches") or [])


def _template(template: str) -> str:
    parts = re.split(r"(\{[^}]*\}|\*\*|\*)", template)
    known = {"**": ".*", "*": "[^/]+"}
    return "".join(
        known.get(part) or (_variable(part) if part.startswith("{") else re.escape(part))
        for part in parts
    )


def _variable(part: str) -> str:
    inner = part[1:-1].partition("=")[2] or "*"
    return _template(inner)


def _header(match: Json, headers: dict[str, str]) -> bool:
    value: Any = headers.get(str(match.get("headerName", "")).lower())
    if match.get("presentMatch"):
        result = value is not None
    elif match.get("exactMatch") is not None:
        result = value == match["exactMatch"]
    elif match.get("prefixMatch") is not None:
        result = value is not None and value.startswith(match["prefixMatch"])
    elif match.get("suffixMatch") is not None:
        result = value is not None and value.endswith(match["suffixMatch"])
    elif match.get("regexMatch") is not None:
        result = value is not None and re.fullmatch(match["regexMatch"], value) is not None
    else:
        result = True
    return result != bool(match.get("invertMatch"))


def _action(holder: Json, prefix: str) -> Json:
    service = holder.get(f"{prefix}Service" if prefix else "service")
    redirect = holder.get(f"{prefix}UrlRedirect" if prefix else "urlRedirect")
    action = holder.get(f"{prefix}RouteAction" if prefix else "routeAction")
    if redirect:
        codes = {
            "MOVED_PERMANENTLY_DEFAULT": 301, "FOUND": 302, "SEE_OTHER": 303,
            "TEMPORARY_REDIRECT": 307, "PERMANENT_REDIRECT": 308,
        }  # fmt: skip
        return {
            "redirectCode": codes[redirect.get("redirectResponseCode", "MOVED_PERMANENTLY_DEFAULT")]
        }
    if service:
        return {"service": service}
    weights = (action or {}).get("weightedBackendServices") or [{}]
    heaviest = max(weights, key=lambda w: w.get("weight", 0))
    return {"service": heaviest.get("backendService", "")}


async def validate(call: Call) -> Json:
    """`urlMaps.validate`: the map in the body is judged, and nothing is stored."""
    document = call.body.get("resource") or {}
    errors = [str(error) for error in problems(document)]
    if errors:
        return {"result": {"loadErrors": errors, "loadSucceeded": False}}
    results = list(run_tests(document))
    failures = [
        {k: r[k] for k in ("host", "path", "expectedService", "actualService")}
        for r in results
        if not r["passed"]
    ]
    result: Json = {"loadSucceeded": True, "testPassed": not failures}
    return {"result": result | ({"testFailures": failures} if failures else {})}
