"""Conditions of IAM bindings, as far as Identity-Aware Proxy offers them: host, path and time.

https://docs.cloud.google.com/iap/docs/context-aware-access. An expression that asks for anything
else, such as an access level, does not hold: nobody is let in by what cannot be evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<op>&&|\|\||==|!=|<=|>=|[<>!])
    |(?P<mark>[(),.])|(?P<word>[A-Za-z_]\w*))""",
    re.VERBOSE,
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_METHODS: dict[str, Callable[[str, str], bool]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": str.__contains__,
    "matches": lambda text, pattern: re.search(pattern, text) is not None,
}


class _UnknownError(ValueError):
    """Something that is not evaluated."""


def holds(expression: str, *, host: str, path: str, now: datetime | None = None) -> bool:
    """Whether a condition holds for a request."""
    names = {
        "request.host": host,
        "request.path": path,
        "request.time": now or datetime.now(UTC),
        "true": True,
        "false": False,
    }
    try:
        reader = _Reader(_tokens(expression), names)
        value = reader.either()
        reader.expect("")
    except (_UnknownError, TypeError, re.error):
        return False
    return value is True


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise _UnknownError(text[at:])
        found.append((str(match.lastgroup), match[str(match.lastgroup)]))
        at = match.end()
    return [*found, ("end", "")]


class _Reader:
    """A recursive descent that evaluates what it reads."""

    def __init__(self, tokens: list[tuple[str, str]], names: dict[str, Any]) -> None:
        self._tokens = tokens
        self._names = names

    def expect(self, text: str) -> None:
        if self._tokens[0][0] == "string" or self._tokens.pop(0)[1] != text:
            raise _UnknownError(text)

    def _next(self, *texts: str) -> bool:
        return self._tokens[0][0] in ("op", "mark") and self._tokens[0][1] in texts

    def either(self) -> Any:
        value = self._both()
        while self._next("||"):
            self._tokens.pop(0)
            other = self._both()  # read, even if the first decides
            value = _boolean(value) | _boolean(other)
        return value

    def _both(self) -> Any:
        value = self._comparison()
        while self._next("&&"):
            self._tokens.pop(0)
            other = self._comparison()
            value = _boolean(value) & _boolean(other)
        return value

    def _comparison(self) -> Any:
        value = self._unary()
        if self._next(*_COMPARE):
            return _COMPARE[self._tokens.pop(0)[1]](value, self._unary())
        return value

    def _unary(self) -> Any:
        if self._next("!"):
            self._tokens.pop(0)
            return not _boolean(self._unary())
        value = self._primary()
        while self._next("."):
            self._tokens.pop(0)
            method = _METHODS.get(self._tokens.pop(0)[1])
            self.expect("(")
            argument = self.either()
            self.expect(")")
            if method is None or not isinstance(value, str) or not isinstance(argument, str):
                raise _UnknownError(str(value))
            value = method(value, argument)
        return value

    def _primary(self) -> Any:
        if self._next("("):
            self._tokens.pop(0)
            value = self.either()
            self.expect(")")
            return value
        kind, text = self._tokens.pop(0)
        if kind == "string":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        if kind != "word":
            raise _UnknownError(text)
        if text == "timestamp":
            self.expect("(")
            value = self._primary()
            self.expect(")")
            return _time(value)
        while self._next(".") and text not in self._names:
            self._tokens.pop(0)
            text += f".{self._tokens.pop(0)[1]}"
        if text not in self._names:
            raise _UnknownError(text)
        return self._names[text]


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _UnknownError(str(value))
    return value


def _time(text: Any) -> datetime:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        raise _UnknownError(str(text)) from None
