"""Prometheus's text format, for the time series that Google itself would write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_SPECIAL = re.compile(r'[\\"\n]')
_ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}


@dataclass(frozen=True, slots=True)
class Sample:
    """The last value of a time series, under its PromQL name."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def page(samples: Iterable[Sample]) -> str:
    """The samples as a page that Prometheus scrapes."""
    return "".join(
        f"{one.name}{{{','.join(_label(*pair) for pair in sorted(one.labels.items()))}}} "
        f"{one.value:.15g}\n"
        for one in samples
    )


def _label(name: str, value: str) -> str:
    return f'{name}="{_SPECIAL.sub(lambda found: _ESCAPED[found[0]], value)}"'
