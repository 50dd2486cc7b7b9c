"""How long Chromium takes to paint the page of 1,000 models for the first time.

    python -m benchmarks.first_paint

The page is that of an invented environment. The first contentful paint is the browser's own
measure, from the start of the navigation; each round has a window of its own, without a cache.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks import history
from benchmarks.history import Figure
from cli import chromium
from cli.show import page as pages
from tests.cli.show.pictures import picture

_PAINT = """() => new Promise((done) => new PerformanceObserver((list) => {
  for (const one of list.getEntries())
    if (one.name === "first-contentful-paint") done(one.startTime);
}).observe({type: "paint", buffered: true}))"""


def main() -> None:
    """Print the median and the longest of the rounds."""
    parser = history.parser(__doc__)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=10)
    given = parser.parse_args()
    history.check(given)
    if (path := chromium.find()) is None:
        raise SystemExit(chromium.notice())
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder, "page.html")
        file.write_text(pages.html(picture(given.models), root=".."), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=path)
        found = []
        for _ in range(given.rounds):
            window = browser.new_context(viewport={"width": 1280, "height": 900})
            opened = window.new_page()
            opened.goto(file.as_uri())
            found.append(opened.evaluate(_PAINT))
            window.close()
        browser.close()
        size = file.stat().st_size / 1e6
    print(
        f"{given.models} models, {size:.2f} MB: first paint after "
        f"{statistics.median(found):.0f} ms (median of {given.rounds}; "
        f"the longest {max(found):.0f} ms)"
    )
    of = f"{given.models:,} models"
    paint = statistics.median(found) / 1000
    history.keep(
        given,
        "first_paint",
        [
            Figure(figure=f"first paint of {of}", value=paint, unit="s", peer=1),
            Figure(figure=f"size of the page of {of}", value=size, unit="MB", peer=2),
        ],
    )


if __name__ == "__main__":
    main()
