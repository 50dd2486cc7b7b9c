"""The limits of URL maps that Google publishes.

https://docs.cloud.google.com/load-balancing/docs/quotas#url_maps; the messages are worded like
those of compute's other limits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.store import references

_MAX = 1000
_MAX_BACKENDS = 2500
_MAX_TESTS, _MAX_CLASSIC_TESTS = 100, 10_000
_MAX_BYTES = 1_000_000
_MATCHES = ("prefixMatch", "fullPathMatch", "pathTemplateMatch")


def problems(document: Json, *, is_classic: bool) -> Iterator[ApiError]:
    """The limits that the map exceeds."""
    matchers = document.get("pathMatchers") or []
    yield from _over_limit("host rules", document.get("hostRules") or [])
    yield from _over_limit("path matchers", matchers)
    for rule in document.get("hostRules") or ():
        yield from _over_limit("hosts of a host rule", rule.get("hosts") or [])
    for matcher in matchers:
        rules = [*(matcher.get("pathRules") or ()), *(matcher.get("routeRules") or ())]
        yield from _over_limit("rules of a path matcher", rules)
        predicates = sum(_predicates(rule) for rule in rules)
        if predicates > _MAX:
            yield _refusal("predicates of a path matcher", predicates, _MAX)
    backends = len(set(references(document)))
    if backends > _MAX_BACKENDS:
        yield _refusal("backend services and backend buckets", backends, _MAX_BACKENDS)
    tests = len(document.get("tests") or ())
    limit = _MAX_CLASSIC_TESTS if is_classic else _MAX_TESTS
    if tests > limit:
        yield _refusal("tests", tests, limit)
    size = len(json.dumps(document, separators=(",", ":")))
    if size > _MAX_BYTES:
        yield _refusal("bytes", size, _MAX_BYTES)


def _predicates(rule: Json) -> int:
    """Number of conditions: the paths of a path rule, the matches of a route rule."""
    count = len(rule.get("paths") or ())
    for match in rule.get("matchRules") or ():
        count += any(match.get(name) for name in _MATCHES)
        count += len(match.get("headerMatches") or ())
        count += len(match.get("queryParameterMatches") or ())
    return count


def _over_limit(what: str, found: list[Json] | list[str]) -> Iterator[ApiError]:
    if len(found) > _MAX:
        yield _refusal(what, len(found), _MAX)


def _refusal(what: str, found: int, limit: int) -> ApiError:
    return ApiError(
        413,
        f"Exceeded limit of {what} on resource 'urlMap'. Limit: {limit}; given: {found}",
        reason="limitExceeded",
    )
