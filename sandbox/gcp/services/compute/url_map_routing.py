"""Where a URL map sends a request: hosts, path rules, route rules, rewrites and redirects.

Pure: it takes the URL map as the API shows it, and looks nothing up. The `tests` of a URL map are
judged with it, and whoever plays the load balancer can be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit, urlunsplit

from sandbox.gcp.discovery import Json

_CODES = {
    "MOVED_PERMANENTLY_DEFAULT": 301,
    "FOUND": 302,
    "SEE_OTHER": 303,
    "TEMPORARY_REDIRECT": 307,
    "PERMANENT_REDIRECT": 308,
}
_TEMPLATE = re.compile(r"\{(?P<name>[^=}]+)(?:=(?P<pattern>\*\*?))?\}|(?P<bare>\*\*?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What becomes of a request."""

    services: tuple[str, ...] = ()
    """The backend that gets it, or the backends among which it is shared out."""
    redirect_code: int | None = None
    url: str
    """The URL that is forwarded, or redirected to."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the load balancer sees it; `path` may have a query."""

    host: str
    path: str
    headers: Mapping[str, str]
    scheme: str = "http"


def route(url_map: Json, request: Request) -> Outcome:
    """Where the URL map sends the request."""
    matcher = _path_matcher(url_map, request.host)
    if matcher is None:
        return _act(url_map, request, "default", "")
    path = urlsplit(request.path).path
    for rule in matcher.get("pathRules") or ():
        # Only the longest of the patterns that match counts.
        matched = longest_match(path, _all_paths(matcher))
        if matched is not None and matched in rule["paths"]:
            return _act(rule, request, "", matched.removesuffix("*"))
    for rule in sorted(matcher.get("routeRules") or (), key=lambda r: int(r.get("priority", 0))):
        for match in rule.get("matchRules") or ({"prefixMatch": "/"},):
            portion = _matches(match, request, path)
            if portion is not None:
                return _act(rule, request, "", portion, match.get("pathTemplateMatch"))
    return _act(matcher, request, "default", "")


def _path_matcher(url_map: Json, host: str) -> Json | None:
    name = host.partition(":")[0].lower()
    rules = {
        h.lower(): r["pathMatcher"] for r in url_map.get("hostRules") or () for h in r["hosts"]
    }
    patterns = [h for h in rules if h.startswith("*") and name.endswith(h[1:])]
    chosen = name if name in rules else max(patterns, key=len, default=None)
    if chosen is None:
        return None
    wanted = rules[chosen]
    return next((m for m in url_map.get("pathMatchers") or () if m["name"] == wanted), None)


def _all_paths(matcher: Json) -> list[str]:
    return [path for rule in matcher.get("pathRules") or () for path in rule["paths"]]


def longest_match(path: str, patterns: Iterable[str]) -> str | None:
    """The pattern that a path belongs to: itself, else the longest `/prefix/*`."""
    known = set(patterns)
    if path in known:
        return path
    fitting = [p for p in known if p.endswith("/*") and path.startswith(p[:-1])]
    return max(fitting, key=len, default=None)


def _matches(match: Json, request: Request, path: str) -> str | None:
    """The portion of the path that a match rule matches, or None."""
    headers = {k.lower(): v for k, v in request.headers.items()}
    if not all(_header_matches(h, headers) for h in match.get("headerMatches") or ()):
        return None
    query = parse_qs(urlsplit(request.path).query, keep_blank_values=True)
    if not all(_query_matches(q, query) for q in match.get("queryParameterMatches") or ()):
        return None
    fold = str.lower if match.get("ignoreCase") else str
    if "fullPathMatch" in match:
        return path if fold(match["fullPathMatch"]) == fold(path) else None
    if "prefixMatch" in match:
        prefix = match["prefixMatch"]
        return path[: len(prefix)] if fold(path).startswith(fold(prefix)) else None
    if "regexMatch" in match:
        return path if re.fullmatch(match["regexMatch"], path) else None
    if "pathTemplateMatch" in match:
        return path if template(match["pathTemplateMatch"]).fullmatch(path) else None
    return ""


def _header_matches(match: Json, headers: Mapping[str, str]) -> bool:
    name = match["headerName"].lower()
    value = headers.get(name)
    return _text_matches(match, value) != bool(match.get("invertMatch"))


def _query_matches(match: Json, query: Mapping[str, list[str]]) -> bool:
    values = query.get(match["name"])
    return _text_matches(match, values[0] if values else None)


def _text_matches(match: Json, value: str | None) -> bool:
    if "presentMatch" in match:
        return (value is not None) == bool(match["presentMatch"])
    if value is None:
        return False
    if "rangeMatch" in match:
        limits = match["rangeMatch"]
        whole = re.fullmatch(r"-?\d+", value)
        return bool(whole) and int(limits["rangeStart"]) <= int(value) < int(limits["rangeEnd"])
    tests = {
        "exactMatch": str.__eq__,
        "prefixMatch": str.startswith,
        "suffixMatch": str.endswith,
        "regexMatch": lambda text, pattern: re.fullmatch(pattern, text) is not None,
    }
    return all(test(value, match[key]) for key, test in tests.items() if key in match)


def template(pattern: str) -> re.Pattern[str]:
    """The regular expression of a path template such as `/models/{name=*}/{rest=**}`."""
    parts: list[str] = []
    end = 0
    for found in _TEMPLATE.finditer(pattern):
        parts.append(re.escape(pattern[end : found.start()]))
        wild = found["pattern"] or found["bare"] or "*"
        body = ".*" if wild == "**" else "[^/]+"
        parts.append(f"(?P<{found['name']}>{body})" if found["name"] else body)
        end = found.end()
    return re.compile("".join(parts) + re.escape(pattern[end:]))


def _act(
    rule: Json, request: Request, prefix: str, portion: str, path_template: str | None = None
) -> Outcome:
    def part(name: str) -> Json:
        found = rule.get(f"{prefix}{name[0].upper()}{name[1:]}" if prefix else name)
        return found or {}

    redirect, action = part("urlRedirect"), part("routeAction")
    if redirect:
        code = _CODES[redirect.get("redirectResponseCode") or "MOVED_PERMANENTLY_DEFAULT"]
        return Outcome(redirect_code=code, url=_redirected(redirect, request, portion))
    services = tuple(
        weighted["backendService"]
        for weighted in action.get("weightedBackendServices") or ()
        if int(weighted.get("weight", 0))
    )
    service = rule.get("defaultService" if prefix else "service")
    url = _rewritten(action.get("urlRewrite") or {}, request, portion, path_template)
    return Outcome(services=services or ((service,) if service else ()), url=url)


def _redirected(redirect: Json, request: Request, portion: str) -> str:
    asked = urlsplit(request.path)
    path = asked.path
    if redirect.get("pathRedirect"):
        path = redirect["pathRedirect"]
    elif redirect.get("prefixRedirect"):
        path = redirect["prefixRedirect"] + path.removeprefix(portion)
    return urlunsplit(
        (
            "https" if redirect.get("httpsRedirect") else request.scheme,
            redirect.get("hostRedirect") or request.host,
            path,
            "" if redirect.get("stripQuery") else asked.query,
            "",
        )
    )


def _rewritten(rewrite: Json, request: Request, portion: str, path_template: str | None) -> str:
    asked = urlsplit(request.path)
    path = asked.path
    if rewrite.get("pathPrefixRewrite"):
        path = rewrite["pathPrefixRewrite"] + path.removeprefix(portion)
    elif rewrite.get("pathTemplateRewrite") and path_template:
        found = template(path_template).fullmatch(path)
        values = found.groupdict() if found else {}
        path = _TEMPLATE.sub(
            lambda m: values.get(m["name"] or "", ""), rewrite["pathTemplateRewrite"]
        )
    host = rewrite.get("hostRewrite") or request.host
    return urlunsplit((request.scheme, host, path, asked.query, ""))
