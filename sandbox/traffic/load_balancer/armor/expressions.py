"""Expressions of Cloud Armor's rules language as trees.

The emulated API has checked the syntax (`armor_expressions`). What has no meaning here raises
`UnknownPartError`, and the rule is reported.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

from sandbox.gcp.services.compute.armor_expressions import Token, tokens


class UnknownPartError(ValueError):
    """A part of an expression that the sandbox does not carry out."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function, method or operator, and what it is applied to.

    `request.path.startsWith('/x')` is `Call("startsWith", (Name("request.path"), Text("/x")))`.
    """

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Name:
    """An attribute, such as `origin.ip`."""

    name: str


@dataclass(frozen=True, slots=True)
class Value:
    """A literal: text, a number, a list or a map."""

    value: Any


Node = Call | Name | Value

_LEVELS = (("||",), ("&&",), ("==", "!=", "<", "<=", ">", ">=", "in"), ("+", "-"), ("*", "/", "%"))


def parse(expression: str) -> Node:
    """The tree of an expression. Raises UnknownPartError."""
    parser = _Parser([*tokens(expression), Token("end", "", len(expression))])
    node = parser.level(0)
    parser.take("")
    return node


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self._tokens, self._at = found, 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _is(self, *texts: str) -> bool:
        return self._next.kind != "string" and self._next.text in texts

    def take(self, *texts: str) -> Token:
        token = self._next
        if texts and not self._is(*texts):
            raise UnknownPartError(f"{token.text!r} at character {token.column + 1}")
        self._at += 1
        return token

    def level(self, depth: int) -> Node:
        if depth == len(_LEVELS):
            return self._unary()
        left = self.level(depth + 1)
        while self._is(*_LEVELS[depth]):
            operator = self.take().text
            left = Call(operator, (left, self.level(depth + 1)))
        return left

    def _unary(self) -> Node:
        if self._is("!", "-"):
            return Call(f"unary {self.take().text}", (self._unary(),))
        node = self._primary()
        while self._is(".", "["):
            if self.take().text == "[":
                node = Call("[]", (node, self.level(0)))
                self.take("]")
                continue
            name = self.take().text
            if self._is("("):
                node = Call(name, (node, *self._arguments("(", ")")))
            elif isinstance(node, Name):
                node = Name(f"{node.name}.{name}")
            else:
                raise UnknownPartError(f".{name}")
        return node

    def _primary(self) -> Node:
        token = self.take()
        if token.kind == "string":
            return Value(_text(token.text))
        if token.kind == "number":
            return Value(float(token.text.rstrip("u")))
        if token.kind == "word":
            return self._word(token.text)
        if token.text == "(":
            node = self.level(0)
            self.take(")")
            return node
        if token.text == "[":
            self._at -= 1
            return Value([constant(one) for one in self._arguments("[", "]")])
        return self._map(token)

    def _word(self, word: str) -> Node:
        if self._is("("):
            return Call(word, self._arguments("(", ")"))
        constants = {"true": True, "false": False, "null": None}
        return Value(constants[word]) if word in constants else Name(word)

    def _arguments(self, start: str, end: str) -> tuple[Node, ...]:
        self.take(start)
        found = []
        while not self._is(end):
            found.append(self.level(0))
            if not self._is(","):
                break
            self.take()
        self.take(end)
        return tuple(found)

    def _map(self, token: Token) -> Node:
        if token.text != "{":
            raise UnknownPartError(token.text)
        found = {}
        while not self._is("}"):
            key = constant(self.level(0))
            self.take(":")
            found[key] = constant(self.level(0))
            if not self._is(","):
                break
            self.take()
        self.take("}")
        return Value(found)


def constant(node: Node) -> Any:
    """A literal's value. Raises UnknownPartError for anything else."""
    if isinstance(node, Value):
        return node.value
    raise UnknownPartError(describe(node))


def describe(node: Node) -> str:
    """A node in a message."""
    if isinstance(node, Name):
        return node.name
    return node.name if isinstance(node, Call) else repr(node.value)


def _text(token: str) -> str:
    # The literals of the rules language are also Python's: quotes, escapes and raw strings.
    return str(ast.literal_eval(token))
