"""How a URL map routes a request: hosts, path rules, route rules, rewrites and redirects.

Pure functions over the URL map as the API has it: the one description of how Google matches, for
whoever must foretell it. https://docs.cloud.google.com/load-balancing/docs/url-map-concepts
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

Json = dict[str, Any]

_CODES = {
    "MOVED_PERMANENTLY_DEFAULT": 301,
    "FOUND": 302,
    "SEE_OTHER": 303,
    "TEMPORARY_REDIRECT": 307,
    "PERMANENT_REDIRECT": 308,
}
_WILD = re.compile(r"\{(?P<name>[^=}]+)(?:=(?P<pattern>\*\*?))?\}|(?P<bare>\*\*?)")


def _regex(text: str, pattern: str) -> bool:
    return re.fullmatch(pattern, text) is not None


_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "exactMatch": str.__eq__,
    "prefixMatch": str.startswith,
    "suffixMatch": str.endswith,
    "regexMatch": _regex,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of routing a request."""

    services: tuple[str, ...] = ()
    """The backend that receives it, or the weighted backends."""
    redirect_code: int | None = None
    url: str
    """The URL that the backend receives, or that the client is redirected to."""
    matcher: str = field(default="", compare=False)
    """Name of the path matcher; empty where no host rule has the host."""
    rule: Json = field(default_factory=dict, compare=False)
    """The path rule or route rule that matched; empty for a default."""
    pattern: str = field(default="", compare=False)
    """The path of the path rule that matched."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the load balancer sees it; `path` may have a query."""

    host: str
    path: str
    headers: Mapping[str, str]
    scheme: str = "http"


def route(url_map: Json, request: Request) -> Outcome:
    """Route the request."""
    matcher = _path_matcher(url_map, request.host)
    if matcher is None:
        return _act(url_map, request, "default", "")
    path = urlsplit(request.path).path
    rules = {p: rule for rule in matcher.get("pathRules") or () for p in rule.get("paths") or ()}
    pattern = longest_match(path, rules)
    name = matcher.get("name", "")
    if pattern is not None:
        outcome = _act(rules[pattern], request, "", pattern.removesuffix("*"))
        return replace(outcome, matcher=name, rule=rules[pattern], pattern=pattern)
    for rule in sorted(matcher.get("routeRules") or (), key=lambda r: int(r.get("priority", 0))):
        for match in rule.get("matchRules") or ():
            portion = _matched_portion(match, request, path)
            if portion is not None:
                outcome = _act(rule, request, "", portion, match.get("pathTemplateMatch"))
                return replace(outcome, matcher=name, rule=rule)
    return replace(_act(matcher, request, "default", ""), matcher=name)


def _path_matcher(url_map: Json, host: str) -> Json | None:
    """The path matcher of the most specific host rule."""
    name = host.partition(":")[0].lower()
    rules = {
        pattern.lower(): rule.get("pathMatcher")
        for rule in url_map.get("hostRules") or ()
        for pattern in rule.get("hosts") or ()
    }
    matching = [h for h in rules if h.startswith("*") and name.endswith(h[1:])]
    chosen = name if name in rules else max(matching, key=len, default=None)
    if chosen is None:
        return None
    matchers: Iterable[Json] = url_map.get("pathMatchers") or ()
    return next((m for m in matchers if m.get("name") == rules[chosen]), None)


def longest_match(path: str, patterns: Iterable[str]) -> str | None:
    """The pattern that matches a path: the path itself, else the longest `/prefix/*`."""
    known = set(patterns)
    if path in known:
        return path
    matching = [p for p in known if p.endswith("/*") and path.startswith(p[:-1])]
    return max(matching, key=len, default=None)


def _matched_portion(match: Json, request: Request, path: str) -> str | None:
    """The part of the path that a match rule matches; None if the rule does not match."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    query = parse_qs(urlsplit(request.path).query, keep_blank_values=True)
    for header in match.get("headerMatches") or ():
        value = headers.get(str(header.get("headerName", "")).lower())
        if _text_matches(header, value) == bool(header.get("invertMatch")):
            return None
    for parameter in match.get("queryParameterMatches") or ():
        values = query.get(parameter.get("name", ""))
        if not _text_matches(parameter, values[0] if values else None):
            return None
    fold: Callable[[str], str] = str.lower if match.get("ignoreCase") else str
    portion: str | None = path
    if match.get("fullPathMatch") is not None:
        fits = fold(match["fullPathMatch"]) == fold(path)
    elif match.get("prefixMatch") is not None:
        fits = fold(path).startswith(fold(match["prefixMatch"]))
        portion = path[: len(match["prefixMatch"])]
    elif match.get("regexMatch") is not None:
        fits = _regex(path, match["regexMatch"])
    elif match.get("pathTemplateMatch") is not None:
        fits = template(match["pathTemplateMatch"]).fullmatch(path) is not None
    else:
        fits, portion = True, ""
    return portion if fits else None


def _text_matches(match: Json, value: str | None) -> bool:
    if match.get("presentMatch") is not None:
        return (value is not None) == bool(match["presentMatch"])
    if value is None:
        return False
    limits = match.get("rangeMatch")
    if limits:
        number = int(value) if re.fullmatch(r"-?\d+", value) else None
        return number is not None and int(limits["rangeStart"]) <= number < int(limits["rangeEnd"])
    return all(test(value, match[key]) for key, test in _TEXT_TESTS.items() if match.get(key))


def template(pattern: str) -> re.Pattern[str]:
    """The regular expression of a path template such as `/models/{name=*}/{rest=**}`."""
    parts: list[str] = []
    end = 0
    for found in _WILD.finditer(pattern):
        parts.append(re.escape(pattern[end : found.start()]))
        body = ".*" if (found["pattern"] or found["bare"]) == "**" else "[^/]+"
        parts.append(f"(?P<{found['name']}>{body})" if found["name"] else body)
        end = found.end()
    return re.compile("".join(parts) + re.escape(pattern[end:]))


def _act(
    rule: Json, request: Request, prefix: str, portion: str, path_template: str | None = None
) -> Outcome:
    def part(name: str) -> Json:
        return rule.get(prefix + name if prefix else name[0].lower() + name[1:]) or {}

    redirect, action = part("UrlRedirect"), part("RouteAction")
    if redirect:
        code = _CODES[redirect.get("redirectResponseCode") or "MOVED_PERMANENTLY_DEFAULT"]
        return Outcome(redirect_code=code, url=_redirected(redirect, request, portion))
    services = tuple(
        weighted.get("backendService", "")
        for weighted in action.get("weightedBackendServices") or ()
        if int(weighted.get("weight", 0))
    )
    service = rule.get("defaultService" if prefix else "service")
    url = _rewritten(action.get("urlRewrite") or {}, request, portion, path_template)
    return Outcome(services=services or ((service,) if service else ()), url=url)


def _redirected(redirect: Json, request: Request, portion: str) -> str:
    url = urlsplit(request.path)
    path: str = url.path
    if redirect.get("pathRedirect"):
        path = redirect["pathRedirect"]
    elif redirect.get("prefixRedirect"):
        path = redirect["prefixRedirect"] + path.removeprefix(portion)
    scheme = "https" if redirect.get("httpsRedirect") else request.scheme
    host: str = redirect.get("hostRedirect") or request.host
    query = "" if redirect.get("stripQuery") else url.query
    return urlunsplit((scheme, host, path, query, ""))


def _rewritten(rewrite: Json, request: Request, portion: str, path_template: str | None) -> str:
    url = urlsplit(request.path)
    path: str = url.path
    if rewrite.get("pathPrefixRewrite"):
        path = rewrite["pathPrefixRewrite"] + path.removeprefix(portion)
    elif rewrite.get("pathTemplateRewrite") and path_template:
        found = template(path_template).fullmatch(path)
        values = found.groupdict() if found else {}
        path = _WILD.sub(lambda m: values.get(m["name"] or "", ""), rewrite["pathTemplateRewrite"])
    host: str = rewrite.get("hostRewrite") or request.host
    return urlunsplit((request.scheme, host, path, url.query, ""))
