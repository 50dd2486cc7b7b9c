"""A chart over time: panels of lines above one axis, and numbered events; one SVG element.

Lines differ by dashes as well as by colour, each panel names its lines, and the title and the
description are what a screen reader says. It follows the reader's light or dark setting.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cli.pictures.axis import Axis, axis, times
from cli.templates import templates_in

WIDTH = 960
_LEFT, _RIGHT = 64.0, WIDTH - 24.0
_TOP, _PANEL, _GAP, _MARKS, _ROW = 28.0, 96.0, 36.0, 18.0, 18.0
_APART = 20.0
"""Pixels between two marks of events in one row."""
_CHARACTERS = 110
"""Of one line of an event's text, whose letters are all as wide: names may be of wide ones."""
_LINES = 3
"""Kinds of lines that the style tells apart."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a panel: values by second, None where there is none."""

    name: str
    points: Sequence[tuple[float, float | None]]
    is_stepped: bool = False
    """Whether a value holds until the next one."""
    is_bad: bool = False
    """Whether anything above 0 is a loss: it is drawn in the colour of what is bad."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One quantity over time."""

    title: str
    """With its unit."""
    lines: Sequence[Line]
    whole: bool = False
    """Whether the values are counts."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An event; its number is its place among all."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """A time that is shaded, and its name."""

    start: float
    end: float
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What is drawn."""

    title: str
    description: str
    seconds: float
    panels: Sequence[Panel]
    marks: Sequence[Mark] = ()
    spans: Sequence[Span] = field(default=())
    before: int = 0
    """Seconds that have passed at the axis's beginning; all others are told from there."""


def svg(chart: Chart, *, with_events: bool = True, name: str = "chart") -> str:
    """The chart as one SVG element; `with_events` writes the texts of the events below it.

    `name` begins the ids of its elements: each chart of a page has another.
    """
    at = times(chart.seconds, _LEFT, _RIGHT, ticks=12)
    rows = list(_rows([at.at(mark.at) for mark in chart.marks]))
    top = _TOP + _MARKS * (max(rows, default=-1) + 1)
    panels, below = [], top
    for panel in chart.panels:
        panels.append(_drawn(panel, at, below + _GAP - 12))
        below += _PANEL + _GAP
    texts = list(_texts(chart, below + 34)) if with_events else []
    templates = templates_in(Path(__file__).parent)
    templates.filters["number"] = lambda value: f"{value:,.10g}"
    return templates.get_template("chart.svg.j2").render(
        chart=chart,
        name=name,
        width=WIDTH,
        height=round(texts[-1][1] + 14 if texts else below + 26, 1),
        at=at,
        left=_LEFT,
        right=_RIGHT,
        top=top,
        below=below,
        panels=panels,
        marks=[
            (index, at.at(mark.at), _TOP + 6 + row * _MARKS)
            for index, (mark, row) in enumerate(zip(chart.marks, rows, strict=True), start=1)
        ],
        texts=texts,
    )


@dataclass(frozen=True, slots=True)
class _Drawn:
    title: str
    top: float
    bottom: float
    axis: Axis
    paths: Sequence[tuple[str, str, str]]
    """Class, name and path of each line."""


def _drawn(panel: Panel, at: Axis, top: float) -> _Drawn:
    values = [value for line in panel.lines for _, value in line.points if value is not None]
    up = axis(max(values, default=0.0), top + _PANEL, top, ticks=4, whole=panel.whole)
    paths = [
        ("line-bad" if line.is_bad else f"line-{index % _LINES}", line.name, _path(line, at, up))
        for index, line in enumerate(panel.lines)
    ]
    return _Drawn(panel.title, top, top + _PANEL, up, paths)


def _path(line: Line, at: Axis, up: Axis) -> str:
    """The line as a path, with a gap where a value is missing; a value alone is a short stroke."""
    parts: list[str] = []
    is_drawn = False
    for second, value in line.points:
        if value is None:
            is_drawn = False
            continue
        x, y = at.at(second), up.at(value)
        if not is_drawn:
            parts.append(f"M{x:g} {y:g}h1")
        elif line.is_stepped:
            parts.append(f"H{x:g}V{y:g}")
        else:
            parts.append(f"L{x:g} {y:g}")
        is_drawn = True
    return "".join(parts)


def _rows(places: Sequence[float]) -> Iterator[int]:
    """The row of each mark, so that no two of one row touch."""
    last: list[float] = []
    for place in places:
        row = next((at for at, end in enumerate(last) if place - end >= _APART), len(last))
        last[row : row + 1] = [place]
        yield row


def _texts(chart: Chart, top: float) -> Iterator[tuple[str, float]]:
    """The lines of the events' texts, and where each is written."""
    for index, mark in enumerate(chart.marks, start=1):
        whole = f"{index}   {mark.at + chart.before:.1f} s   {' '.join(mark.text.split())}"
        for line in textwrap.wrap(whole, _CHARACTERS, subsequent_indent="      "):
            yield line, top
            top += _ROW
