"""Validation of the targets in a URL map: services, redirects and route actions.

A rule has one target: a service, a redirect, or weighted backend services. A route action without
weights modifies requests to the service beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid
from sandbox.gcp.services.compute import headers

_MAX_WEIGHT = 1000
_MAX_PERCENT = 100
_MAX_LENGTHS = {"hostRewrite": 255, "pathPrefixRewrite": 1024}
_REWRITES = ("pathPrefixRewrite", "pathTemplateRewrite", "regexRewrite")
_CONDITIONS = frozenset(
    {
        "5xx",
        "gateway-error",
        "connect-failure",
        "retriable-4xx",
        "refused-stream",
        "cancelled",
        "deadline-exceeded",
        "internal",
        "resource-exhausted",
        "unavailable",
    }
)


def problems(holder: Json, prefix: str, field: str) -> Iterator[ApiError]:
    """The errors in the target of `holder`; `prefix` is `default` for defaults."""

    def key(name: str) -> str:
        return prefix + name if prefix else name[0].lower() + name[1:]

    action: Json = holder.get(key("RouteAction")) or {}
    weighted = action.get("weightedBackendServices") or []
    targets = {
        key("Service"): holder.get(key("Service")),
        key("UrlRedirect"): holder.get(key("UrlRedirect")),
        f"{key('RouteAction')}.weightedBackendServices": weighted,
    }
    given = [name for name, value in targets.items() if value]
    if not given:
        message = f"Required field '{field}.{key('Service')}' not specified"
        yield ApiError(400, message, reason="required")
    if len(given) > 1:
        yield invalid(f"{field}.{given[1]}", "", f"Only one of {', '.join(targets)} can be set.")
    yield from headers.action_problems(holder.get("headerAction") or {}, f"{field}.headerAction")
    at = f"{field}.{key('RouteAction')}"
    yield from _weights(weighted, f"{at}.weightedBackendServices")
    yield from _mirror(action.get("requestMirrorPolicy"), f"{at}.requestMirrorPolicy")
    yield from _retries(action.get("retryPolicy"), f"{at}.retryPolicy")
    yield from _rewrite(action.get("urlRewrite") or {}, f"{at}.urlRewrite")


def scheme_problems(document: Json, schemes: Set[str]) -> Iterator[ApiError]:
    """The actions that load balancers of the services' schemes do not support."""
    for action, field in _all(document):
        if action.get("maxStreamDuration") and schemes - {"INTERNAL_SELF_MANAGED"}:
            yield invalid(
                f"{field}.maxStreamDuration",
                "",
                "Only allowed with backend services of the scheme INTERNAL_SELF_MANAGED.",
            )
        more = sorted(key for key, value in action.items() if value and key != "urlRewrite")
        if more and "EXTERNAL" in schemes:
            yield invalid(
                f"{field}.{more[0]}",
                "",
                "Classic Application Load Balancers support urlRewrite alone.",
            )


def mirror_problems(document: Json, kinds: Callable[[str], frozenset[str]]) -> Iterator[ApiError]:
    """Mirrors whose backends are of another kind than those of the mirrored service.

    `kinds` returns the kinds of groups behind a backend service; none if it has no backends.
    """
    for action, field, service in _targets(document):
        mirror = (action.get("requestMirrorPolicy") or {}).get("backendService")
        weighted = action.get("weightedBackendServices") or ()
        copied = [one.get("backendService", "") for one in weighted] or [service]
        there = kinds(mirror) if mirror else frozenset()
        for one in copied if there else ():
            if (found := kinds(one)) and not found & there:
                yield invalid(
                    f"{field}.requestMirrorPolicy.backendService",
                    mirror,
                    "Its backends must be of the same type as those of the original service.",
                )


def _all(document: Json) -> Iterator[tuple[Json, str]]:
    return ((action, field) for action, field, _ in _targets(document))


def _targets(document: Json) -> Iterator[tuple[Json, str, str]]:
    """Every route action with its field, and the service beside it."""

    def default(holder: Json, at: str) -> tuple[Json, str, str]:
        action = holder.get("defaultRouteAction") or {}
        return action, f"{at}.defaultRouteAction", holder.get("defaultService", "")

    yield default(document, "resource")
    for index, matcher in enumerate(document.get("pathMatchers") or ()):
        at = f"resource.pathMatchers[{index}]"
        yield default(matcher, at)
        for kind in ("pathRules", "routeRules"):
            for turn, rule in enumerate(matcher.get(kind) or ()):
                action = rule.get("routeAction") or {}
                yield action, f"{at}.{kind}[{turn}].routeAction", rule.get("service", "")


def _weights(weighted: list[Json], field: str) -> Iterator[ApiError]:
    for index, one in enumerate(weighted):
        action = one.get("headerAction") or {}
        yield from headers.action_problems(action, f"{field}[{index}].headerAction")
        weight = int(one.get("weight") or 0)
        if not one.get("backendService"):
            message = f"Required field '{field}[{index}].backendService' not specified"
            yield ApiError(400, message, reason="required")
        if not 0 <= weight <= _MAX_WEIGHT:
            yield invalid(f"{field}[{index}].weight", weight, "Must be from 0 to 1000.")
    if weighted and not any(one.get("weight") for one in weighted):
        yield invalid(field, "0", "No weight is above 0.")


def _mirror(policy: Json | None, field: str) -> Iterator[ApiError]:
    if policy is None:
        return
    if not policy.get("backendService"):
        message = f"Required field '{field}.backendService' not specified"
        yield ApiError(400, message, reason="required")
    percent = policy.get("mirrorPercent")
    if percent is not None and not 0 <= percent <= _MAX_PERCENT:
        yield invalid(f"{field}.mirrorPercent", percent, "Must be from 0 to 100.")


def _retries(policy: Json | None, field: str) -> Iterator[ApiError]:
    if policy is None:
        return
    if policy.get("numRetries") is not None and int(policy["numRetries"]) < 1:
        yield invalid(f"{field}.numRetries", policy["numRetries"], "Must be greater than 0.")
    for index, condition in enumerate(policy.get("retryConditions") or ()):
        if condition not in _CONDITIONS:
            yield invalid(f"{field}.retryConditions[{index}]", condition, "Unknown condition.")
    patience = policy.get("perTryTimeout")
    if patience is not None and not any(int(patience.get(k) or 0) for k in ("seconds", "nanos")):
        yield invalid(f"{field}.perTryTimeout", "0", "Must be non-zero.")


def _rewrite(rewrite: Json, field: str) -> Iterator[ApiError]:
    for name, longest in _MAX_LENGTHS.items():
        value = rewrite.get(name)
        if value is not None and not 1 <= len(value) <= longest:
            yield invalid(f"{field}.{name}", value, f"Must be 1 to {longest} characters.")
    given = [name for name in _REWRITES if rewrite.get(name)]
    if len(given) > 1:
        yield invalid(f"{field}.{given[1]}", rewrite[given[1]], f"{given[0]} is given too.")
