"""The Logging query language: whether a filter is valid, and which entries it selects.

Comparisons are joined by AND (also unwritten), OR and NOT, of which NOT binds closest, then OR:
https://cloud.google.com/logging/docs/view/logging-query-language. Texts are compared without case.
`sample` and the other functions are recognized, and select everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Entry = Mapping[str, Any]
Test = Callable[[Entry], bool]
LONGEST = 20_000
_TOKEN = re.compile(
    r"""\s*(?:(?P<comment>--[^\n]*)|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<op>=~|!~|!=|>=|<=|=|:|>|<)|(?P<mark>[(),-])|(?P<word>[\w./*@%+]+(?:-[\w./*@%+]+)*))""",
    re.VERBOSE,
)
_FUNCTIONS = frozenset({"sample", "ip_in_net", "log_id", "source", "SEARCH"})
_JOINERS = frozenset({"AND", "OR", "NOT"})
Token = tuple[str, str]
_END: Token = ("end", "the end")


def parse(text: str) -> Test:
    """The filter as a test of an entry. Raises ValueError, which says what is wrong."""
    if len(text) > LONGEST:
        raise ValueError(f"it has {len(text)} characters; at most {LONGEST} are allowed")
    reader = _Reader([*_tokens(text), _END])
    if reader.next == _END:
        return lambda _: True
    found = reader.whole()
    if reader.next != _END:
        raise ValueError(f"unexpected {reader.next[1]!r}")
    return found


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    text = text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"unexpected {text[at:].strip()[:20]!r}")
        at = found.end()
        kind = str(found.lastgroup)
        if kind != "comment":
            yield kind, found[kind]


class _Reader:
    """Reads the tokens from left to right."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def next(self) -> Token:
        return self._tokens[self._at]

    def take(self, *wanted: str) -> str | None:
        """The next token's text, if it is one of these."""
        kind, text = self.next
        if kind != "text" and text in wanted:
            self._at += 1
            return text
        return None

    def need(self, mark: str) -> None:
        if self.take(mark) is None:
            raise ValueError(f"expected {mark!r}, found {self.next[1]!r}")

    def whole(self) -> Test:
        tests = [self.choice()]
        while self.take("AND") or self.next not in (_END, ("mark", ")")):
            tests.append(self.choice())
        return lambda entry: all(one(entry) for one in tests)

    def choice(self) -> Test:
        tests = [self.term()]
        while self.take("OR"):
            tests.append(self.term())
        return lambda entry: any(one(entry) for one in tests)

    def term(self) -> Test:
        if self.take("NOT", "-"):
            inner = self.term()
            return lambda entry: not inner(entry)
        if self.take("("):
            found = self.whole()
            self.need(")")
            return found
        return self.comparison()

    def comparison(self) -> Test:
        kind, name = self.next
        if kind not in ("word", "text") or name in _JOINERS:
            raise ValueError(f"expected a comparison, found {name!r}")
        path = self.path()
        if name in _FUNCTIONS and self.take("("):
            while not self.take(")"):
                if self.next == _END:
                    raise ValueError(f"{name} has no closing parenthesis")
                self._at += 1
            return lambda _: True
        op = self.take("=", "!=", "=~", "!~", ":", ">", "<", ">=", "<=")
        if op is None:
            return lambda entry: ".".join(path).lower() in str(entry).lower()
        return _compared(path, op, self.values())

    def path(self) -> list[str]:
        """The parts of a field's name, of which some may be quoted."""
        parts: list[str] = []
        while True:
            kind, text = self.next
            self._at += 1
            if kind == "text":
                parts.append(text[1:-1])
            else:
                parts += [one for one in text.split(".") if one]
            following = self.next
            joins = text.endswith(".") and kind == "word" and following[0] == "text"
            continues = kind == "text" and following[0] == "word" and following[1][:1] == "."
            if not (joins or continues):
                return parts

    def values(self) -> list[str]:
        """One value, or several in parentheses joined by OR."""
        if not self.take("("):
            return [self.value()]
        found = [self.value()]
        while self.take("OR"):
            found.append(self.value())
        self.need(")")
        return found

    def value(self) -> str:
        sign = self.take("-") or ""
        kind, text = self.next
        if kind not in ("text", "word") or text in _JOINERS:
            raise ValueError(f"expected a value, found {text!r}")
        self._at += 1
        return sign + (re.sub(r"\\(.)", r"\1", text[1:-1]) if kind == "text" else text)


def _compared(path: list[str], op: str, values: list[str]) -> Test:
    if op in ("=~", "!~"):
        for one in values:
            try:
                re.compile(one)
            except re.error as error:
                raise ValueError(f"{one!r} is no regular expression: {error}") from None

    def single(found: Any, value: str) -> bool:
        if op in ("=~", "!~"):
            return re.search(value, str(found)) is not None
        if op == ":":
            return value == "*" or value.lower() in str(found).lower()
        if op in ("=", "!="):
            return str(found).lower() == value.lower()
        try:
            one, other = float(found), float(value)
        except (TypeError, ValueError):
            return False
        return {">": one > other, "<": one < other, ">=": one >= other, "<=": one <= other}[op]

    def test(entry: Entry) -> bool:
        found: Any = entry
        for part in path:
            found = found.get(part) if isinstance(found, Mapping) else None
        if found is None:
            return op in ("!=", "!~")
        matches = any(single(found, one) for one in values)
        return not matches if op in ("!=", "!~") else matches

    return test
