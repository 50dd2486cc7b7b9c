"""Trees of the rules language as predicates of Envoy's matching API.

A predicate reads one input, a header or the client's address. Parts of the path are told apart by
regular expressions over `:path`, which has the query too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.armor import signatures
from sandbox.traffic.load_balancer.armor.expressions import (
    Call,
    Name,
    Node,
    UnknownPartError,
    Value,
    constant,
    describe,
)
from sandbox.traffic.load_balancer.client import REGION_HEADER
from sandbox.traffic.load_balancer.patterns import problem
from sandbox.traffic.load_balancer.route_actions import TYPE

_GAP = "\0"
"""Stands for any text in a pattern, until it is known which characters that is."""
_TESTS = {
    "==": "{}",
    "startsWith": "{}" + _GAP,
    "endsWith": _GAP + "{}",
    "contains": _GAP + "{}" + _GAP,
}
_ANCHOR = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|[\^$]")
"""An anchor; escaped characters and classes are passed over as a whole."""
_ADDRESSES = frozenset({"origin.ip", "origin.user_ip"})
_HEADERS = {"request.method": ":method", "origin.region_code": REGION_HEADER}
_PARTS = {
    "request.path": (r"", r"(?:\?.*)?", r"[^?]"),
    "request.query": (r"[^?]*\?", r"", r"."),
}
"""Attribute → what stands before it and after it in `:path`, and its characters."""


def header(name: str, pattern: str) -> Json:
    """A header's whole value matches a regular expression; false where the header is missing."""
    return {
        "single_predicate": {
            "input": {
                "name": "request-header",
                "typed_config": {
                    "@type": f"{TYPE}envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
                    "header_name": name,
                },
            },
            "value_match": {"safe_regex": {"google_re2": {}, "regex": f"(?s){pattern}"}},
        }
    }


def addresses(ranges: Iterable[str]) -> Json:
    """The client's address is in one of some ranges; `*` stands for all."""
    given = list(ranges)
    if "*" in given:
        given = ["0.0.0.0/0", "::/0"]
    cidrs = []
    for one in given:
        prefix, _, length = one.partition("/")
        size = int(length) if length else (128 if ":" in prefix else 32)
        cidrs.append({"address_prefix": prefix, "prefix_len": size})
    return {
        "single_predicate": {
            "input": {
                "name": "source-ip",
                "typed_config": {
                    "@type": f"{TYPE}envoy.extensions.matching.common_inputs.network.v3"
                    ".SourceIPInput"
                },
            },
            "custom_match": {
                "name": "envoy.matching.matchers.ip",
                "typed_config": {
                    "@type": f"{TYPE}envoy.extensions.matching.input_matchers.ip.v3.Ip",
                    "cidr_ranges": cidrs,
                    "stat_prefix": "armor",
                },
            },
        }
    }


def every(found: list[Json]) -> Json:
    """All of them; Envoy wants two at least."""
    return found[0] if len(found) == 1 else {"and_matcher": {"predicate": found}}


def any_of(found: list[Json]) -> Json:
    """One of them."""
    return found[0] if len(found) == 1 else {"or_matcher": {"predicate": found}}


def negate(found: Json) -> Json:
    """The opposite."""
    return {"not_matcher": found}


NOTHING = header(":method", r"[^\s\S]")
"""Matches no request."""


def predicate(node: Node, exclusions: list[Json]) -> Json:
    """The predicate of an expression; `exclusions` are those of the rule.

    Raises UnknownPartError.
    """
    if isinstance(node, Value) and isinstance(node.value, bool):
        return header(":method", ".*") if node.value else NOTHING
    if not isinstance(node, Call):
        raise UnknownPartError(describe(node))
    name, arguments = node.name, node.arguments
    if name in ("&&", "||"):
        both = [predicate(one, exclusions) for one in arguments]
        return (every if name == "&&" else any_of)(both)
    if name == "unary !":
        return every([negate(predicate(arguments[0], exclusions)), *_present(arguments[0])])
    if name == "!=":
        return every([negate(_compared("==", arguments)), *_present(node)])
    if name.startswith("evaluatePreconfigured"):
        options = constant(arguments[1]) if len(arguments) > 1 else {}
        return _signatures(str(constant(arguments[0])), options, exclusions)
    return _simple(name, arguments)


def _simple(name: str, arguments: tuple[Node, ...]) -> Json:
    """The predicate of a function, method or operator on one attribute."""
    if name == "has":
        return _subject_header(arguments[0], ".*")
    if name == "inIpRange":
        if not isinstance(arguments[0], Name) or arguments[0].name not in _ADDRESSES:
            raise UnknownPartError(f"inIpRange of {describe(arguments[0])}")
        return addresses([str(constant(arguments[1]))])
    if name == "in":
        return any_of([_compared("==", (arguments[0], Value(v))) for v in constant(arguments[1])])
    if name == "matches":
        pattern = str(constant(arguments[1]))
        if why := problem(pattern):
            raise UnknownPartError(why.removesuffix("."))
        return _text(arguments[0], _partial(arguments[0], pattern))
    if name in _TESTS:
        return _compared(name, arguments)
    raise UnknownPartError(f"{name}()" if name.isidentifier() else name)


def _compared(name: str, arguments: tuple[Node, ...]) -> Json:
    subject, text = arguments
    if name == "==" and isinstance(subject, Value):
        subject, text = text, subject
    if isinstance(subject, Name) and subject.name in _ADDRESSES:
        return addresses([str(constant(text))])
    if not isinstance(value := constant(text), str):
        raise UnknownPartError(f"a comparison with {value!r}")
    return _text(subject, _TESTS[name].replace("{}", re.escape(value)))


def _partial(subject: Node, pattern: str) -> str:
    """A regular expression that may match anywhere, as one that matches the whole text.

    The end of the path is where the query begins, or where the text ends.
    """
    while isinstance(subject, Call) and subject.name in ("lower", "upper"):
        (subject,) = subject.arguments
    if subject == Name("request.path"):
        pattern = _ANCHOR.sub(lambda m: r"(?:\?|$)" if m[0] == "$" else m[0], pattern)
    elif subject == Name("request.query") and "^" in _ANCHOR.findall(pattern):
        raise UnknownPartError("^ in a pattern of the query")
    return f"{_GAP}(?:{pattern}){_GAP}"


def _text(subject: Node, pattern: str) -> Json:
    """A text attribute matches; functions around it change the pattern."""
    while isinstance(subject, Call) and subject.name in ("lower", "upper"):
        # A literal in the other case never equals the changed text: then nothing matches.
        literal = re.sub(r"\\.", "", pattern)
        changed = literal.lower() if subject.name == "lower" else literal.upper()
        if literal != changed and "(?:" not in pattern:
            return NOTHING
        pattern = f"(?i:{pattern})"
        (subject,) = subject.arguments
    if isinstance(subject, Name) and subject.name in _PARTS:
        before, after, character = _PARTS[subject.name]
        return header(":path", f"{before}{pattern.replace(_GAP, f'{character}*')}{after}")
    return _subject_header(subject, pattern)


def _subject_header(subject: Node, pattern: str) -> Json:
    if isinstance(subject, Name) and subject.name in _HEADERS:
        return header(_HEADERS[subject.name], pattern.replace(_GAP, ".*"))
    return header(_header_name(subject), pattern.replace(_GAP, ".*"))


def _header_name(subject: Node) -> str:
    if isinstance(subject, Call) and subject.name == "[]":
        holder, key = subject.arguments
        if holder == Name("request.headers"):
            name = str(constant(key)).lower()
            return ":authority" if name == "host" else name
    raise UnknownPartError(describe(subject))


def _present(node: Node) -> list[Json]:
    """That the headers in a negated part are there: without them the expression is an error, and
    a rule whose expression is an error does not match."""  # noqa: D205, D209
    if not isinstance(node, Call) or node.name == "has":
        return []
    if node.name == "[]":
        return [header(_header_name(node), ".*")]
    return [one for argument in node.arguments for one in _present(argument)]


def _signatures(name: str, options: Json, exclusions: list[Json]) -> Json:
    fields = [
        header(field, pattern) for field, pattern in signatures.patterns(name, options, exclusions)
    ]
    return any_of(fields) if fields else NOTHING
