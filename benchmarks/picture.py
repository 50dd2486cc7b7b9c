"""Ratios over commits as one SVG: a row a figure, a column a commit, a line at 1 in each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.history import Entry

_COLUMN, _ROW, _TOP, _LAST = 34.0, 44.0, 40.0, 60.0
_LETTER = 8.0
"""Pixels of one of a figure's name, at the most."""
_TALL = 28.0
"""Pixels of a row's curve."""
_HIGHEST = 1.2
"""The ratio at the top of a row, unless one of its own is above."""


@dataclass(frozen=True, slots=True)
class Row:
    """A figure, and its entries by the place of their commits."""

    figure: str
    entries: Mapping[int, Entry]


@dataclass(frozen=True, slots=True)
class _Drawn:
    figure: str
    against: str
    base: float
    """The y of ratio 0; `one`: of ratio 1."""
    one: float
    points: Sequence[tuple[float, float, bool]]
    """x, y, and whether the ratio is above 1."""
    last: str


def svg(commits: Sequence[tuple[str, str]], rows: Sequence[Row]) -> str:
    """The picture. The page's tables say in words what it shows."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    left = _LETTER * max(len(row.figure) for row in rows)
    right = left + _COLUMN * len(commits)
    return templates.get_template("picture.svg.j2").render(
        width=right + _LAST,
        height=_TOP + _ROW * len(rows) + 12,
        left=left,
        right=right,
        top=_TOP,
        below=_TOP + _ROW * len(rows),
        columns=[(_x(place, left), place + 1) for place in range(len(commits))],
        rows=[_drawn(row, _TOP + _ROW * index, left) for index, row in enumerate(rows)],
        figures=len(rows),
        commits=commits,
    )


def _drawn(row: Row, top: float, left: float) -> _Drawn:
    ratios = {place: one.ratio or 0.0 for place, one in sorted(row.entries.items())}
    highest, base = max(_HIGHEST, *ratios.values()), top + _ROW - 8
    last = row.entries[max(row.entries)]
    return _Drawn(
        figure=row.figure,
        against=f"to {last.against}",
        base=base,
        one=round(base - _TALL / highest, 1),
        points=[
            (_x(place, left), round(base - _TALL * ratio / highest, 1), ratio > 1)
            for place, ratio in ratios.items()
        ],
        last=f"{last.ratio:.2f}",
    )


def _x(place: int, left: float) -> float:
    return left + _COLUMN * (place + 0.5)
