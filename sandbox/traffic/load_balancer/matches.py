"""Which requests a rule of a URL map takes, as Envoy's route matches.

Envoy and Google agree in most: a path is matched without its query, a regular expression is RE2's
and matches the whole text, and a header that is not there matches nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer import patterns
from sandbox.traffic.load_balancer.unsupported import Document

_TEXTS = {"exactMatch": "exact", "prefixMatch": "prefix", "suffixMatch": "suffix"}
TEMPLATE = "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig"
EVERYTHING: Json = {"prefix": ""}


def _regex(holder: Document) -> Json | None:
    """The `regexMatch` of a match, which the whole text must match; None where it has none."""
    pattern = holder.text("regexMatch")
    if not pattern:
        return None
    if why := patterns.problem(pattern):
        holder.decline("regexMatch", f"The rule matches nothing. {why}")
        pattern = patterns.NOTHING
    return {"safe_regex": {"regex": pattern}}


def path_rule(pattern: str) -> Json:
    """The match of a path rule's path: `/models/*` or the path itself."""
    if pattern.endswith("/*"):
        return {"prefix": pattern[:-1]}
    return {"path": pattern}


def by_precedence(patterns: Iterable[str]) -> list[str]:
    """A matcher's paths in the order in which Google tries them: the longest match wins."""
    return sorted(patterns, key=lambda one: (one.endswith("/*"), -len(one), one))


def match_rule(rule: Document) -> Json:
    """The match of one of a route rule's `matchRules`."""
    match = _path(rule)
    if rule.flag("ignoreCase") and ("prefix" in match or "path" in match):
        match["case_sensitive"] = False
    headers = [_header(one) for one in rule.many("headerMatches")]
    if headers:
        match["headers"] = headers
    parameters = [_parameter(one) for one in rule.many("queryParameterMatches")]
    if parameters:
        match["query_parameters"] = parameters
    rule.decline("metadataFilters", "Only Cloud Service Mesh has metadata of proxies.")
    return match


def _path(rule: Document) -> Json:
    if full := rule.text("fullPathMatch"):
        return {"path": full}
    if prefix := rule.text("prefixMatch"):
        return {"prefix": prefix}
    if regex := _regex(rule):
        return regex
    if template := rule.text("pathTemplateMatch"):
        if why := patterns.template_problem(template):
            rule.decline("pathTemplateMatch", f"The rule matches nothing. {why}")
            return {"safe_regex": {"regex": patterns.NOTHING}}
        return {
            "path_match_policy": {
                "name": "envoy.path.match.uri_template.uri_template_matcher",
                "typed_config": {"@type": TEMPLATE, "path_template": template},
            }
        }
    return dict(EVERYTHING)


def _text(match: Document) -> Json | None:
    for field, matcher in _TEXTS.items():
        if text := match.text(field):
            return {matcher: text}
    return _regex(match)


def _header(match: Document) -> Json:
    found: dict[str, Any] = {"name": match.text("headerName")}
    if match.has("rangeMatch"):
        limits = match.one("rangeMatch")
        found["range_match"] = {
            "start": str(limits.whole("rangeStart")),
            "end": str(limits.whole("rangeEnd")),
        }
    elif text := _text(match):
        found["string_match"] = text
    else:
        # A match that states nothing but a name asks for the header's presence.
        present = match.value("presentMatch")
        found["present_match"] = True if present is None else bool(present)
    if match.flag("invertMatch"):
        found["invert_match"] = True
        if "present_match" not in found:
            # The criterion is not met by a header that is missing either.
            found["treat_missing_header_as_empty"] = True
    return found


def _parameter(match: Document) -> Json:
    found: dict[str, Any] = {"name": match.text("name")}
    text = _text(match)
    if text:
        found["string_match"] = text
    else:
        present = match.value("presentMatch")
        found["present_match"] = True if present is None else bool(present)
    return found
