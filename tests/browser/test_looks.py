"""The pages look as they did when their look was accepted.

`pytest tests/browser --update-looks` accepts a changed look; the diff, and the page itself, are the
review.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser import looks
from tests.browser.conftest import SHIPPED


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [*SHIPPED, "drill"])
def test_a_page_looks_as_accepted(
    page: Page, files: dict[str, Path], name: str, scheme: str, pytestconfig: pytest.Config
) -> None:
    browser = page.context.browser
    major = browser.version.partition(".")[0] if browser else ""
    if pytestconfig.getoption("--update-looks", default=False):
        looks.CHROMIUM.write_text(f"{major}\n", encoding="utf-8")
    elif major != (accepted := looks.CHROMIUM.read_text(encoding="utf-8").strip()):
        pytest.skip(f"the looks were accepted with Chromium {accepted}, and this is {major}")
    page.set_viewport_size({"width": looks.WIDTH, "height": 900})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(files[name].as_uri())
    found = looks.taken(page)
    kept = looks.FOLDER / f"{name}-{scheme}.txt"
    if pytestconfig.getoption("--update-looks", default=False):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text("\n".join(found) + "\n", encoding="utf-8")
    seen = looks.difference(kept.read_text(encoding="utf-8").split(), found)
    assert seen.share <= looks.ALLOWED, (
        f"{seen.share:.1%} of the blocks differ, the first {seen.first}; if that is meant: "
        "pytest tests/browser --update-looks"
    )


CHANGES = {
    "lines are gone": "svg path { display: none }",
    "something moved": "svg { margin-top: 10px }",
    "texts are pale": "table { color: var(--line) }",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_look_is_seen(page: Page, files: dict[str, Path], change: str) -> None:
    page.goto(files["drill"].as_uri())
    before = looks.taken(page)
    assert looks.difference(before, looks.taken(page)).share == 0
    page.add_style_tag(content=CHANGES[change])
    assert looks.difference(before, looks.taken(page)).share > looks.ALLOWED


def test_rows_and_columns_that_are_missing_differ() -> None:
    assert looks.difference(["ff", "ff"], ["ff", "ff"]).share == 0
    assert looks.difference(["ff", "ff"], ["fe", "ef"]).share == 0
    assert looks.difference(["ff", "ff"], ["ff"]) == looks.Difference(0.5, "at x 0, y 32")
    assert looks.difference(["ff", "ff"], ["ff", "fc"]) == looks.Difference(0.25, "at x 16, y 32")
