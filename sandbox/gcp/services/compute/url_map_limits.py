"""How much the API takes of a URL map, by the limits that Google publishes.

https://docs.cloud.google.com/load-balancing/docs/quotas#url_maps; the wording of the refusals is
that of other limits of compute.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.store import references

_MOST = 1000
_MOST_BACKENDS = 2500
_MOST_TESTS, _MOST_CLASSIC_TESTS = 100, 10_000
_MOST_BYTES = 1_000_000
_MATCHES = ("prefixMatch", "fullPathMatch", "pathTemplateMatch")


def problems(document: Json, *, is_classic: bool) -> Iterator[ApiError]:
    """Where the map is above a limit."""
    matchers = document.get("pathMatchers") or []
    yield from _above("host rules", document.get("hostRules") or [])
    yield from _above("path matchers", matchers)
    for rule in document.get("hostRules") or ():
        yield from _above("hosts of a host rule", rule.get("hosts") or [])
    for matcher in matchers:
        rules = [*(matcher.get("pathRules") or ()), *(matcher.get("routeRules") or ())]
        yield from _above("rules of a path matcher", rules)
        predicates = sum(_predicates(rule) for rule in rules)
        if predicates > _MOST:
            yield _refusal("predicates of a path matcher", predicates, _MOST)
    backends = len(set(references(document)))
    if backends > _MOST_BACKENDS:
        yield _refusal("backend services and backend buckets", backends, _MOST_BACKENDS)
    tests = len(document.get("tests") or ())
    most = _MOST_CLASSIC_TESTS if is_classic else _MOST_TESTS
    if tests > most:
        yield _refusal("tests", tests, most)
    size = len(json.dumps(document, separators=(",", ":")))
    if size > _MOST_BYTES:
        yield _refusal("bytes", size, _MOST_BYTES)


def _predicates(rule: Json) -> int:
    """Conditions: of a path rule its paths, of a route rule what each match asks for."""
    count = len(rule.get("paths") or ())
    for match in rule.get("matchRules") or ():
        count += any(match.get(name) for name in _MATCHES)
        count += len(match.get("headerMatches") or ())
        count += len(match.get("queryParameterMatches") or ())
    return count


def _above(what: str, found: list[Json] | list[str]) -> Iterator[ApiError]:
    if len(found) > _MOST:
        yield _refusal(what, len(found), _MOST)


def _refusal(what: str, found: int, most: int) -> ApiError:
    return ApiError(
        413,
        f"Exceeded limit of {what} on resource 'urlMap'. Limit: {most}; given: {found}",
        reason="limitExceeded",
    )
