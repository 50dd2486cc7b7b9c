"""The look of a page as text: how much ink each block of its screenshot has, a digit a block.

Pictures in a file format are not kept in the repository; this one can be read and compared in a
review. Ink is the mean distance of a block's luminance from that of the page's corner; a digit
grows with its root, so that a thin line is seen. A block of 16 x 32 pixels is about two letters of
a line: what moves, appears or fades changes digits; the edges of letters, which differ between
versions of Chromium, hardly do.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from playwright.sync_api import Page

FOLDER = Path(__file__).with_name("looks")
CHROMIUM = FOLDER / "chromium.version"
"""The major version that drew the accepted looks: another may set lines elsewhere."""
FONT = "DejaVu Sans"
WIDTH = 1280
_WIDE, _HIGH = 16, 32
_DIGITS = "0123456789abcdef"
SLIGHT = 1
"""A digit's difference that is not one: antialiasing."""
ALLOWED = 0.005
"""The share of blocks that may differ by more."""
_BLOCKS = """async ({png, wide, high}) => {
  const bytes = Uint8Array.from(atob(png), (one) => one.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], {type: "image/png"}));
  const canvas = new OffscreenCanvas(image.width, image.height);
  const drawing = canvas.getContext("2d", {willReadFrequently: true});
  drawing.drawImage(image, 0, 0);
  const {data, width, height} = drawing.getImageData(0, 0, image.width, image.height);
  const luminance = (at) => 0.2126 * data[at] + 0.7152 * data[at + 1] + 0.0722 * data[at + 2];
  const paper = luminance(0), rows = [];
  for (let top = 0; top < height; top += high) {
    const row = [], bottom = Math.min(top + high, height);
    for (let left = 0; left < width; left += wide) {
      const right = Math.min(left + wide, width);
      let sum = 0;
      for (let y = top; y < bottom; y++)
        for (let at = 4 * (y * width + left), end = at + 4 * (right - left); at < end; at += 4)
          sum += Math.abs(luminance(at) - paper);
      row.push(sum / 255 / ((bottom - top) * (right - left)));
    }
    rows.push(row);
  }
  return rows;
}"""
_HAS_FONT = """(font) => {
  const drawing = document.createElement("canvas").getContext("2d");
  const width = (family) => {
    drawing.font = `40px ${family}`;
    return drawing.measureText("mmmmiiiillll").width;
  };
  return ["monospace", "serif"].every((one) => width(`"${font}", ${one}`) !== width(one));
}"""


@dataclass(frozen=True, slots=True)
class Difference:
    """How two looks differ."""

    share: float
    """Of the blocks, 0 to 1."""
    first: str
    """Where they differ first; empty where they do not."""


def taken(page: Page) -> list[str]:
    """The look of an opened page: a line for each row of blocks."""
    page.add_style_tag(content=f'* {{ font-family: "{FONT}" !important; }}')
    if not page.evaluate(_HAS_FONT, FONT):
        raise AssertionError(f"the font {FONT} is missing: apt-get install fonts-dejavu-core")
    png = base64.b64encode(page.screenshot(full_page=True, animations="disabled")).decode()
    rows = page.evaluate(_BLOCKS, {"png": png, "wide": _WIDE, "high": _HIGH})
    return ["".join(_DIGITS[round(15 * math.sqrt(value))] for value in row) for row in rows]


def difference(kept: Sequence[str], found: Sequence[str]) -> Difference:
    """The share of blocks that differ by more than a slight change; missing rows differ whole."""
    places = list(_different(kept, found))
    total = sum(max(len(one), len(other)) for one, other in zip_longest(kept, found, fillvalue=""))
    first = "at x {}, y {}".format(*places[0]) if places else ""
    return Difference(len(places) / total, first)


def _different(kept: Sequence[str], found: Sequence[str]) -> Iterator[tuple[int, int]]:
    for row, (one, other) in enumerate(zip_longest(kept, found, fillvalue="")):
        for column, (before, after) in enumerate(zip_longest(one, other, fillvalue="")):
            if not (before and after) or abs(int(before, 16) - int(after, 16)) > SLIGHT:
                yield column * _WIDE, row * _HIGH
