"""A URL map's rules in the order in which they match, and what is odd about them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from facts.url_map_routing import Request, longest_match, route
from gkeplatform.routes import ANY_HOST
from infra.networking.url_map.document import DEFAULT
from infra.networking.url_map.lookup import LoadBalancer

ANY = "any host"
_SOME = "any-path-that-no-rule-names"
_HOST = "any-host.invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One path of a rule."""

    host: str
    matcher: str
    pattern: str
    """A path, or one that ends in `*`: everything that begins like it."""
    headers: Mapping[str, str]
    """Values that headers of the request must have."""
    shares: tuple[tuple[str, int], ...]
    rewrite: str | None
    """Replaces the part of the path that matched."""
    mirrored: str | None
    shadowed_by: str | None
    """The path of the rule that gets its requests; None where it gets them itself."""


def rows(url_map: dict[str, Any]) -> Iterator[Row]:
    """Every path of every rule: by host, then in the order in which they match."""
    matchers = {one["name"]: one for one in url_map.get("pathMatchers") or ()}
    for host_rule in url_map.get("hostRules") or ():
        matcher = matchers[host_rule["pathMatcher"]]
        for host in host_rule["hosts"]:
            yield from _rows(url_map, host, matcher)


@dataclass(frozen=True, slots=True)
class _Case:
    """A path of a rule, with a request that should reach it."""

    pattern: str
    path: str
    headers: Mapping[str, str]
    rule: Mapping[str, Any]


def _rows(url_map: dict[str, Any], host: str, matcher: Mapping[str, Any]) -> Iterator[Row]:
    asked = _HOST if host == ANY_HOST else host.replace("*", "any")
    for case in (*_path_rules(matcher), *_route_rules(matcher)):
        outcome = route(url_map, Request(asked, case.path, case.headers))
        others = (_example(match)[0] for match in outcome.rule.get("matchRules") or ())
        other = outcome.pattern or next(others, "the default")
        action = case.rule.get("routeAction") or {}
        mirror = action.get("requestMirrorPolicy")
        split = action.get("weightedBackendServices") or ()
        yield Row(
            host=ANY if host == ANY_HOST else host,
            matcher=matcher["name"],
            pattern=case.pattern,
            headers=case.headers,
            shares=tuple((one["backendService"], one["weight"]) for one in split)
            or ((case.rule.get("service", DEFAULT), 100),),
            rewrite=(action.get("urlRewrite") or {}).get("pathPrefixRewrite"),
            mirrored=mirror["backendService"] if mirror else None,
            shadowed_by=None if outcome.rule is case.rule else other,
        )


def _path_rules(matcher: Mapping[str, Any]) -> list[_Case]:
    """Exact paths come first, then the longest prefix."""
    found = [
        _Case(path, f"{path[:-1]}{_SOME}" if path.endswith("*") else path, {}, rule)
        for rule in matcher.get("pathRules") or ()
        for path in rule["paths"]
    ]
    return sorted(
        found, key=lambda one: (one.pattern.endswith("*"), -len(one.pattern), one.pattern)
    )


def _route_rules(matcher: Mapping[str, Any]) -> Iterator[_Case]:
    """By priority; the lowest number comes first."""
    for rule in sorted(matcher.get("routeRules") or (), key=lambda one: int(one["priority"])):
        for match in rule.get("matchRules") or ():
            headers = {
                one["headerName"]: one.get("exactMatch", "")
                for one in match.get("headerMatches") or ()
            }
            yield _Case(*_example(match), headers, rule)


def _example(match: Mapping[str, Any]) -> tuple[str, str]:
    """A match rule's path as a pattern, and a path that it matches."""
    if "fullPathMatch" in match:
        return match["fullPathMatch"], match["fullPathMatch"]
    prefix = match.get("prefixMatch", "/")
    return f"{prefix}*", prefix


def shadowed(found: Iterable[Row]) -> Iterator[str]:
    """Rules that no request reaches."""
    for row in found:
        if row.shadowed_by:
            yield (
                f"{row.pattern} on {row.host} is never reached: {row.shadowed_by} gets its requests"
            )


def unreached(front: LoadBalancer) -> Iterator[str]:
    """Versions of models that no request reaches."""
    for name, known in front.routes.items():
        canary = known.canary
        if canary and canary.weight == 100:
            yield f'"{name}" itself gets no request: its canary has all of the weight'
        if canary and not canary.weight and not canary.mirror:
            yield f'"{canary.name}" gets no request: its weight is 0, and nothing is mirrored'


def overlaps(front: LoadBalancer) -> Iterator[str]:
    """Models that have a path below another model's: legal, and the longer path wins."""
    for matcher in front.planned:
        below = {
            f"{pattern.path}/*": rule.model for rule in matcher.rules for pattern in rule.patterns
        }
        host = ANY if matcher.host == ANY_HOST else matcher.host
        for prefix, model in below.items():
            path = prefix.removesuffix("/*")
            around = longest_match(path, (one for one in below if one != prefix))
            if around is not None and below[around] != model:
                yield (
                    f'{path} of "{model}" is below {around} of "{below[around]}" on {host}: what '
                    f'"{model}" does not claim of it goes to "{below[around]}"'
                )
