"""The syntax of Cloud Armor's rules language, a subset of CEL: parsed, never evaluated.

https://docs.cloud.google.com/armor/docs/rules-language-reference lists the attributes and
functions. A name that is not among them is refused, as Google does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>r?(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))|(?P<number>\d+(?:\.\d+)?u?)
    |(?P<op>&&|\|\||==|!=|<=|>=|[<>!+*/%?:-])|(?P<mark>[()\[\]{},.])|(?P<word>[A-Za-z_]\w*))""",
    re.VERBOSE,
)
_BINARY = frozenset(["&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "in"])
_ROOTS = frozenset({"request", "origin", "token", "true", "false", "null"})
_FUNCTIONS = frozenset(
    {
        "evaluateAdaptiveProtection",
        "evaluateAdaptiveProtectionAutoDeploy",
        "evaluateAddressGroup",
        "evaluateOrganizationAddressGroup",
        "evaluatePreconfiguredExpr",
        "evaluatePreconfiguredWaf",
        "evaluateThreatIntelligence",
        "has",
        "inIpRange",
        "int",
        "size",
        "string",
    }
)
_METHODS = frozenset(
    {
        "base64Decode",
        "contains",
        "endsWith",
        "inIpRange",
        "lower",
        "matches",
        "size",
        "startsWith",
        "upper",
        "urlDecode",
        "urlDecodeUni",
        "utf8ToUnicode",
    }
)


class ExpressionError(ValueError):
    """What is wrong with an expression, and at which character."""


@dataclass(frozen=True, slots=True)
class Token:
    """A string, number, word, operator or mark, and where it stands."""

    kind: str
    text: str
    column: int


def check(expression: str) -> None:
    """Raise ExpressionError where the text is no expression of the rules language."""
    parser = _Parser([*tokens(expression), Token("end", "<EOF>", len(expression))])
    parser.expression()
    parser.expect("<EOF>")


def tokens(text: str) -> Iterator[Token]:
    """The tokens of an expression. Raises ExpressionError at a character that begins none."""
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise ExpressionError(
                f"1:{at + 1}: Syntax error: token recognition error at '{text[at]}'"
            )
        kind = str(match.lastgroup)
        yield Token(kind, match[kind], match.start(kind))
        at = match.end()


class _Parser:
    """A recursive descent over the tokens; precedence does not matter to syntax."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._next
        self._at += 1
        return token

    def expect(self, text: str) -> None:
        if self._next.kind == "string" or self._next.text != text:
            raise self._unexpected()
        self._take()

    def _unexpected(self) -> ExpressionError:
        token = self._next
        return ExpressionError(f"1:{token.column + 1}: Syntax error: unexpected '{token.text}'")

    def expression(self) -> None:
        self._unary()
        while self._next.kind in ("op", "word") and self._next.text in _BINARY:
            self._take()
            self._unary()
        if self._next.kind == "op" and self._next.text == "?":
            self._take()
            self.expression()
            self.expect(":")
            self.expression()

    def _unary(self) -> None:
        while self._next.kind == "op" and self._next.text in ("!", "-"):
            self._take()
        self._primary()
        while self._next.kind == "mark" and self._next.text in (".", "["):
            if self._take().text == "[":
                self.expression()
                self.expect("]")
            else:
                self._member()

    def _member(self) -> None:
        if self._next.kind != "word":
            raise self._unexpected()
        name = self._take()
        if self._next.text == "(" and self._next.kind == "mark":
            self._known(name, name.text in _METHODS)
            self._arguments("(", ")")

    def _primary(self) -> None:
        token = self._next
        if token.kind in ("string", "number"):
            self._take()
        elif token.kind == "word":
            self._take()
            called = self._next.kind == "mark" and self._next.text == "("
            self._known(token, token.text in (_FUNCTIONS if called else _ROOTS))
            if called:
                self._arguments("(", ")")
        elif token.text == "(":
            self._take()
            self.expression()
            self.expect(")")
        elif token.text == "[":
            self._arguments("[", "]")
        elif token.text == "{":
            self._map()
        else:
            raise self._unexpected()

    def _known(self, name: Token, known: bool) -> None:
        if not known:
            raise ExpressionError(
                f"1:{name.column + 1}: undeclared reference to '{name.text}' (in container '')"
            )

    def _arguments(self, start: str, end: str) -> None:
        self.expect(start)
        while self._next.text != end or self._next.kind != "mark":
            self.expression()
            if self._next.text != ",":
                break
            self._take()
        self.expect(end)

    def _map(self) -> None:
        self.expect("{")
        while self._next.text != "}":
            self.expression()
            self.expect(":")
            self.expression()
            if self._next.text != ",":
                break
            self._take()
        self.expect("}")
