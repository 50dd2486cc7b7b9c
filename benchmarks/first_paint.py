"""How long Chromium takes to paint the pages of environments for the first time.

    python -m benchmarks.first_paint

The pages are those of the shipped environments, as their programs declare them, and of two with
1,000 models: an invented one, and prod with its models many times over. The first contentful paint
is the browser's own measure, from the start of the navigation; each round has a window of its own,
without a cache.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks import history
from benchmarks.history import Figure
from cli import chromium
from cli.show import page as pages
from cli.show.picture import Picture
from tests.browser.environments import declared_picture, multiplied
from tests.cli.show.pictures import picture

_SHIPPED = ("dev", "stage", "prod")
_PAINT = """() => new Promise((done) => new PerformanceObserver((list) => {
  for (const one of list.getEntries())
    if (one.name === "first-contentful-paint") done(one.startTime);
}).observe({type: "paint", buffered: true}))"""


def main() -> None:
    """Print the median and the longest of the rounds, of each page."""
    parser = history.parser(__doc__)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=10)
    given = parser.parse_args()
    history.check(given)
    if (path := chromium.find()) is None:
        raise SystemExit(chromium.notice())
    shown = _pictures(given.models)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        for name, one in shown.items():
            file = Path(folder, "page.html")
            file.write_text(pages.html(one, root=".."), encoding="utf-8")
            found = [_paint(browser, file) for _ in range(given.rounds)]
            paint, size = statistics.median(found) / 1000, file.stat().st_size / 1e6
            print(
                f"{name}: {size:.2f} MB, first paint after {1000 * paint:.0f} ms "
                f"(median of {given.rounds}; the longest {max(found):.0f} ms)"
            )
            figures.append(Figure(figure=f"first paint of {name}", value=paint, unit="s", peer=1))
            if name not in _SHIPPED:
                figures.append(
                    Figure(figure=f"size of the page of {name}", value=size, unit="MB", peer=2)
                )
        browser.close()
    history.keep(given, "first_paint", figures)


def _pictures(models: int) -> Mapping[str, Picture]:
    shipped = {name: declared_picture(name) for name in _SHIPPED}
    return {
        **shipped,
        f"{models:,} models": picture(models),
        f"{models:,} models of prod": multiplied(shipped["prod"], models),
    }


def _paint(browser: Browser, file: Path) -> float:
    """Milliseconds."""
    window = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = window.new_page()
    opened.goto(file.as_uri())
    found = float(opened.evaluate(_PAINT))
    window.close()
    return found


if __name__ == "__main__":
    main()
