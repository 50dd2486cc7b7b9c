"""The touched layers as one SVG: a column a layer, a box for each thing that is touched."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.impact.touched import Touched
from cli.templates import templates_in

FORMS = ("svg",)
WIDTH = 960
_GAP, _LINE, _PAD, _TOP = 24, 16, 8, 36
_CHARACTERS = 26
"""Of one line in a box of four columns. The letters are all as wide: names may be of wide ones."""
_LINES = 4
"""Of a text; a longer one ends in an ellipsis."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box with its lines of text; `state` is empty for the head of a layer."""

    state: str
    x: float
    y: float
    height: float
    lines: Sequence[tuple[str, float]]
    """Each with the height of its base line."""


def svg(environment: str, layers: Sequence[Touched]) -> str:
    """The picture, with what each box says as its text; colours only repeat it."""
    width = (WIDTH - _GAP * (len(layers) + 1)) / max(len(layers), 1)
    boxes = [
        box
        for index, layer in enumerate(layers)
        for box in _column(layer, _GAP + index * (width + _GAP), width)
    ]
    heads = [box for box in boxes if not box.state]
    told = "; ".join(f"{one.layer}: {one.summary}" for one in layers)
    templates = templates_in(Path(__file__).parent)
    return templates.get_template("picture.svg.j2").render(
        title=f"Impact on {environment}",
        description=told,
        width=WIDTH,
        height=max((box.y + box.height for box in boxes), default=_TOP) + _GAP,
        boxes=boxes,
        box_width=round(width, 1),
        arrows=[(one.x + width, two.x) for one, two in itertools.pairwise(heads)],
        arrow_y=_TOP + 20,
        pad=_PAD,
    )


def _column(layer: Touched, x: float, width: float) -> Iterator[Box]:
    characters = max(int(_CHARACTERS * width / 210), 8)
    top: float = _TOP
    texts = [("", f"{layer.layer}\n{layer.summary}")]
    texts += [(item.state, f"{item.state}: {item.text}") for item in layer.items]
    for state, text in texts:
        lines = [
            line
            for part in text.splitlines()
            for line in textwrap.wrap(part, characters, max_lines=_LINES, placeholder=" …")
        ]
        height = len(lines) * _LINE + 2 * _PAD
        placed = [(line, top + _PAD + 12 + index * _LINE) for index, line in enumerate(lines)]
        yield Box(state, round(x, 1), top, height, placed)
        top += height + _PAD
