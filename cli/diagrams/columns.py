"""Boxes in columns from left to right, and arrows from a column to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cli.diagrams.drawing import LINE, Arrow, Box, Label, height, svg, width

_ACROSS, _BETWEEN = 56.0, 12.0


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, and boxes by a name that arrows use."""

    heading: str
    boxes: Mapping[str, Sequence[str]]


def drawn(
    title: str,
    description: str,
    columns: Sequence[Column],
    arrows: Sequence[tuple[tuple[int, str], tuple[int, str]]],
) -> str:
    """The columns, each in the middle of the tallest; an arrow joins two boxes by column and name.

    `KeyError` for an arrow to a box that is not there.
    """
    tallest = max(map(_height, columns))
    placed: dict[tuple[int, str], Box] = {}
    labels = []
    left = 0.5
    for number, column in enumerate(columns):
        wide = width([column.heading, *(line for box in column.boxes.values() for line in box)])
        labels.append(Label(left, LINE - 4, column.heading))
        top = LINE + 4.5 + (tallest - _height(column)) / 2
        for name, lines in column.boxes.items():
            placed[number, name] = Box(left, top, wide, lines)
            top += height(lines) + _BETWEEN
        left += wide + _ACROSS
    paths = [_joined(placed[start], placed[end]) for start, end in arrows]
    return svg(title, description, boxes=list(placed.values()), arrows=paths, labels=labels)


def _height(column: Column) -> float:
    return sum(height(lines) + _BETWEEN for lines in column.boxes.values()) - _BETWEEN


def _joined(start: Box, end: Box) -> Arrow:
    bend = (start.right + end.left) / 2
    return Arrow(
        f"M{start.right:g} {start.middle:g}C{bend:g} {start.middle:g} {bend:g} {end.middle:g} "
        f"{end.left:g} {end.middle:g}"
    )
