"""Boxes and arrows as one SVG document that requests nothing, light or dark as its reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

LINE = 18.0
"""Height of a line of text, in pixels."""
PADDING = 10.0
_CHARACTER = 9.0
"""Width of a bold character at 13 pixels, in pixels: more than wide fonts need on average."""
_STYLE = """\
svg { color-scheme: light dark; font: 13px system-ui, sans-serif; --ink: #1b1f24; --soft: #57606a;
  --line: #8c959f; --card: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  svg { --ink: #e6edf3; --soft: #9da7b3; --line: #6e7681; --card: #161b22; }
}
text { fill: var(--ink); } .soft { fill: var(--soft); } .bold { font-weight: 600; }
rect { fill: var(--card); stroke: var(--line); } path { fill: none; stroke: var(--line); }
marker path { fill: var(--line); }"""


@dataclass(frozen=True, slots=True)
class Box:
    """A box with its upper left corner, its lines of text, the first of them bold."""

    left: float
    top: float
    width: float
    lines: Sequence[str]

    @property
    def height(self) -> float:
        """In pixels."""
        return height(self.lines)

    @property
    def right(self) -> float:
        """The x of its right side."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """The y of its lower side."""
        return self.top + self.height

    @property
    def middle(self) -> float:
        """The y of its middle."""
        return self.top + self.height / 2


@dataclass(frozen=True, slots=True)
class Arrow:
    """A path with a head at its end, as SVG writes paths."""

    path: str


@dataclass(frozen=True, slots=True)
class Label:
    """A line of text that is in no box."""

    left: float
    base: float
    text: str


def width(texts: Iterable[str]) -> float:
    """The width of a box that holds these lines."""
    return 2 * PADDING + _CHARACTER * max(map(len, texts), default=0)


def height(lines: Sequence[str]) -> float:
    """The height of a box with these lines."""
    return 2 * PADDING - 4 + LINE * len(lines)


def svg(
    title: str,
    description: str,
    *,
    boxes: Sequence[Box],
    arrows: Sequence[Arrow],
    labels: Sequence[Label] = (),
) -> str:
    """The document. The title and the description are what a screen reader says."""
    right = max([box.right for box in boxes] + [one.left + width([one.text]) for one in labels]) + 1
    bottom = max(box.bottom for box in boxes) + 1
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right:g} {bottom:g}" '
            f'width="{right:g}" height="{bottom:g}" role="img" aria-labelledby="title about">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="about">{escape(description)}</desc>',
            f"<style>{_STYLE}</style>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>',
            *(f'<path d="{one.path}" marker-end="url(#head)"/>' for one in arrows),
            *(line for box in boxes for line in _box(box)),
            *(_text(one.left, one.base, one.text, "soft") for one in labels),
            "</svg>\n",
        ]
    )


def _box(box: Box) -> Iterable[str]:
    yield (
        f'<rect x="{box.left:g}" y="{box.top:g}" width="{box.width:g}" '
        f'height="{box.height:g}" rx="6"/>'
    )
    for index, line in enumerate(box.lines):
        base = box.top + PADDING + 11 + index * LINE
        yield _text(box.left + PADDING, base, line, "soft" if index else "bold")


def _text(left: float, base: float, text: str, kind: str) -> str:
    return f'<text x="{left:g}" y="{base:g}" class="{kind}">{escape(text)}</text>'
