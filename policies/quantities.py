"""Kubernetes quantities, such as `500m` and `1.5Gi`, as numbers."""

import re
from typing import Any

from policies.values import MalformedInputError, comparable_text

_FORM = re.compile(r"([+-]?[0-9]*\.?[0-9]+|[+-]?[0-9]+\.)(?:([eE][+-]?[0-9]{1,3})|([A-Za-z]{0,2}))")
_SUFFIXES = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3}
_SUFFIXES |= {letter: 1000.0 ** (i + 2) for i, letter in enumerate("MGTPE")}
_SUFFIXES |= {f"{letter}i": 1024.0 ** (i + 1) for i, letter in enumerate("KMGTPE")}


def amount(quantity: Any) -> float:
    """Return a quantity in its base unit (bytes, cores). Raises MalformedInputError."""
    given = comparable_text(quantity)
    match = None if isinstance(quantity, bool) else _FORM.fullmatch(given)
    if match is None or (match[3] or "") not in _SUFFIXES:
        raise MalformedInputError(f"{given!r} is not a quantity")
    return float(match[1] + (match[2] or "")) * _SUFFIXES[match[3] or ""]
