"""Regular expressions and path templates that Envoy would refuse.

Envoy refuses a whole update for one such pattern, and goes on with what it had. The real load
balancer refuses the URL map. So the pattern is reported, and its rule matches nothing.
"""

from __future__ import annotations

import re

NOTHING = r"[^\s\S]"
"""A regular expression that no text matches."""
_NOT_RE2 = re.compile(
    r"\(\?(?:[=!>(]|<[=!])"  # lookaround, atomic groups, conditions
    r"|\(\?P=|\\[1-9]"  # references to groups
    r"|(?<!\\)[*+?}]\+"  # possessive quantifiers
    r"|\{\d{4,}"  # repetitions above 1,000
)
_LITERAL = re.compile(r"[A-Za-z0-9._~%!$&'()+,;:@=-]*")
_VARIABLE = re.compile(r"\{([A-Za-z][A-Za-z0-9_]*)(?:=(\*\*?))?\}")
_MOST_WILDCARDS = 5


def problem(pattern: str) -> str | None:
    """Why a regular expression is not one of RE2; None where it is."""
    try:
        re.compile(pattern)
    except re.error as error:
        return f"It is not a regular expression: {error}."
    found = _NOT_RE2.search(pattern)
    return f"RE2 has no {found[0]!r}." if found else None


def template_problem(template: str) -> str | None:
    """Why a path template is not valid; None where it is."""
    segments = template.split("/")
    if segments[0] or len(segments) < 2:
        return "A path template begins with /."
    names: list[str] = []
    wildcards = 0
    for index, segment in enumerate(segments[1:], 2):
        variable = _VARIABLE.fullmatch(segment)
        operator = variable[2] or "*" if variable else segment if segment in ("*", "**") else ""
        if variable:
            names.append(variable[1])
        elif not operator and not _LITERAL.fullmatch(segment):
            return f"{segment!r} is neither a literal nor one wildcard or variable."
        wildcards += bool(operator)
        if operator == "**" and index < len(segments):
            return "** stands only at the end."
    if len(set(names)) < len(names):
        return "A variable stands twice."
    return "It has more than five wildcards." if wildcards > _MOST_WILDCARDS else None


def rewrite_problem(rewrite: str, template: str) -> str | None:
    """Why a template rewrite does not fit the template that was matched; None where it does."""
    known = {found[1] for found in _VARIABLE.finditer(template)}
    unknown = sorted({found[1] for found in _VARIABLE.finditer(rewrite)} - known)
    return f"The template has no variable {unknown[0]}." if unknown else None
