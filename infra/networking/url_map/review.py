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


def _rows(url_map: dict[str, Any], host: str, matcher: Mapping[str, Any]) -> Iterator[Row]:
    asked = _HOST if host == ANY_HOST else host.replace("*", "any")
    found = []
    for rule in matcher.get("pathRules") or ():
        for path in rule["paths"]:
            example = f"{path[:-1]}{_SOME}" if path.endswith("*") else path
            found.append((not path.endswith("*"), len(path), path, example, {}, rule))
    # Exact paths come first, then the longest prefix.
    found.sort(key=lambda one: (not one[0], -one[1], one[2]))
    for rule in sorted(matcher.get("routeRules") or (), key=lambda one: int(one["priority"])):
        for match in rule.get("matchRules") or ():
            pattern, example = _example(match)
            headers = {
                one["headerName"]: one.get("exactMatch", "")
                for one in match.get("headerMatches") or ()
            }
            found.append((False, 0, pattern, example, headers, rule))
    for _, _, pattern, example, headers, rule in found:
        outcome = route(url_map, Request(asked, example, headers))
        other = outcome.pattern or next(
            (_example(match)[0] for match in outcome.rule.get("matchRules") or ()), ""
        )
        action = rule.get("routeAction") or {}
        mirror = action.get("requestMirrorPolicy")
        yield Row(
            host=ANY if host == ANY_HOST else host,
            matcher=matcher["name"],
            pattern=pattern,
            shares=tuple(
                (one["backendService"], one["weight"])
                for one in action.get("weightedBackendServices") or ()
            )
            or ((rule.get("service", DEFAULT), 100),),
            rewrite=(action.get("urlRewrite") or {}).get("pathPrefixRewrite"),
            mirrored=mirror["backendService"] if mirror else None,
            shadowed_by=None if outcome.rule is rule else other or "the default",
        )


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
