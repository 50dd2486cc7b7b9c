"""What a rule of a URL map does with a request: rewrites, redirects, retries, faults, headers."""

from __future__ import annotations

from typing import Any

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.patterns import problem, rewrite_problem
from sandbox.traffic.load_balancer.unsupported import Document

TYPE = "type.googleapis.com/"
_REDIRECTS = {
    "MOVED_PERMANENTLY_DEFAULT": "MOVED_PERMANENTLY",
    "FOUND": "FOUND",
    "SEE_OTHER": "SEE_OTHER",
    "TEMPORARY_REDIRECT": "TEMPORARY_REDIRECT",
    "PERMANENT_REDIRECT": "PERMANENT_REDIRECT",
}
_REWRITE = "type.googleapis.com/envoy.extensions.path.rewrite.uri_template.v3"


def literal(text: str) -> str:
    """A header's value in which Envoy substitutes nothing."""
    return text.replace("%", "%%")


def header(name: str, value: str, *, replace: bool) -> Json:
    """A header to add; `value` is in Envoy's format language."""
    how = "OVERWRITE_IF_EXISTS_OR_ADD" if replace else "APPEND_IF_EXISTS_OR_ADD"
    added = {"header": {"key": name, "value": value}, "append_action": how}
    return added if value else added | {"keep_empty_value": True}


def header_action(holder: Document) -> Json:
    """The `headerAction` of a URL map, path matcher, rule or weighted backend service."""
    action = holder.one("headerAction")
    found: dict[str, Any] = {}
    for side in ("request", "response"):
        added = [
            header(
                one.text("headerName"),
                literal(one.text("headerValue")),
                replace=one.flag("replace"),
            )
            for one in action.many(f"{side}HeadersToAdd")
        ]
        removed = action.texts(f"{side}HeadersToRemove")
        if added:
            found[f"{side}_headers_to_add"] = added
        if removed:
            found[f"{side}_headers_to_remove"] = removed
    return found


def redirect(action: Document) -> Json:
    """A `urlRedirect`. Envoy keeps the query as Google does, and the port with the host."""
    code = action.text("redirectResponseCode") or "MOVED_PERMANENTLY_DEFAULT"
    found: dict[str, Any] = {"response_code": _REDIRECTS[code]}
    if host := action.text("hostRedirect"):
        found["host_redirect"] = host
    if path := action.text("pathRedirect"):
        found["path_redirect"] = path
    elif prefix := action.text("prefixRedirect"):
        found["prefix_rewrite"] = prefix
    if action.flag("httpsRedirect"):
        found["https_redirect"] = True
    if action.flag("stripQuery"):
        found["strip_query"] = True
    return found


def rewrite(action: Document, match: Json) -> Json:
    """The `urlRewrite` of a route action, for a request that was matched by `match`."""
    wanted = action.one("urlRewrite")
    found: dict[str, Any] = {}
    if host := wanted.text("hostRewrite"):
        found["host_rewrite_literal"] = host
    is_template = "path_match_policy" in match
    if template := wanted.text("pathTemplateRewrite"):
        matched = match["path_match_policy"]["typed_config"] if is_template else {}
        why = rewrite_problem(template, matched.get("path_template", ""))
        if is_template and why:
            wanted.decline("pathTemplateRewrite", why)
        elif is_template:
            found["path_rewrite_policy"] = {
                "name": "envoy.path.rewrite.uri_template.uri_template_rewriter",
                "typed_config": {
                    "@type": f"{_REWRITE}.UriTemplateRewriteConfig",
                    "path_template_rewrite": template,
                },
            }
        else:
            wanted.decline("pathTemplateRewrite", "The rule matches no path template.")
    elif prefix := wanted.text("pathPrefixRewrite"):
        if is_template:
            found["regex_rewrite"] = {"pattern": {"regex": "^.*$"}, "substitution": prefix}
        else:
            found["prefix_rewrite"] = prefix
    return found


def retries(action: Document) -> Json:
    """The retry policy.

    Without one Google retries a request without a body once, after 502, 503, 504 or no answer
    (https://docs.cloud.google.com/load-balancing/docs/https#retry-logic).
    """
    if not action.body.get("retryPolicy"):
        return {
            "retry_on": "gateway-error",
            "num_retries": 1,
            "retriable_request_headers": [
                {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD|OPTIONS"}}}
            ],
        }
    policy = action.one("retryPolicy")
    found: dict[str, Any] = {
        "num_retries": policy.whole("numRetries", 1),
        "retry_on": ",".join(policy.texts("retryConditions")) or "gateway-error",
    }
    if timeout := policy.duration("perTryTimeout"):
        found["per_try_timeout"] = timeout
    return found


def fraction(percent: float) -> Json:
    """A percentage with decimals."""
    return {"numerator": round(percent * 10_000), "denominator": "MILLION"}


def filters(action: Document) -> Json:
    """The configuration of filters that belongs to a route: faults and CORS."""
    found: Json = {}
    if action.has("faultInjectionPolicy"):
        found["envoy.filters.http.fault"] = _faults(action.one("faultInjectionPolicy"))
    if action.has("corsPolicy"):
        found["envoy.filters.http.cors"] = _cors(action.one("corsPolicy"))
    return found


def _faults(policy: Document) -> Json:
    found: Json = {"@type": f"{TYPE}envoy.extensions.filters.http.fault.v3.HTTPFault"}
    if policy.has("delay"):
        delay = policy.one("delay")
        found["delay"] = {
            "fixed_delay": delay.duration("fixedDelay") or "0s",
            "percentage": fraction(delay.number("percentage")),
        }
    if policy.has("abort"):
        abort = policy.one("abort")
        found["abort"] = {
            "http_status": abort.whole("httpStatus"),
            "percentage": fraction(abort.number("percentage")),
        }
    return found


def _cors(policy: Document) -> Json:
    origins = [{"exact": one} for one in policy.texts("allowOrigins")]
    regexes = policy.texts("allowOriginRegexes")
    for why in filter(None, map(problem, regexes)):
        policy.decline("allowOriginRegexes", why)
    patterns = [{"safe_regex": {"regex": one}} for one in regexes if not problem(one)]
    found: Json = {
        "@type": f"{TYPE}envoy.extensions.filters.http.cors.v3.CorsPolicy",
        "allow_origin_string_match": origins + patterns,
        "allow_credentials": policy.flag("allowCredentials"),
    }
    for field, name in (
        ("allowMethods", "allow_methods"),
        ("allowHeaders", "allow_headers"),
        ("exposeHeaders", "expose_headers"),
    ):
        if values := policy.texts(field):
            found[name] = ",".join(values)
    if policy.has("maxAge"):
        found["max_age"] = str(policy.whole("maxAge"))
    if policy.flag("disabled"):
        found["filter_enabled"] = {"default_value": fraction(0)}
    return found
