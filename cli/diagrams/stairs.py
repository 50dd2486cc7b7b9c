"""Boxes down a staircase: each gets its arrows from the left, from those above it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cli.diagrams.drawing import LINE, PADDING, Arrow, Box, Label, height, svg, width

_DOWN, _APART = 24.0, 22.0


@dataclass(frozen=True, slots=True)
class Step:
    """One box, and what its arrows from earlier boxes say, by their names."""

    lines: Sequence[str]
    needs: Mapping[str, str]


def drawn(title: str, description: str, steps: Mapping[str, Step]) -> str:
    """The steps in their order. `KeyError` for a need of a step that is not earlier."""
    placed: dict[str, Box] = {}
    arrows, labels = [], []
    left, top = 0.5, 0.5
    for name, step in steps.items():
        room = max(height(step.lines), _APART * len(step.needs) + PADDING)
        box = Box(left, top + (room - height(step.lines)) / 2, width(step.lines), step.lines)
        first = box.middle - _APART * (len(step.needs) - 1) / 2
        # The latest above is the nearest: its arrow is the lowest, so that none crosses another.
        for index, (need, text) in enumerate(step.needs.items()):
            start, y = placed[need], first + index * _APART
            x = start.left + _APART * (1 + list(steps).index(name) - list(steps).index(need))
            arrows.append(Arrow(f"M{x:g} {start.bottom:g}V{y:g}H{box.left:g}"))
            labels.append(Label(box.left - width([text]) - 4, y - 5, text))
        placed[name] = box
        top += room + _DOWN
        following = [one.needs[name] for one in steps.values() if name in one.needs]
        # Texts stand to the right of all lines down from this box.
        left = box.left + _APART * len(steps) + width(following) + LINE
    return svg(title, description, boxes=list(placed.values()), arrows=arrows, labels=labels)
